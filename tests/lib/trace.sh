# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` on a tiny VMM, after tap.sh and tiny.sh. `trace_run NAME COMMANDS option...` runs
# the VMM's commands (tiny.sh) while it is traced, and leaves $tmp/NAME.truth by the VMM and
# $tmp/NAME.json by the tracer, whose exit status is in $status. $trace_options are the tracer's.
handoff=${HANDOFF:?is set by make}
trace_options=()

# The tracer has printed so many intervals.
trace_ticks() {
	[ "$(grep -c 'p50/p99:' "$tmp/$1.out")" -ge "$2" ]
}

# trace_start NAME PID: returns when everything counts.
trace_start() {
	"$handoff" trace -p "$2" --interval 0.2 --json "$tmp/$1.json" "${trace_options[@]}" \
		>"$tmp/$1.out" 2>"$tmp/$1.err" &
	tracer=$!
	wait_for 30 trace_ticks "$1" 1 || {
		cat "$tmp/$1.out" "$tmp/$1.err"
		return 1
	}
}

trace_end() {
	kill -INT "$tracer"
	wait "$tracer"
	status=$?
}

# trace_commands NAME COMMAND...: with = for a space. `look` is none of the VMM's: the tracer looks
# at it for another second.
trace_commands() {
	local name=$1 command
	shift
	for command; do
		if [ "$command" = look ]; then
			wait_for 30 trace_ticks "$name" \
				$(($(grep -c 'p50/p99:' "$tmp/$name.out") + 5))
		else
			tiny "$name" "${command//=/ }" || return
		fi
	done
}

trace_run() {
	local name=$1 commands=$2 bad=
	shift 2
	tiny_start "$name" "$@" || return
	trace_start "$name" "$tiny_pid" || bad=1
	# shellcheck disable=SC2086
	[ "$bad" ] || trace_commands "$name" $commands || bad=1
	trace_end
	tiny_end "$name" || bad=1
	[ ! "$bad" ] && equal "$status" 0 || {
		cat "$tmp/$name.out" "$tmp/$name.err"
		return 1
	}
}

# trace_holds NAME "jq expression of $r (report) and $t (truth) that must be true". `pairs` are the
# queues of both: {r, t}, by address and, where that is shared, by number; loop_of(a report's
# queue) and alarm(its kind) are what they say.
trace_holds() {
	local pairs='def pairs: [$t.queues[] as $q | {t: $q, r: ($r.queues |
		map(select(.gpa == $q.address)) |
		if length > 1 then map(select(.queue == $q.queue)) else . end | first)}];'
	local loop='def loop_of($q): $r.loops | map(select(.id == $q.loop)) | first;'
	local alarm='def alarm(kind): $r.alarms | map(select(.kind == kind)) | first;'
	jq -en --slurpfile rs "$tmp/$1.json" --slurpfile ts "$tmp/$1.truth" \
		"\$rs[0] as \$r | \$ts[0] as \$t | $pairs $loop $alarm $2" >/dev/null || {
		jq -c '(.queues, .loops)[] | del(.stages) | with_entries(select(.key |
			test("_reason$|poll|account|requests|completions|vmm|errors") | not))' \
			"$tmp/$1.json"
		jq -c '.losses, .alarms, .io.by_address' "$tmp/$1.json"
		jq -c '(.queues, .consumers)[]' "$tmp/$1.truth"
		cat "$tmp/$1.err"
		return 1
	}
}

# How each style waits, in the report's words.
declare -A trace_how=([epoll]='"epoll"' [ppoll]='"ppoll"' [uring-poll]='"io_uring"'
	[uring-read]='"io_uring"' [read]='"read"' [busy]=null [spin]=null [adaptive]='"ppoll"')

# What is true of every healthy VMM.
trace_kicks='pairs | all(.r.kicks == .t.kicks and .r.kicks_evidence == "exact" and .t.kicks > 0)'
trace_classes='$r.queues
	| all((.kick_classes | .asleep + .awake + .coalesced + .open + .left) == .kicks)'
# What a spin found may have left no trace.
trace_outcomes='$r.queues | all(if .outcomes.polled == null then .arrivals == null
	else ([.outcomes[]] | add) == .arrivals end)'
trace_irqs='pairs | all(.r.injected == .t.irqs)'
trace_threads='pairs | all(loop_of(.r).tid == .t.tid)'
# Kicks whose eventfd was read, read by read.
trace_arrivals='pairs | all((.r.outcomes | .notified + .busy + .lost) == .t.reads)'

trace_healthy() {
	local name=$1
	check "$name: kicks, queue by queue, are the guest's" trace_holds "$name" "$trace_kicks"
	check "$name: what kicks met adds up to kicks" trace_holds "$name" "$trace_classes"
	check "$name: outcomes add up to arrivals" trace_holds "$name" "$trace_outcomes"
	check "$name: interrupts, queue by queue, are the VMM's" trace_holds "$name" "$trace_irqs"
	check "$name: each queue has the thread that serves it" trace_holds "$name" "$trace_threads"
	check "$name: nothing is lost" trace_holds "$name" '[$r.losses[]] | add == 0'
	check "$name: no alarm" trace_holds "$name" '$r.alarms == []'
}
