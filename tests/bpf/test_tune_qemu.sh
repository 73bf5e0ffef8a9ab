#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff tune` on Debian's QEMU: a setting that helps is found, set, judged and put back; and what
# it predicts comes true, by QEMU's own trace events.
#
# The ring is packed: with a split one and EVENT_IDX, QEMU 7.2 does not keep the guest from kicking
# while it polls, and the kick is what a request then takes. QEMU runs at real-time priority, since
# a spin helps nobody whose CPU is another's.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/qemu.sh"
. "$(dirname "$0")/../lib/trace_qemu.sh"
. "$(dirname "$0")/../lib/tune.sh"
build=${HANDOFF_BUILD:?is set by make}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm cannot be opened"
"$handoff" doctor >/dev/null 2>&1 ||
	skip_all "this host cannot trace: $("$handoff" doctor | grep ^BAD | head -n 1)"
chrt -r 1 true 2>/dev/null || skip_all "no leave to run at real-time priority"
export LC_ALL=C
tuner=
trap 'kill -9 $tuner $proxy $qemu 2>/dev/null; rm -rf "$tmp"' EXIT
qemu_realtime=1
# What it does in a minute elsewhere; it is ended long before.
qemu_slow=5

# vm NAME "WORDS": it runs, poll-max-ns 0.
vm() {
	vm=$1
	io0 0
	qemu_start "$1" "rw=randread runtime=280 $2" "${iothread[@]}" "${disk0[@]}" \
		$on_io0,packed=on && qemu_go && wait_for 20 serves
}
serves() {
	[ "$(qemu_requests)" -gt 0 ]
}
setting() {
	qemu_asks qom-get '{"path": "/objects/io0", "property": "poll-max-ns"}'
}
tune() {
	local name=$1
	shift
	rm -f "$tmp/$name.json"
	timeout 60 "$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --json "$tmp/$name.json" "$@" \
		>"$tmp/$name.out" 2>"$tmp/$name.err"
	status=$?
}

# A log of each event takes longer than a request that a spin finds.
events=("${qemu_log[@]}")
qemu_log=()
# Back to back, depth 1: the next request comes when the one before is done.
vm fast "" || skip_all "QEMU does not start: $(tail -n 1 "$tmp/fast.console")"
tune dry --duration 1
check "dry run: exit 0" equal "$status$(cat "$tmp/dry.err")" 0
check "dry run: nothing is set" equal "$(setting)" 0
check "dry run: today's setting is QEMU's" says dry \
	'.today == {evidence: "exact", max_ns: 0, reason: null, policy: "qemu"}'
check "dry run: a spin is advised, with the command" says dry \
	'.advice.action == "set" and (.advice.max_ns as $ns | .commands.qmp | fromjson |
		.execute == "qom-set" and .arguments == {path: "/objects/io0",
			property: "poll-max-ns", value: $ns})'
check "dry run: the guest may kick all the same while QEMU polls" says dry \
	'.advice.max_ns as $ns | .curve[] | select(.max_ns == $ns) |
		.kicks_per_s_most > 10 * .kicks_per_s'
check "dry run: that is said" grep -q '^  kicks: .*/s is the least; up to ' "$tmp/dry.out"
check "dry run: the loop is closed, and it warns" says dry \
	'.arrivals == "closed" and (.advice.sure | contains("CLOSED LOOP"))'

tune keep --duration 1 --apply --keep
check "--keep: exit 0" equal "$status$(cat "$tmp/keep.err")" 0
check "--keep: it was better" says keep '.trial.outcome == "kept"'
kept=$(setting)
check "--keep: the setting stays" equal "$kept" \
	"$(jq '.loops[] | select(.id == "io0") | .advice.max_ns' "$tmp/keep.json")"
# Another's work on the CPUs in one of two seconds is not the setting's: five in turn.
turns() {
	for _ in 1 2 3 4 5; do
		set_to 0
		printf '%s ' "$(qemu_rate)"
		set_to "$kept"
		qemu_rate
	done
}
# check_faster NAME FILE: five lines of requests a second before and after, by their median. By how
# much is for `make bench-tune` to tell: a request that is polled for takes a few handings-over of a
# cache line between two CPUs, which takes a host twice as long at some times as at others.
check_faster() {
	awk '$1 > 0 { print $2 / $1 }' "$2" | sort -n >"$tmp/ratios"
	check "$1" awk '{ a[NR] = $1 } END { exit !(NR == 5 && a[3] > 1) }' "$tmp/ratios"
	echo "# requests a second before and after: $(paste -sd' ' "$2");" \
		"times as many: $(paste -sd' ' "$tmp/ratios")"
}
turns >"$tmp/turns"
check_faster "--keep: requests come faster" "$tmp/turns"

# Its spins leave no trace: this guest takes no interrupts.
tune hidden --duration 1
check "what spins hide is no ground for advice" says hidden \
	'.gaps.spins_hidden and .advice.action == "none"'
set_to 1
tune unhide --duration 1 --apply
check "--apply looks behind the spins" says unhide \
	'.gaps.spins_hidden == false and .trial.outcome == "kept"'
check "--apply: what was found is back" equal "$(setting)" 1

# applies: five times, with what it says of the requests in a second before and after.
applies() {
	for _ in 1 2 3 4 5; do
		set_to 0
		tune apply --duration 1 --apply
		equal "$status$(cat "$tmp/apply.err")$(setting)" 00 || return
		jq -r '.loops[] | select(.id == "io0") | .trial |
			"\(.before.requests_per_s) \(.observed.requests_per_s)"' \
			"$tmp/apply.json" >>"$tmp/applied"
	done
}
check "--apply: exit 0, and what was found is back" applies
check "--apply: predicted beside observed" says apply \
	'.trial | .predicted.hit_share > 0.9 and .observed.hit_share > 0.9'
check_faster "--apply: requests came faster" "$tmp/applied"

# Stopped in the middle of a trial.
set_is() {
	[ "$(setting)" -"$1" "$2" ]
}
for signal in INT TERM; do
	set_to 0
	"$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --duration 5 --apply --keep \
		>"$tmp/$signal.out" 2>"$tmp/$signal.err" &
	tuner=$!
	check "$signal: in the middle of a trial" wait_for 40 set_is gt 0
	kill -$signal $tuner
	wait $tuner
	check "$signal: exit 0" equal $? 0
	check "$signal: what was found is back, --keep or not" equal "$(setting)" 0
done

set_to 0
# A socket that breaks while a setting is tried: it cannot be put back, and that is said.
socat "UNIX-LISTEN:$tmp/proxy,fork" "UNIX-CONNECT:$tmp/$vm.qmp" &
proxy=$!
wait_for 10 test -S "$tmp/proxy"
"$handoff" tune -p "$qemu" --qmp "$tmp/proxy" --duration 5 --apply >"$tmp/broken.out" \
	2>"$tmp/broken.err" &
tuner=$!
check "a broken socket: in the middle of a trial" wait_for 40 set_is gt 0
pkill -9 -P $proxy
kill -9 $proxy
wait $tuner
check "a broken socket: exit 1" equal $? 1
check "a broken socket: what stays set is said" grep -q \
	'poll-max-ns of io0 may not be 0 again' "$tmp/broken.err"
check "a broken socket: no result is pretended" equal "$(cat "$tmp/broken.out")" ""
set_to 0

# A VM that answers nothing for longer than we wait: its socket is then the guard's.
"$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --duration 5 --apply >"$tmp/stood.out" \
	2>"$tmp/stood.err" &
tuner=$!
check "a VM that stands still: in the middle of a trial" wait_for 40 set_is gt 0
kill -STOP "$qemu"
check "a VM that stands still: that is said" wait_for 20 grep -q 'may not be 0 again' \
	"$tmp/stood.err"
kill -CONT "$qemu"
wait $tuner
check "a VM that stands still: exit 1" equal $? 1
check "a VM that stands still: what was found is back when it goes on" equal "$(setting)" 0

# What somebody else sets while something is tried is his.
"$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --duration 5 --apply >"$tmp/other.out" \
	2>"$tmp/other.err" &
tuner=$!
wait_for 40 set_is gt 0
set_to 4242
kill -INT $tuner
wait $tuner
check "--apply: what somebody else has set meanwhile stays" equal "$?$(setting)" 04242
set_to 0
"$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --duration 5 --apply --keep >"$tmp/other.out" \
	2>"$tmp/other.err" &
tuner=$!
wait_for 40 set_is gt 0
set_to 4242
wait $tuner
check "--apply: what another setting brought is not judged" equal "$?$(setting)" 14242
check "--apply: that is said" grep -q 'is 4242.*somebody else sets it too' "$tmp/other.err"
set_to 0

# Kept right, with another client who sets it, too. Its spins leave no trace: it looks behind them.
watched() {
	"$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --watch --interval 1 --json - \
		>"$tmp/$1.out" 2>"$tmp/$1.err" &
	tuner=$!
	wait_for 30 pgrep -P $tuner
	guard=$(pgrep -P $tuner)
}
taken() {
	set_to 4242
	grep -q 'somebody else has set it' "$tmp/taken.out"
}
watched taken
check "--watch: it raises poll-max-ns" wait_for 60 set_is gt 0
check "--watch: and keeps what is better" wait_for 100 grep -q '"action":"keep"' "$tmp/taken.out"
check "--watch: what somebody else sets is seen" wait_for 60 taken
check "--watch: it looks behind the spins" wait_for 60 grep -q '"action":"look"' "$tmp/taken.out"
kill -INT $tuner
wait $tuner
check "--watch: exit 0" equal "$?$(cat "$tmp/taken.err")" 0
check "--watch: what somebody else has set is gone back to" equal "$(setting)" 4242
set_to 0
watched killed
check "kill -9: in the middle" wait_for 60 caught
kill -9 $tuner
wait $tuner 2>/dev/null
check "kill -9: what was found is back" wait_for 30 set_is eq 0
check "kill -9: nobody is left" wait_for 30 not kill -0 $guard
check "kill -9: it is said" grep -q 'its guard: poll-max-ns of io0 is 0 again' "$tmp/killed.err"

# Another VM's socket.
failed() {
	! "$handoff" tune -p "$1" --qmp "$tmp/$vm.qmp" --duration 0.2 >"$tmp/out" 2>"$tmp/err"
}
"$handoff" run --blk null,size=64M --load "rw=randread thinktime=fixed:500us runtime=280" \
	>"$tmp/own" 2>&1 &
own=$!
wait_for 20 grep -q ready "$tmp/own"
check "another VM's socket: exit 1" failed "$(pgrep -P $own)"
check "another VM's socket: is told" grep -q "another VM's socket" "$tmp/err"
kill -INT $own
wait $own

# The VM ends in the middle.
"$handoff" tune -p "$qemu" --qmp "$tmp/$vm.qmp" --duration 5 --apply >"$tmp/ends.out" \
	2>"$tmp/ends.err" &
tuner=$!
wait_for 40 set_is gt 0
qemu_kill
wait $tuner
check "the VM ends: exit 1" equal $? 1
check "the VM ends: it is said" grep -q 'has ended meanwhile' "$tmp/ends.err"
tuner=

# hits: of the requests of half a second, those that a spin found, by QEMU's own events.
hits() {
	local from to
	# The rule grows into a new setting.
	sleep 0.1
	from=$(stat -c %s "$tmp/$vm.log")
	sleep 0.5
	to=$(stat -c %s "$tmp/$vm.log")
	tail -c "+$((from + 1))" "$tmp/$vm.log" | head -c $((to - from)) | awk '
		/run_poll_handlers_begin/ { hit = 0 }
		/run_poll_handlers_end/ { hit = /progress 1/ }
		/virtio_blk_handle_read/ { n++; hits += hit; hit = 0 }
		END { print n ? hits / n : -1 }'
}
round() {
	local measured
	tune round.before --duration 0.5
	set_to "$1"
	measured=$(hits)
	set_to 0
	tune round.after --duration 0.5
	echo "$(predicted round "$1") $measured"
}
# honest NAME THINKTIME MAX-NS...
honest() {
	local max_ns
	vm "$1" "thinktime=$2"
	for max_ns in "${@:3}"; do
		check_honest "thinktime=$2" "$max_ns"
	done
	qemu_kill
}
qemu_log=("${events[@]}")
honest fixed fixed:60us 32768 256000
honest exp exp:100us 64000 256000 768000
honest short exp:20us 32768 96000 256000

done_testing
