#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace --folded`: who woke the loops and what they did, of QEMU (stripped, without frame
# pointers) and of our own VMM, against what the report says of the same time.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/qemu.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
build=${HANDOFF_BUILD:?is set by make}

# folded NAME PID arguments...: leaves $tmp/NAME.folded besides what trace leaves.
folded() {
	local name=$1 pid=$2
	shift 2
	trace "$name" -p "$pid" --duration 3 --folded "$tmp/$name.folded" "$@"
	check "$name: exit 0" equal "$status $(cat "$tmp/$name.err")" "0 "
	check "$name: each line is frames and a number" not grep -qvE '^[^;]+(;[^;]+)+ [0-9]+$' \
		"$tmp/$name.folded"
}

# line NAME PATTERN...: there is a line that has them in this order.
line() {
	local name=$1 pattern
	shift
	pattern=$(printf '.*%s' "$@")
	grep -qE "$pattern" "$tmp/$name.folded" || {
		echo "no line with $pattern among:"
		cut -c1-400 "$tmp/$name.folded" | head -n 20
		return 1
	}
}

# seconds NAME LOOP STATE: in all of its lines.
seconds() {
	grep -E "^[^;]*;$2;$3[; ]" "$tmp/$1.folded" |
		awk '{ns += $NF} END {printf "%.3f", ns / 1e9}'
}

# shares NAME LOOP: the time it does not run is what the report has as blocked, which ends when it
# gets a CPU, and what it was preempted for; within 10 points. Time on a CPU is sampled.
shares() {
	local asleep runnable running wall blocked
	asleep=$(seconds "$1" "$2" asleep)
	runnable=$(seconds "$1" "$2" runnable)
	running=$(seconds "$1" "$2" running)
	read -r wall blocked < <(jq -r --arg id "$2" '.loops[] | select(.id == $id) |
		[.account.wall_ns / 1e9, .account.blocked] | @tsv' "$tmp/$1.json")
	echo "$wall s: asleep $asleep, runnable $runnable, running $running; blocked $blocked"
	awk -v w="$wall" -v b="$blocked" -v a="$asleep" -v q="$runnable" -v r="$running" \
		'BEGIN {exit !(w > 1 && a / w < b + 0.1 && (a + q) / w > b - 0.1 &&
			a + q + r > 0.8 * w && a + q + r < 1.1 * w && a > 0 && q > 0 && r > 0)}'
}

if command -v qemu-system-x86_64 >/dev/null &&
	qemu_start qemu "rw=randread runtime=60 completion=irq" \
		-object iothread,id=io0,poll-max-ns=0 -blockdev "node-name=d0,$qemu_null" \
		-device virtio-blk-pci,id=vblk0,drive=d0,iothread=io0,disable-legacy=on; then
	vms+=("$qemu")
	qemu_go
	wait_for 20 grep -q "^handoff-guest: ready" "$tmp/qemu.console"
	folded qemu "$qemu" --qmp "$tmp/qemu.qmp"
	check "QEMU: the vCPU's kick woke the loop" line qemu ';io0;asleep;woken by vcpu0;' \
		'kvm_cpu_exec \(qemu' 'ioctl \(libc' ';ioeventfd_write' '_\[k\] '
	check "QEMU: no waker's stack ends in the tracer's own" not grep -qE \
		';asleep;.*;(bpf_prog|bpf_trace|__traceiter)[^;]*$' "$tmp/qemu.folded"
	check "QEMU: the loop's own way, from its thread's start on" line qemu ';io0;running;' \
		'start_thread \(libc' ';aio_poll \(qemu'
	check "QEMU: the handler under it" line qemu ';io0;running;' ';aio_poll \(qemu' \
		';virtio_blk_handle_vq \(qemu'
	check "QEMU: time asleep is the scheduler's" shares qemu io0
	qemu_kill
else
	skip "QEMU" "qemu-system-x86_64 is not installed, or does not start"
fi

vm ours
trace ours -p "$vmm" --duration 3 --folded -
mv "$tmp/ours.out" "$tmp/ours.folded"
check "ours: exit 0" equal "$status $(cat "$tmp/ours.err")" "0 "
check "ours: stdout is the stacks, nothing else" not grep -qvE '^[^;]+(;[^;]+)+ [0-9]+$' \
	"$tmp/ours.folded"
check "ours: where the main loop ran" line ours ';main;running;' ';main_loop \(handoff' \
	';main_loop_wait \(handoff'
check "ours: the vCPU woke the loop" line ours ';main;asleep;woken by vcpu0;' 'kvm_cpu_exec' \
	';ioeventfd_write'
check "ours: time asleep is the loop's own account" shares ours main
end_vm "$watcher"

vm gone
start gone -p "$vmm" --folded "$tmp/gone.folded"
kill -9 "$vmm"
wait "$tracer"
check "a VM that is killed: exit 0" equal $? 0
check "a VM that is killed: its stacks are there" line gone ';main;asleep;woken by vcpu0;' \
	'kvm_cpu_exec'

done_testing
