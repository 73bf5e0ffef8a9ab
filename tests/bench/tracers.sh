# SPDX-License-Identifier: BSD-2-Clause
# The tracers that bench_trace.sh compares: each is attached to a process, and taken off again.
# All count the same events of one VMM: guest writes (kvm_mmio), wakes, switches, reads of an
# eventfd, interrupts sent and accepted. Ours also joins and times them.

kick_events='kvm:kvm_mmio kvm:kvm_msi_set_irq kvm:kvm_apic_accept_irq sched:sched_waking
	sched:sched_wakeup sched:sched_switch syscalls:sys_exit_read'

# A tracer's own tracefs, in a mount namespace that ends with it.
with_tracefs() {
	exec unshare -m bash -c 'mountpoint -q /sys/kernel/tracing ||
		mount -t tracefs nodev /sys/kernel/tracing || exit 1; exec "$@"' - "$@"
}

attach_handoff() {
	exec "$handoff" trace -p "$1" --json "$tmp/handoff.json"
}

attach_bpftrace() {
	local event program=
	for event in $kick_events; do
		program+="tracepoint:$event /pid == $1/ { @[\"${event#*:}\"] = count(); } "
	done
	with_tracefs bpftrace -e "$program"
}

# What handoff's stages need at the least: from kick to wake, and from wake to CPU, as histograms.
attach_bpftrace_timing() {
	with_tracefs bpftrace -e "
	tracepoint:kvm:kvm_mmio /pid == $1/ { @kick[tid] = nsecs; @n = count(); }
	tracepoint:sched:sched_waking /pid == $1 && @kick[tid]/ {
		@wake = hist(nsecs - @kick[tid]); delete(@kick[tid]); @woken[args->pid] = nsecs; }
	tracepoint:sched:sched_switch /@woken[args->next_pid]/ {
		@runq = hist(nsecs - @woken[args->next_pid]); delete(@woken[args->next_pid]); }
	tracepoint:syscalls:sys_exit_read /pid == $1/ { @reads = count(); }
	tracepoint:kvm:kvm_msi_set_irq /pid == $1/ { @msi[tid] = nsecs; }
	tracepoint:kvm:kvm_apic_accept_irq /pid == $1 && @msi[tid]/ {
		@inject = hist(nsecs - @msi[tid]); delete(@msi[tid]); }"
}

attach_perf_stat() {
	local list
	list=$(echo $kick_events | tr ' ' ,)
	with_tracefs perf stat -p "$1" -x, -o "$tmp/perf_stat.csv" -e "$list"
}

attach_perf_trace() {
	local list
	list=$(echo $kick_events | tr ' ' ,)
	with_tracefs perf trace -p "$1" -o /dev/null --no-syscalls -e "$list"
}

# What a tool is called in the table.
tool_label() {
	case $1 in
	handoff) echo "handoff trace" ;;
	bpftrace) echo "bpftrace, counting" ;;
	bpftrace_timing) echo "bpftrace, timing 3 stages" ;;
	perf_stat) echo "perf stat, counting" ;;
	perf_trace) echo "perf trace, printing" ;;
	esac
}

# tool_attach TOOL PID: $tool_pid runs, attached to PID; else 1, and $why. Ours tells when it is
# ready: its first interval is printed. Nothing tells it of the others, so each of them gets the
# same time, which is many times what any of them takes.
tool_attach() {
	"attach_$1" "$2" >"$tmp/tool.out" 2>&1 &
	tool_pid=$!
	settle 2
	if [ "$1" = handoff ]; then
		for _ in $(seq 80); do
			[ -s "$tmp/tool.out" ] || ! kill -0 $tool_pid 2>/dev/null && break
			settle 0.1
		done
		[ -s "$tmp/tool.out" ] || kill $tool_pid 2>/dev/null
	fi
	kill -0 $tool_pid 2>/dev/null && return
	wait $tool_pid
	why="ended with status $?: $(grep -v RLIMIT "$tmp/tool.out" | head -n 1)"
	return 1
}

tool_detach() {
	kill -INT $tool_pid
	wait $tool_pid 2>/dev/null
	tool_pid=
}

settle() { read -rt "$1" <> <(:) || :; }
