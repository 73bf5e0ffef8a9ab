# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` on QEMU, after tap.sh and qemu.sh. `traced` and `ended` run both and leave files
# $tmp/NAME.*; `figures` and `holds` judge the report (.json) by what the guest says (.console) and
# QEMU's own trace events (.log), which takes perl: on another machine, if need be.
handoff=${HANDOFF:?is set by make}
trace_options=(--interval 0.1)
# Seconds between the start of the disk and its first request, in which the tracer has to learn of
# it: the next where one was too short.
trace_delays=(1 2 4 8)

# trace NAME OPTION...: attaches to $qemu; returns when every event counts: the first line of
# figures is there.
trace() {
	local name=$1
	shift
	rm -f "$tmp/$name."{json,lines,err,truth}
	"$handoff" trace -p "$qemu" "${trace_options[@]}" --json "$tmp/$name.json" "$@" \
		>"$tmp/$name.lines" 2>"$tmp/$name.err" &
	tracer=$!
	wait_for $((30 * qemu_slow)) test -s "$tmp/$name.lines" || {
		echo "# $name: the tracer does not begin:"
		sed 's/^/# /' "$tmp/$name.err"
	}
}

knows() {
	grep -qE '0xc0007000|vblk' "$tmp/$1.lines"
}

has_begun() {
	grep -q virtio_blk_handle_ "$tmp/$1.log"
}

# The tracer knows the queues before the guest's first request. On a busy machine it may be late.
in_time() {
	wait_for $((60 * qemu_slow)) eval "knows $1 || has_begun $1"
	knows "$1" && ! has_begun "$1"
}

# traced NAME LOOP "WORDS" "TRACE OPTIONS" QEMU-OPTION...: both have begun; $thread is that of LOOP,
# an iothread's id, or main.
traced() {
	local name=$1 loop=$2 words=$3 options=$4 delay
	shift 4
	for delay in "${trace_delays[@]}"; do
		qemu_start "$name" "rw=randread completion=irq startdelay=$delay $words" "$@" ||
			return
		thread=$qemu
		[ "$loop" = main ] || thread=$(qemu_thread_of "$loop")
		# shellcheck disable=SC2086
		trace "$name" ${options//SOCKET/$tmp/$name.qmp}
		qemu_go
		in_time "$name" && return
		echo "# $name: the tracer was late"
		qemu_kill
		wait "$tracer"
	done
	return 1
}

# Both have ended, the VM first; $codes: the exit codes of the guest and the tracer.
ended() {
	qemu_wait
	codes=$?
	wait "$tracer"
	codes+=" $?"
}

# holds NAME 'jq expression over the report, with $truth'
holds() {
	[ "$tmp/$1.truth" -nt "$tmp/$1.log" ] ||
		perl "$(dirname "${BASH_SOURCE[0]}")/qemu_truth.pl" "$tmp/$1.log" >"$tmp/$1.truth"
	jq -e --slurpfile truths "$tmp/$1.truth" "\$truths[0] as \$truth | $2" "$tmp/$1.json" \
		>/dev/null || {
		jq -c '{queues: [.queues[] | del(.stages)], losses,
			stages: [.stages[] | [.name, .evidence, .count, .reason]]}' "$tmp/$1.json"
		cat "$tmp/$1.truth" "$tmp/$1.err"
		grep handoff-guest "$tmp/$1.console"
		return 1
	}
}

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

# The guest's disk and the loop that serves it.
disk0=(-blockdev "node-name=d0,$qemu_null" -device)
disk0_slow=(-blockdev "node-name=d0,$qemu_null,latency-ns=60000" -device)
on_io0=virtio-blk-pci,id=vblk0,drive=d0,iothread=io0,disable-legacy=on
on_main=virtio-blk-pci,drive=d0,disable-legacy=on

io0() {
	iothread=(-object "iothread,id=io0,poll-max-ns=$1")
}

# set_to NS: io0's poll-max-ns, while it runs.
set_to() {
	qemu_asks qom-set "{\"path\": \"/objects/io0\", \"property\": \"poll-max-ns\",
		\"value\": $1}" >/dev/null
}
