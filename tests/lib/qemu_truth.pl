#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# What QEMU 7.2's own trace log says (-trace, log back end, -msg timestamp=on, which names the
# thread of each line), as JSON: of each virtqueue, by the order in which devices are first served:
#   entries   its handler was entered (virtio_queue_notify), from the first request on: QEMU enters
#             each once when the guest starts the device
#   polled    of those: by a spin. aio_poll() enters what a round of polling has found, each queue
#             once, right after that round (run_poll_handlers_end progress=1). All others follow a
#             read of the eventfd, but for those of the one more look that ends a spin without
#             progress: no event tells of it, and hardly anything is found there
#   arrivals  entries that found a request (virtio_blk_handle_read, _write); the others were sent
#             by a kick whose request a spin had found before
#   arrivals_polled, requests
#   tids      the threads that entered it
# and `interrupts` for all of them.
use strict;
use warnings;
use JSON::PP;

my (%round, %queue, @order, %entered, $interrupts);
$interrupts = 0;
while (<>) {
	my ($tid, $event, $rest) = /^(\d+)@[\d.]+:(\w+) (.*)/ or next;
	if ($event eq 'run_poll_handlers_begin') {
		delete $round{$tid};
	} elsif ($event eq 'run_poll_handlers_end') {
		$round{$tid} = {} if $rest =~ /progress 1/;
	} elsif ($event eq 'virtio_queue_notify') {
		my ($device, $n) = $rest =~ /^vdev (\S+) n (\d+)/ or die "not understood: $_";
		my $polled = $round{$tid} && !$round{$tid}{"$device $n"}++ ? 1 : 0;
		my $q = $queue{"$device $n"};
		if (!$q) {
			$q = { device => $device, queue => int $n, entries => 0, polled => 0,
			       arrivals => 0, arrivals_polled => 0, requests => 0, tids => {} };
			$queue{"$device $n"} = $q;
			push @order, $q;
		}
		if ($q->{requests}) {
			$q->{entries}++;
			$q->{polled} += $polled;
		}
		$q->{tids}{$tid}++;
		$entered{$tid} = { queue => $q, polled => $polled, found => 0 };
	} elsif ($event =~ /^virtio_blk_handle_(read|write)$/) {
		my $e = $entered{$tid} or next;
		if (!$e->{queue}{requests}++) {
			$e->{queue}{entries}++;
			$e->{queue}{polled} += $e->{polled};
		}
		next if $e->{found}++;
		$e->{queue}{arrivals}++;
		$e->{queue}{arrivals_polled} += $e->{polled};
	} elsif ($event =~ /^virtio_notify/) {
		$interrupts++;
	}
}
$_->{tids} = [sort { $a <=> $b } map { int } keys %{$_->{tids}}] for @order;
print JSON::PP->new->canonical->encode({ queues => \@order, interrupts => $interrupts }), "\n";
