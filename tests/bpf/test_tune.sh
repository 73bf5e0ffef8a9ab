#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff tune` as a command: every way it fails, and what it says of a VM of `handoff run`.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
. "$(dirname "$0")/../lib/tune.sh"

bad() {
	local name=$1 words=$2
	shift 2
	"$handoff" tune "$@" >"$tmp/out" 2>"$tmp/err"
	check "$name: exit 2" equal $? 2
	check "$name: says why" contains "$(cat "$tmp/err")" "$words"
}
bad "no -p" "which VM?"
bad "two VMs" "one VM" -p 1 -p 2
bad "--apply without a socket" "give --qmp" -p 1 --apply
bad "--keep without --apply" "of --apply" -p 1 --keep
bad "two goals" "two goals" -p 1 --budget 10% --latency-weight 2
bad "a budget that is no share" "write 10%" -p 1 --budget 10
bad "a weight that is none" "not a weight" -p 1 --latency-weight -1
bad "no time at all" "too short" -p 1 --duration 0
bad "two documents on standard output" "both want standard output" -p 1 --json - --svg -
bad "--watch without a socket" "give --qmp" -p 1 --watch
bad "--watch and --apply" "leave out --apply" -p 1 --qmp x --watch --apply
bad "--watch and --svg" "does not go with --watch" -p 1 --qmp x --watch --svg y
bad "--interval without --watch" "is of --watch" -p 1 --interval 1
bad "no whole interval" "nothing would be decided" -p 1 --qmp x --watch --duration 1
bad "a limit that is none" "not a poll-max-ns" -p 1 --max 0

true &
wait $!
failure "a pid that does not exist" "no process $!" "$handoff" tune -p $!
failure "a process that is no VM" "process $$" "$handoff" tune -p $$
failure "no privilege" "CAP_BPF" setpriv --bounding-set=-all --inh-caps=-all "$handoff" tune -p $$
failure "a report that cannot be written" "--json" "$handoff" tune -p $$ --json /nowhere/x
failure "a picture that cannot be written" "--svg" "$handoff" tune -p $$ --svg /nowhere/x

served one 0 thinktime=fixed:300us
failure "no such socket" "no such socket" "$handoff" tune -p $vmm --qmp "$tmp/none" --duration 0.1
failure "--apply at no socket" "no such socket" \
	"$handoff" tune -p $vmm --qmp "$tmp/none" --apply --duration 0.1

# tune NAME arguments...: leaves $tmp/NAME.out, .err, .json and $status.
tune() {
	local name=$1
	shift
	timeout 120 "$handoff" tune --json "$tmp/$name.json" "$@" >"$tmp/$name.out" \
		2>"$tmp/$name.err"
	status=$?
}

# start_tune NAME: one that measures.
start_tune() {
	"$handoff" tune -p $vmm --duration 60 >"$tmp/$1.out" 2>"$tmp/$1.err" &
	tracer=$!
	wait_for 30 is_armed
}
# Its programs are attached last to first: the VMM has heard of the first.
is_armed() {
	note $tracer && contains "$objects" "link id"
}

tune asleep -p $vmm --duration 2 --svg "$tmp/asleep.svg"
check "ours: exit 0" equal $status 0
check "ours: no complaint" equal "$(cat "$tmp/asleep.err")" ""
check "ours: the schema" jq -e '.schema == "handoff.tune/1" and .applied == false' \
	"$tmp/asleep.json"
check "ours: today's setting is known without a socket" says asleep \
	'.today.evidence == "exact" and .today.max_ns == 0'
check "ours: waits were measured, and what a wake takes" says asleep \
	'.gaps.count > 200 and .gaps.wakes > 200 and .gaps.wake_mean_ns > 0'
check "ours: waits are the guest's think time at least" says asleep '.gaps.p50_ns > 250000'
check "ours: the curve rises" says asleep '[.curve[].max_ns] | . == sort'
check "ours: no spin of 100 us finds what comes after 300" says asleep \
	'.curve[] | select(.max_ns == 96000) | .hit_share < 0.05'
check "ours: a spin keeps the guest from kicking" says asleep \
	'[.curve[] | .kicks_per_s_most == .kicks_per_s] | all'
check "ours: no word of kicks all the same" not grep -q '^ *kicks:' "$tmp/asleep.out"
check "ours: text has a row for each point" test \
	"$(grep -cE '^ +[0-9]+ +[0-9.]+% ' "$tmp/asleep.out")" -ge 17
check "ours: text marks today's" grep -q '^ *0 .* today' "$tmp/asleep.out"
check "ours: it says that nothing was changed" grep -q '^Nothing was changed' "$tmp/asleep.out"
"$handoff" tune -p $vmm --duration 0.3 --json - >"$tmp/stdout.json" 2>"$tmp/stdout.err"
check "--json -: the document and nothing else" jq -e '.schema == "handoff.tune/1"' \
	"$tmp/stdout.json"
# drawn FILE: four charts, with the setting of today marked in each.
drawn() {
	equal "$(head -n 1 "$1")" '<?xml version="1.0" encoding="UTF-8"?>' &&
		equal "$(tail -n 1 "$1")" '</svg>' &&
		equal "$(grep -c '^<polyline ' "$1")" 4 &&
		equal "$(grep -c '>today 0<' "$1")" 4
}
check "--svg: a picture of the curve" drawn "$tmp/asleep.svg"
"$handoff" tune -p $vmm --duration 1 --svg - >"$tmp/stdout.svg" 2>"$tmp/stdout.err"
check "--svg -: the picture and nothing else" drawn "$tmp/stdout.svg"
"$handoff" tune -p $vmm --duration 0.3 --max 3us --json - >"$tmp/max.json" 2>"$tmp/max.err"
check "--max: none above it is advised" says max '.advice.max_ns <= 3000'
check "output into a full device: exit 1" equal \
	"$("$handoff" tune -p $vmm --duration 0.3 2>/dev/null >/dev/full; echo $?)" 1
start_tune stopped
kill -INT $tracer
check "Ctrl-C: ends it" wait_for 20 not kill -0 $tracer
wait $tracer
check "Ctrl-C: exit 0" equal $? 0
check "Ctrl-C: what was seen so far is told" grep -q '^handoff: tune ' "$tmp/stopped.out"

# Set by QMP and put back.
tune applied -p $vmm --qmp "$tmp/one.qmp" --duration 2 --apply --latency-weight 100
check "ours, --apply: exit 0" equal "$status$(cat "$tmp/applied.err")" 0
check "ours, --apply: latency is worth a spin" says applied \
	'.advice.action == "set" and .advice.max_ns > 0'
check "ours, --apply: predicted beside observed" says applied \
	'.trial | (.outcome == "kept" or .outcome == "rolled back") and
		.predicted.max_ns == .observed.max_ns and .observed.waits > 0'
tune after -p $vmm --qmp "$tmp/one.qmp" --duration 0.3
check "ours, --apply: what was found is back" says after '.today.max_ns == 0'
end_vm $watcher

# One that spins tells how long its spins took. It sleeps in the pauses: of a loop that never does,
# what a wake takes is not seen, and there is no curve.
served two 1000000 thinktime=burst:50@5ms
tune awake -p $vmm --duration 2
check "ours, spinning: exit 0" equal $status 0
check "ours, spinning: today is on the curve" says awake \
	'.today.max_ns == 1000000 and (.curve | map(.max_ns) | index(1000000))'
check "ours, spinning: what spins found is among the waits" says awake \
	'.gaps.count > 50 and .gaps.spins_hidden == false'
start_tune gone
kill -9 $vmm
check "the VM is killed: so ends it" wait_for 20 not kill -0 $tracer
wait $tracer
check "the VM is killed: exit 1" equal $? 1
check "the VM is killed: it is said" grep -q 'has ended meanwhile' "$tmp/gone.err"
wait $watcher

done_testing
