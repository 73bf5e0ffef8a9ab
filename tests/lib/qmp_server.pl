#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# A QMP server for tests: qmp_server.pl SOCKET FILE [MORE]. Each client is greeted; to query-pci it
# gets what FILE holds at that moment, to query-X what FILE.query-X holds if there is one, else an
# empty list. MORE "slow": each answer takes 0.5 s, and qom-list tells of 1000 objects.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($path, $file, $more) = (@ARGV, '');
my $server = IO::Socket::UNIX->new(Local => $path, Listen => 4) or die "$path: $!\n";
$SIG{PIPE} = 'IGNORE';

sub content {
	open my $f, '<', shift or return '[]';
	local $/;
	my $text = <$f>;
	$text =~ s/\s+/ /g;
	return $text;
}

while (my $client = $server->accept) {
	$client->autoflush(1);
	print $client qq({"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": []}}\r\n);
	while (my $line = <$client>) {
		my $value = $line =~ /query-pci/ ? content($file) :
			$line =~ /qmp_capabilities/ ? '{}' :
			$line =~ /"(query-[a-z-]+)"/ ? content("$file.$1") : '[]';
		if ($more eq 'slow' && $line =~ /"qom-/) {
			select undef, undef, undef, 0.5;
			$value = '[' . join(', ', map { qq({"name": "d$_", "type": "child<x>"}) } 1 .. 1000)
				. ']' if $line =~ /"qom-list"/;
		}
		my ($id) = $line =~ /"id": *("[^"]*"|\d+)/;
		$id = 'null' unless defined $id;
		print $client qq({"return": $value, "id": $id}\r\n);
	}
}
