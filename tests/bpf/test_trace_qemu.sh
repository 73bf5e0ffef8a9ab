#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` of a VMM that nobody here wrote, Debian's QEMU, against what its guest and its own
# trace events say. The tracer is there before the guest starts: so every kick counts.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/qemu.sh"
handoff=${HANDOFF:?is set by make}
build=${HANDOFF_BUILD:?is set by make}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm cannot be opened"
"$handoff" doctor >/dev/null 2>&1 ||
	skip_all "this host cannot trace: $("$handoff" doctor | grep ^BAD | head -n 1)"
export LC_ALL=C

# trace NAME OPTION...: attaches to $qemu; returns when every event counts: the first line of
# figures is there.
trace() {
	local name=$1
	shift
	"$handoff" trace -p "$qemu" --interval 0.1 --json "$tmp/$name.json" "$@" \
		>"$tmp/$name.lines" 2>"$tmp/$name.err" &
	tracer=$!
	wait_for 30 test -s "$tmp/$name.lines" || {
		echo "# $name: the tracer does not begin:"
		sed 's/^/# /' "$tmp/$name.err"
	}
}

# ended NAME: both have ended, the VM first; $codes: the exit codes of the guest and the tracer.
ended() {
	qemu_wait
	codes=$?
	wait "$tracer"
	codes+=" $?"
	perl "$(dirname "$0")/../lib/qemu_truth.pl" "$tmp/$1.log" >"$tmp/$1.truth"
}

# holds NAME 'jq expression over the report, with $truth'
holds() {
	jq -e --slurpfile truths "$tmp/$1.truth" "\$truths[0] as \$truth | $2" "$tmp/$1.json" \
		>/dev/null || {
		jq -c '{queues: [.queues[] | del(.stages)], losses,
			stages: [.stages[] | [.name, .evidence, .count, .reason]]}' "$tmp/$1.json"
		cat "$tmp/$1.truth" "$tmp/$1.err"
		grep handoff-guest "$tmp/$1.console"
		return 1
	}
}

# Of the queue that the guest has used; it is the only one, or the sum of all.
polled='([.queues[].outcomes.polled] | add) / ([.queues[].arrivals] | add)'
polled_truth='([$truth.queues[].arrivals_polled] | add) / ([$truth.queues[].arrivals] | add)'

# figures NAME QUEUES LOOP-THREAD: what must be true of every traced run that came to its end.
figures() {
	local name=$1 queues=$2 thread=$3 q
	check "$name: kicks are the guest's" holds "$name" \
		"([.queues[].kicks] | add) == $(guest_value "$name" kicks)"
	for ((q = 0; queues > 1 && q < queues; q++)); do
		check "$name: kicks of queue $q are the guest's" holds "$name" \
			"[.queues[] | select(.queue == $q) | .kicks] ==
				[$(guest_value "$name" kicks_q$q)]"
	done
	check "$name: the consumer is the thread that QEMU names" holds "$name" \
		"([\$truth.queues[].tids[]] | unique) == [$thread] and
			(.loops as \$loops | [.queues[] | select(.kicks > 0) | .loop as \$id |
				\$loops[] | select(.id == \$id) | .tid] | unique) == [$thread]"
	check "$name: outcomes add up to arrivals" holds "$name" \
		'[.queues[] | .arrivals == ([.outcomes[]] | add)] | all'
	check "$name: what kicks met adds up to kicks" holds "$name" \
		'[.queues[] | .kicks ==
			(.kick_classes | .asleep + .awake + .coalesced + .left + .open)] | all'
	check "$name: nothing is lost" holds "$name" '[.losses[]] | add == 0'
}

disk0=(-blockdev "node-name=d0,$qemu_null" -device)
disk0_slow=(-blockdev "node-name=d0,$qemu_null,latency-ns=60000" -device)
on_io0=virtio-blk-pci,id=vblk0,drive=d0,iothread=io0,disable-legacy=on

# in_time NAME SECONDS: the tracer knows the queues before the guest, which waits so long after it
# has started the disk, begins its load. On a busy machine it may be late.
in_time() {
	local ready
	wait_for 20 grep -q "^handoff-guest: ready" "$tmp/$1.console" || return
	ready=${EPOCHREALTIME/./}
	wait_for "$2" grep -q 0xc0007000 "$tmp/$1.lines" &&
		[ $((${EPOCHREALTIME/./} - ready)) -lt $(($2 * 900000)) ]
}

# traced NAME LOOP "WORDS" "TRACE OPTIONS" QEMU-OPTION...: both have begun; $thread is that of LOOP,
# an iothread's id, or main.
traced() {
	local name=$1 loop=$2 words=$3 options=$4 delay
	shift 4
	for delay in 1 2 4 8; do
		qemu_start "$name" "rw=randread completion=irq startdelay=$delay $words" "$@" ||
			return
		thread=$qemu
		[ "$loop" = main ] || thread=$(qemu_thread_of "$loop")
		trace "$name" ${options//SOCKET/$tmp/$name.qmp}
		qemu_go
		in_time "$name" $delay && return
		echo "# $name: the tracer was late"
		qemu_kill
		wait "$tracer"
	done
	return 1
}

# setup NAME QUEUES LOOP "WORDS" "TRACE OPTIONS" QEMU-OPTION...
setup() {
	local name=$1 queues=$2 thread
	shift 2
	traced "$name" "$@" || {
		check "$name: QEMU starts, and is traced" false
		return
	}
	ended "$name"
	check "$name: guest and tracer end well" equal "$codes" "1 0"
	figures "$name" "$queues" "$thread"
}

share() {
	check "$1: polled share within 2 points of QEMU's" holds "$1" \
		"$polled - $polled_truth | . < 0.02 and . > -0.02"
}

io0() {
	iothread=(-object "iothread,id=io0,poll-max-ns=$1")
}

# Six set-ups. From outside a spin shows only where its work interrupts, and before its kick is
# read: so the disk takes no time, or less than the loop spins. Of two queues that is not so for
# each arrival (the guest is awake for the other one's): uprobes see them all.
io0 0
setup never-polls 1 io0 "requests=2000" "" "${iothread[@]}" "${disk0_slow[@]}" $on_io0
io0 32768
setup polls-shortly 1 io0 "requests=4000" "" "${iothread[@]}" "${disk0[@]}" $on_io0
io0 1000000
setup polls-long 1 io0 "requests=2000" "" "${iothread[@]}" "${disk0_slow[@]}" $on_io0
setup main-loop 1 main "requests=2000" "" "${disk0_slow[@]}" \
	virtio-blk-pci,drive=d0,disable-legacy=on
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
