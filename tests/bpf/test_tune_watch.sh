#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff tune --watch` on a VM of `handoff run`: it sets what its load asks for and no more, and
# puts it back however it ends, also by kill -9, which goes for --apply as well. A ns of latency is
# worth 100 of CPU here, so that a spin is better beside other work, too.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
. "$(dirname "$0")/../lib/tune.sh"

# watch NAME arguments...: one that runs, in a process group of its own. $tuner, $guard.
watch() {
	local name=$1
	shift
	setsid "$handoff" tune -p $vmm --qmp "$tmp/$vm.qmp" --latency-weight 100 "$@" \
		>"$tmp/$name.out" 2>"$tmp/$name.err" &
	tuner=$!
	tracer=$!
	wait_for 30 pgrep -P $tuner
	guard=$(pgrep -P $tuner)
}
# The setting, which our VMM tells whoever may look at its statistics; its socket is taken.
setting() {
	"$handoff" tune -p $vmm --duration 0.1 --json - 2>/dev/null |
		jq '.loops[] | select(.id == "io0") | .today.max_ns'
}
set_is() {
	[ "$(setting)" -"$1" "$2" ]
}
# decided NAME ACTION: it has.
decided() {
	grep -q "\"action\":\"$2\"" "$tmp/$1.out"
}
# lines NAME "jq expression of all its lines that must be true"
lines() {
	jq -se "$2" "$tmp/$1.out" >/dev/null || {
		jq -c 'del(.observed, .predicted)' "$tmp/$1.out"
		cat "$tmp/$1.err"
		return 1
	}
}
ended() {
	wait_for 30 not kill -0 "$1"
}

vm=one
served $vm 0 thinktime=fixed:50us
for signal in INT TERM; do
	watch $signal --watch --interval 0.5 --json -
	check "$signal: it raises poll-max-ns" wait_for 60 decided $signal set
	check "$signal: which the VM then has" wait_for 60 set_is gt 0
	# As by Ctrl-C: each process of the group has it.
	kill -$signal -- -$tuner
	wait $tuner
	check "$signal: exit 0" equal "$?$(cat "$tmp/$signal.err")" 0
	check "$signal: what was found is back" equal "$(setting)" 0
	check "$signal: nobody is left" ended $guard
	check "$signal: the last line is the summary" lines $signal \
		'last | .event == "end" and .reason == "stopped" and .kept == false and
			.loops[0].id == "io0" and .loops[0].found_ns == 0 and .loops[0].tried > 0'
	check "$signal: a line is an interval's decision" lines $signal \
		'.[:-1] | length > 0 and all(.event == "decision" and .loop == "io0" and
			.schema == "handoff.tune-watch/1" and .why != "")'
	check "$signal: each goes on from where the one before has led" lines $signal \
		'.[:-1] | [.[1:], .[:-1]] | transpose | all(.[0].from_ns == .[1].to_ns)'
	check "$signal: none is above the limit" lines $signal '.[:-1] | all(.to_ns <= 256000)'
done

# Killed, and nobody but the guard is left to put it back.
watch killed --watch --interval 0.5 --json -
check "kill -9: in the middle" wait_for 60 caught
kill -9 $tuner
wait $tuner 2>/dev/null
check "kill -9: what was found is back" wait_for 30 set_is eq 0
check "kill -9: nobody is left" ended $guard
check "kill -9: it is said" grep -q 'its guard: poll-max-ns of io0 is 0 again' "$tmp/killed.err"

# A trial lasts as long as a measurement: where it was missed, once more.
for _ in 1 2 3 4 5 6; do
	watch apply --apply --duration 4
	while kill -0 $tuner 2>/dev/null && ! caught; do :; done
	kill -9 $tuner 2>/dev/null
	wait $tuner 2>/dev/null
	ended $guard
	grep -q 'its guard: poll-max-ns of io0 is 0 again' "$tmp/apply.err" && break
done
check "kill -9 of --apply: its guard has put it back" grep -q \
	'its guard: poll-max-ns of io0 is 0 again' "$tmp/apply.err"
check "kill -9 of --apply: what was found is back" equal "$(setting)" 0

watch unguarded --watch --interval 3 --json -
kill -9 $guard
wait $tuner
check "the guard is killed: nothing is changed any more, exit 1" equal $? 1
check "the guard is killed: why" grep -q 'has been stopped or killed' "$tmp/unguarded.err"
check "the guard is killed: what was found is there" equal "$(setting)" 0

"$handoff" tune -p $vmm --qmp "$tmp/$vm.qmp" --watch --interval 0.3 --duration 2 --max 4us \
	>"$tmp/text.out" 2>"$tmp/text.err"
check "--duration: exit 0" equal "$?$(cat "$tmp/text.err")" 0
check "text: the limit is told" grep -q '^handoff: tune --watch .* 4000 at most' "$tmp/text.out"
check "text: a line for each decision" grep -qE \
	'^ +[0-9.]+s io0 +0 +[0-9.?]+%? .* hold: ' "$tmp/text.out"
check "text: how it ended" grep -q 'ended: duration' "$tmp/text.out"
check "text: what is set now" grep -q '^What was set is as it was found' "$tmp/text.out"
check "text: what came of it" grep -q '^io0: 0 when it began, 0 at last' "$tmp/text.out"
timeout 100 "$handoff" tune -p $vmm --qmp "$tmp/$vm.qmp" --watch --interval 0.2 2>"$tmp/head.err" |
	head -n 1 >"$tmp/head.out"
check "a reader that goes ends it" equal "${PIPESTATUS[0]}" 1
"$handoff" tune -p $vmm --qmp "$tmp/$vm.qmp" --watch --interval 0.2 --duration 1 --json /dev/full \
	>"$tmp/full.out" 2>"$tmp/full.err"
check "a full disk: exit 1" equal $? 1
check "a full disk: what was found is back" equal "$(setting)" 0
check "a full disk: is said once" equal "$(grep -c 'No space left' "$tmp/full.err")" 1

# What was judged to be better stays.
watch kept --watch --interval 0.5 --keep --json -
check "--keep: something is better" wait_for 100 decided kept keep
kill -TERM $tuner
wait $tuner
check "--keep: exit 0" equal $? 0
check "--keep: what was kept last stays set" equal "$(setting)" \
	"$(jq -s '[.[] | select(.action == "keep")] | last | .to_ns' "$tmp/kept.out")"
check "--keep: the summary says so" lines kept 'last | .kept and .loops[0].kept > 0'

watch gone --watch --interval 0.5 --json -
check "the VM ends: in the middle" wait_for 60 test -s "$tmp/gone.out"
kill -9 $vmm
wait $tuner
check "the VM ends: exit 0, since that is how it may end" equal "$?$(cat "$tmp/gone.err")" 0
check "the VM ends: the last line says so" lines gone 'last | .reason == "vm ended"'
check "the VM ends: nobody is left" ended $guard
wait $watcher

# None to set.
"$handoff" run --qmp "unix:$tmp/none.qmp" --blk null,size=64M \
	--load "rw=randread thinktime=fixed:500us runtime=600" >"$tmp/none.vm" 2>&1 &
watcher=$!
wait_for 20 grep -q ready "$tmp/none.vm"
vmm=$(pgrep -P $watcher)
vms+=("$watcher" "$vmm")
failure "no iothread" "it has no iothread" "$handoff" tune -p $vmm --qmp "$tmp/none.qmp" --watch
end_vm $watcher

done_testing
