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
# KVM is a module here, and its types ask for CAP_SYS_ADMIN.
caps=-all,+bpf,+perfmon,+sys_ptrace,+syslog,+dac_read_search
cat >/var/tmp/without <<W
#!/bin/bash
exec setpriv --bounding-set=$caps --inh-caps=$caps "$HANDOFF" "\$@"
W
chmod +x /var/tmp/without
handoff=/var/tmp/without
trace_options=(--stuck-ms 20000)
run heard "look reset go=60 add look go=60" --queues 3 --late 1 --pause 20000
trap - EXIT
E
gets=()
for name in sleepers spinners changes faults heard; do
	gets+=(--get "/var/tmp/$name.json:$tmp/$name.json")
	gets+=(--get "/var/tmp/$name.truth:$tmp/$name.truth")
	: >"$tmp/$name.err"
done
said=$(machine "${gets[@]}" --add "$tmp/runs.sh:/runs.sh" --add "$(type -P setpriv)" -- \
	bash /runs.sh 2>&1)
check "five VMs are traced" equal "$?$said" 0

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
check "without KVM's types: kicks of queues registered meanwhile are the guest's" \
	trace_holds heard "$trace_kicks"
check "without KVM's types: what kicks met adds up to kicks" trace_holds heard "$trace_classes"
check "without KVM's types: whose an interrupt is, is a guess" trace_holds heard \
	'$r.queues | all(.arrivals_evidence != "exact" and (.arrivals_reason | contains("guess")))'
check "without KVM's types: nothing is lost" trace_holds heard '[$r.losses[]] | add == 0'
done_testing
