#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# A QMP server for tests: qmp_server.pl SOCKET FILE. Each client is greeted; to query-pci it gets what
# FILE holds at that moment, to query-iothreads and other queries an empty list.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($path, $file) = @ARGV;
my $server = IO::Socket::UNIX->new(Local => $path, Listen => 4) or die "$path: $!\n";
$SIG{PIPE} = 'IGNORE';

sub devices {
	open my $f, '<', $file or return '[]';
	local $/;
	my $text = <$f>;
	$text =~ s/\s+/ /g;
	return $text;
}

while (my $client = $server->accept) {
	$client->autoflush(1);
	print $client qq({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": []}}\r\n);
	while (my $line = <$client>) {
		my $value = $line =~ /query-pci/ ? devices() : $line =~ /qmp_capabilities/ ? '{}' : '[]';
		my ($id) = $line =~ /"id": *("[^"]*"|\d+)/;
		$id = 'null' unless defined $id;
		print $client qq({"return": $value, "id": $id}\r\n);
	}
}
