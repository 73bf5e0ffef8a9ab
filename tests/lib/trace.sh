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
# queues of both: {r, t}, by address and, where that is shared, by number.
trace_holds() {
	local pairs='def pairs: [$t.queues[] as $q | {t: $q, r: ($r.queues |
		map(select(.gpa == $q.address)) |
		if length > 1 then map(select(.queue == $q.queue)) else . end | first)}];'
	local loop='def loop_of($q): $r.loops | map(select(.id == $q.loop)) | first;'
	jq -en --slurpfile rs "$tmp/$1.json" --slurpfile ts "$tmp/$1.truth" \
		"\$rs[0] as \$r | \$ts[0] as \$t | $pairs $loop $2" >/dev/null || {
		jq -c '[.queues[] | del(.stages) | del(.. | .reason?)], [.loops[] | del(.stages)],
			.losses, .alarms, .io.by_address' "$tmp/$1.json"
		cat "$tmp/$1.truth" "$tmp/$1.err"
		return 1
	}
}
