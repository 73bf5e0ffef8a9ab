#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` on a VMM that tells nothing, its consumers of every style, against the truth that
# the VMM prints at its end.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/tiny.sh"
. "$(dirname "$0")/../lib/trace.sh"

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
why=$("$handoff" run --trace --duration 0.1 --blk null,size=64M \
	--load "requests=1" 2>&1 >/dev/null) ||
	case $why in *cap_*) skip_all "no privilege to load BPF programs: $why" ;; esac

trace_options=(--stuck-ms 500)
for style in epoll ppoll uring-poll uring-read read busy spin adaptive; do
	look=
	case $style in busy | spin) look=look ;; esac
	check "$style: traced" trace_run $style "go go $look" --style $style --kicks 200 --sync
	trace_healthy $style
	check "$style: how it waits" \
		trace_holds $style "[\$r.loops[].how] == [${trace_how[$style]}]"
done
for style in epoll ppoll uring-poll uring-read read busy; do
	check "$style: an arrival for each read, none polled" trace_holds $style \
		"($trace_arrivals) and (\$r.queues | all(.outcomes.polled == 0))"
done
# It may serve what the guest posted before the guest has kicked: of the last kick nobody can tell.
check "spin: each interrupt was an arrival that was polled" trace_holds spin \
	'$r.queues[0].outcomes | .polled == $t.queues[0].irqs and .notified + .busy == 0 and
		.lost <= 1'
check "a poll-mode spinner's waste is not taken for handling" \
	trace_holds spin '$r.loops[0].account | .handling < .polling_hit + .polling_waste'
check "a busy reader's waste is not taken for handling" \
	trace_holds busy '$r.loops[0].account | .handling < .polling_hit + .polling_waste'

# Queues and their addresses.
check "four queues, two loops, two vCPUs: traced" trace_run queues "go go" --queues 4 --vcpus 2 \
	--style epoll,uring-poll --spacing 4096 --len 0 --pause 20000
trace_healthy queues
check "vCPUs with high ids: traced" trace_run far "go go" --queues 2 --vcpus 2 \
	--first-vcpu 200 --pause 20000
trace_healthy far
check "vCPUs with high ids: each by its id, with its kicks" trace_holds far \
	'[$r.vcpus[] | {id, tid}] == [$t.vcpus[] | {id, tid}] and [$r.vcpus[].id] == [200, 201] and
		([$r.vcpus, $t.vcpus] | transpose | all(.[0].mmio_writes >= .[1].kicks))'
check "one address: traced" trace_run match go --queues 3 --datamatch --len 4 --pause 20000
trace_healthy match
check "one address: queues are told apart by value" trace_holds match \
	'([$r.queues[].gpa] | unique | length) == 1 and ([$r.queues[].queue] | sort) == [0, 1, 2]'
check "ports: traced" trace_run ports go=300 --queues 2 --pio --datamatch
trace_healthy ports
check "KVM_SIGNAL_MSI: traced" trace_run msi "go go" --queues 2 --irq msi --style ppoll,read \
	--pause 20000
trace_healthy msi

# No ioeventfds: by hand.
check "kicks to user space: traced" trace_run user go=200 --userspace
check "kicks to user space: seen by address, all of them leaving" trace_holds user \
	'$r.queues == [] and ($r.io.by_address | map(select(.gpa == $t.queues[0].address))
		| .[0].count == 200 and .[0].left == 200)'
trace_options+=(--ioeventfd at=mmio:0xd0000000,len=2)
check "an address given by hand: traced" trace_run given go=200 --userspace
check "an address given by hand: a queue, all of its kicks leaving" trace_holds given \
	'$r.queues | length == 1 and (.[0] | .kicks == 200 and .kicks_left == 200 and
		.outcomes.userspace == 200)'
trace_options=(--stuck-ms 500)

# What changes while it is looked at.
check "a queue that comes later: traced" trace_run late "go add look go go" --queues 2 --late 1 \
	--style epoll,uring-read --pause 20000
trace_healthy late
check "a reset: traced" trace_run reset "go reset look go reset go" --queues 2 \
	--style ppoll,read --pause 20000
trace_healthy reset
check "registrations that come and go: traced" trace_run churn "go go" --churn --pause 20000
check "registrations that come and go: kicks are the guest's" trace_holds churn \
	"($trace_kicks) and ([\$r.losses[]] | add == 0) and \$r.alarms == []"

# Loading takes long, on a slow machine seconds in which the tracer would be deaf.
programs_loaded() {
	sed -nE 's/^prog_id:\s*([0-9]+)/\1/p' "/proc/$tracer/fdinfo/"* | sort -u | wc -l
}
nothing_is_loaded_later() {
	local bad before
	tiny_start later --queues 2 --late 1 || return
	trace_start later "$tiny_pid" || return
	before=$(programs_loaded)
	trace_commands later add look go
	bad=$?
	equal "$(programs_loaded)" "$before" || bad=1
	trace_end
	tiny_end later && equal "$bad$status" 00
}
check "a change makes the tracer load nothing" nothing_is_loaded_later

# Faults.
trace_options=(--stuck-ms 200)
check "an eventfd that is never drained: traced" trace_run never "go look look" --queues 2 \
	--never-drain 1
# The last: it may seem to spin already between two kicks of the queue that it serves.
check "an eventfd that is never drained: the loop spins" trace_holds never \
	'$r.alarms | map(select(.kind == "spinning")) | last | .tid == $t.queues[1].tid and
		.fd == $t.queues[1].kick_fd and .queue == 1 and .count == 1000'
check "a loop that stopped in a lock: traced" trace_run stopped "go=100 freeze kick=7 look"
check "a loop that stopped in a lock: stuck kicks, and where the loop sleeps" trace_holds stopped \
	'alarm("stuck") | .tid == $t.queues[0].tid and .queue == 0 and .count == 7 and
		.state == "S" and (.kernel_stack | join(" ") | contains("futex")) and
		(.user_stack | join(" ") | contains("sem_wait"))'
check "it goes on: traced" trace_run resumed "go=100 freeze kick=7 look cont drain look"
check "it goes on: the alarm is over" trace_holds resumed 'alarm("stuck").over'

# A back end in a process of its own, as vhost-user has it, stopped by SIGSTOP.
stopped_process() {
	tiny_start process --consumer-process --pause 20000 || return
	trace_start process "$tiny_pid" || return
	trace_commands process go || return
	kill -STOP "$tiny_consumer"
	trace_commands process kick=9 look
	local bad=$?
	kill -CONT "$tiny_consumer"
	trace_end
	tiny_end process && equal "$bad$status" 00
}
check "a stopped back end: traced" stopped_process
check "a stopped back end: kicks are the guest's" trace_holds process "$trace_kicks"
check "a stopped back end: stuck kicks" trace_holds process \
	'alarm("stuck") | .queue == 0 and .count == 9 and .age_ns >= 200000000'

# Alarms have a pace of their own: what is stuck within one interval is seen.
between_intervals() {
	local bad
	tiny_start between || return
	"$handoff" trace -p "$tiny_pid" --interval 6 --stuck-ms 500 --json "$tmp/between.json" \
		>"$tmp/between.out" 2>"$tmp/between.err" &
	tracer=$!
	wait_for 30 trace_ticks between 1 || return
	trace_commands between go=100 freeze kick=7 && sleep 3 && trace_commands between cont drain
	bad=$?
	sleep 1
	trace_end
	tiny_end between && equal "$bad$status" 00
}
check "stuck between two intervals: traced" between_intervals
check "stuck between two intervals: an alarm, that is over" trace_holds between \
	'alarm("stuck") | .over and .queue == 0 and .age_ns >= 500000000 and .age_ns < 4000000000'

done_testing
