#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` on a VMM that tells nothing, on a stock kernel: consumers of every style against
# the truth that the VMM prints at its end. tests/bpf/test_trace_styles.sh looks closer.
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/../lib/tiny.sh"
. "$(dirname "$0")/../lib/trace.sh"

# A vCPU, a loop and the tracer share one slow CPU: what is slow is not stuck.
cat >"$tmp/runs.sh" <<'E'
. tests/lib/tap.sh
. tests/lib/tiny.sh
. tests/lib/trace.sh
rm -rf "$tmp"
tmp=/var/tmp
run() {
	trace_run "$@" || echo "$1 failed"
}
trace_options=(--stuck-ms 20000)
run sleepers go --queues 6 --style epoll,ppoll,uring-poll,uring-read,read,adaptive --kicks 30 --sync
run spinners go --queues 2 --style busy,spin --datamatch --len 4 --kicks 20 --sync
run changes "go reset go add look go" --queues 2 --late 1 --irq msi --kicks 100
trace_options=(--stuck-ms 200)
run faults "go=50 look freeze kick=5 look" --queues 2 --never-drain 1
trap - EXIT
E
gets=()
for name in sleepers spinners changes faults; do
	gets+=(--get "/var/tmp/$name.json:$tmp/$name.json")
	gets+=(--get "/var/tmp/$name.truth:$tmp/$name.truth")
	: >"$tmp/$name.err"
done
said=$(machine "${gets[@]}" --add "$tmp/runs.sh:/runs.sh" -- bash /runs.sh 2>&1)
check "four VMs are traced" equal "$?$said" 0

for name in sleepers spinners changes; do
	trace_healthy $name
done
for style in epoll ppoll uring-poll uring-read read adaptive; do
	check "$style: how it waits" trace_holds sleepers \
		"pairs[] | select(.t.style == \"$style\") | loop_of(.r).how == ${trace_how[$style]}"
done
# The read that a thread was in when the tracer came ends unseen where functions are hooked.
check "an arrival for each read" trace_holds sleepers \
	'pairs | map(select(.t.style != "adaptive"))
		| all((.r.outcomes | .notified + .busy + .lost) as $seen
			| $seen == .t.reads or (.t.style == "read" and $seen + 1 == .t.reads))'
check "a loop that spins without serving is named, with its eventfd" trace_holds faults \
	'alarm("spinning") | .tid == $t.queues[1].tid and .fd == $t.queues[1].kick_fd and
		.queue == 1'
check "stuck kicks are named, with the loop that sleeps elsewhere" trace_holds faults \
	'alarm("stuck") | .tid == $t.queues[0].tid and .state == "S" and
		(.kernel_stack | join(" ") | contains("futex"))'
done_testing
