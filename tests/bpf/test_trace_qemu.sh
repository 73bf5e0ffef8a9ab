#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` of a VMM that nobody here wrote, Debian's QEMU, against what its guest and its own
# trace events say. The tracer is there before the guest starts: so every kick counts.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/qemu.sh"
. "$(dirname "$0")/../lib/trace_qemu.sh"
build=${HANDOFF_BUILD:?is set by make}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm cannot be opened"
"$handoff" doctor >/dev/null 2>&1 ||
	skip_all "this host cannot trace: $("$handoff" doctor | grep ^BAD | head -n 1)"
export LC_ALL=C

# Of the queue that the guest has used; it is the only one, or the sum of all.
polled='([.queues[].outcomes.polled] | add) / ([.queues[].arrivals] | add)'
polled_truth='([$truth.queues[].arrivals_polled] | add) / ([$truth.queues[].arrivals] | add)'

is_close="$polled - $polled_truth | . < 0.02 and . > -0.02"

# setup NAME QUEUES LOOP "WORDS" "TRACE OPTIONS" QEMU-OPTION...: what a spin found is inferred, and
# so few points apart only where nobody takes the loop's CPU: such a run has $tries. What is counted
# is right in each.
tries=4
setup() {
	local name=$1 queues=$2 try thread
	shift 2
	for ((try = 1; try <= tries; try++)); do
		traced "$name" "$@" || {
			check "$name: QEMU starts, and is traced" false
			return
		}
		ended "$name"
		holds "$name" "$is_close" >/dev/null && break
		echo "# $name: polled shares are apart in try $try"
		[ "$codes" = "1 0" ] || break
	done
	check "$name: guest and tracer end well" equal "$codes" "1 0"
	figures "$name" "$queues" "$thread"
}

share() {
	check "$1: polled share within 2 points of QEMU's" holds "$1" "$is_close"
}

# Six set-ups. What a spin found is inferred best where QMP tells that the loop spins. Of two queues
# that is not enough (the guest is awake for the other one's work): uprobes see each arrival.
io0 0
setup never-polls 1 io0 "requests=2000" "" "${iothread[@]}" "${disk0_slow[@]}" $on_io0
io0 32768
setup polls-shortly 1 io0 "requests=4000" "--qmp SOCKET" "${iothread[@]}" "${disk0[@]}" $on_io0
io0 1000000
setup polls-long 1 io0 "requests=2000" "--qmp SOCKET" "${iothread[@]}" "${disk0_slow[@]}" $on_io0
setup main-loop 1 main "requests=2000" "" "${disk0_slow[@]}" $on_main
setup two-disks 1 io1 "requests=4000 disk=1" "--qmp SOCKET" "${iothread[@]}" "${disk0[@]}" $on_io0 \
	-object iothread,id=io1,poll-max-ns=32768 -blockdev "node-name=d1,$qemu_null" \
	-device virtio-blk-pci,id=vblk1,drive=d1,iothread=io1,disable-legacy=on
io0 32768
setup two-queues 2 io0 "requests=4000" "--uprobes" "${iothread[@]}" "${disk0_slow[@]}" \
	$on_io0,num-queues=2
for name in never-polls polls-shortly polls-long main-loop two-disks two-queues; do
	share $name
done

check "without QMP a name is a guess, and says so" holds two-queues \
	'[.queues[] | .name_evidence == "inferred" and (.device | startswith("0x"))] | all'
check "with QMP names are QEMU's own" holds two-disks \
	'[.queues[] | select(.kicks > 0) | [.device, .queue, .loop, .name_evidence]] ==
		[["vblk1", 0, "io1", "exact"]]'
check "a loop that never polls is not said to" holds never-polls \
	'[.queues[].outcomes.polled] | add == 0'

# By uprobes: each entry of the handler that finds a request, each request.
io0 100000
setup uprobes 1 io0 "requests=2000" "--uprobes" "${iothread[@]}" "${disk0_slow[@]}" $on_io0
for name in uprobes two-queues; do
	check "$name: arrivals are the entries of QEMU's handler that found a request" holds $name \
		'[.queues[] | [.queue, .arrivals, .arrivals_evidence]] ==
			[$truth.queues[] | [.queue, .arrivals, "exact"]]'
done
share uprobes
check "uprobes: requests are the guest's" holds uprobes \
	"([.queues[].requests] | add) == $(guest_value uprobes requests)"
check "uprobes: service, io and irq are exact" holds uprobes \
	'[.stages[] | select(.name == "service" or .name == "io" or .name == "irq") |
		.evidence == "exact" and .count > 0] | all'

# The guest resets the disk again and again: QEMU takes its eventfds away and makes new ones.
tries=1
io0 32768
setup resets 1 io0 "requests=4000 iodepth=4 resets=20" "" "${iothread[@]}" "${disk0[@]}" $on_io0
check "resets: all of them" equal "$(guest_value resets resets)" 20
check "resets: the queue keeps its row" holds resets '.queues | length == 1'

# Killed in the middle: what was counted so far is reported.
traced killed io0 "runtime=50" "" "${iothread[@]}" "${disk0[@]}" $on_io0
check "killed: kicks are seen" wait_for 20 grep -q 'kicks [1-9]' "$tmp/killed.lines"
qemu_kill
wait "$tracer"
check "killed: the tracer ends by itself, with a report" equal "$?" 0
check "killed: with what it has seen" jq -e '[.queues[].kicks] | add > 0' "$tmp/killed.json"

done_testing
