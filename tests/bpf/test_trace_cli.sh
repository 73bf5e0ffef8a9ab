#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` as a command on a VM of `handoff run`: every way it fails and ends, what it prints
# where, and that nothing of it stays.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"

true &
wait $!
failure "a pid that does not exist" "no process $!" "$handoff" trace -p $!
failure "a process that is no VM" "process $$" "$handoff" trace -p $$
failure "no privilege" "CAP_BPF" setpriv --bounding-set=-all --inh-caps=-all "$handoff" trace -p $$

vm one --iothread io0
one=$vmm one_watcher=$watcher
thread=$(ls /proc/$one/task | grep -vx $one | head -n 1)
failure "a thread's number" "thread's number" "$handoff" trace -p "$thread"

trace plain -p $one --duration 1
check "-p: exit 0" equal $status 0
check "-p: nothing on stderr" equal "$(cat "$tmp/plain.err")" ""
check "-p: an interval line" grep -q 'req/s' "$tmp/plain.out"
check "-p: the summary says whose it is" grep -q "^handoff: .* $one (handoff)" "$tmp/plain.out"
check "-p: a report of one VM" holds plain \
	".schema == \"handoff.report/1\" and .vmm.pid == $one and .vmm.alive"
check "-p: as long as it was to be" holds plain \
	'.interval.duration_ns / 1e9 | . >= 0.9 and . < 20'
check "-p: kicks and arrivals are there" holds plain \
	'.queues[0] | .kicks > 0 and .arrivals > 0 and .requests > 0'
check "-p: outcomes add up to arrivals" holds plain \
	'.queues[0] | (.outcomes | add) == .arrivals'
check "-p: kick classes add up to kicks" holds plain '.queues[0] | .kicks as $kicks |
	.kick_classes | .asleep + .awake + .coalesced + .left + .open == $kicks'
check "-p: nothing is lost" holds plain '.losses | .records + .lookups + .maps == 0'

"$handoff" trace -p $one --duration 0.5 --json - >"$tmp/stdout.json" 2>"$tmp/stdout.err"
check "--json -: exit 0" equal $? 0
check "--json -: the report and nothing else" holds stdout ".vmm.pid == $one"
check "--json -: nothing on stderr" equal "$(cat "$tmp/stdout.err")" ""

# With neither -p nor --all: ours, unless others run as well.
trace only --duration 0.5
case $status in
0) check "neither -p nor --all: the only VM" holds only ".vmm.pid == $one" ;;
*) check "neither -p nor --all: lists the VMs" contains "$(cat "$tmp/only.err")" "$one (" ;;
esac

for signal in INT TERM HUP; do
	start $signal -p $one
	kill -$signal $tracer
	wait $tracer
	check "$signal: exit 0" equal $? 0
	check "$signal: ten stage rows" equal \
		"$(grep -cE '^(exit|signal|wake|runq|dispatch|service|io|irq|inject|enter) ' \
			"$tmp/$signal.out")" 10
	check "$signal: a report" holds $signal ".vmm.pid == $one"
	check "$signal: the VM goes on" kill -0 $one
done

start killed -p $one
note $tracer
check "programs and maps are there while it runs" contains "$objects" "prog id"
kill -9 $tracer
wait $tracer 2>/dev/null
check "kill -9: nothing stays in the kernel" settled
check "kill -9: the VM goes on" kill -0 $one
check "kill -9: no half report" not test -e "$tmp/killed.json"
trace after -p $one --duration 0.3
check "kill -9: the next one works" equal $status 0

start ends -p $one
note $tracer
kill -INT $tracer
wait $tracer
check "an end in order: nothing stays in the kernel" settled

# Nobody takes the report: it has detached, and the next signal ends it.
mkfifo "$tmp/fifo.json"
"$handoff" trace -p $one --duration 0.3 --json "$tmp/fifo.json" >"$tmp/fifo.out" 2>&1 &
tracer=$!
wait_for 30 grep -q '^handoff: ' "$tmp/fifo.out"
wait_for 10 grep -q wait_for_partner /proc/$tracer/wchan
kill $tracer
check "a report that nobody takes: a signal ends it" wait_for 10 not kill -0 $tracer
kill -9 $tracer 2>/dev/null
wait $tracer 2>/dev/null

# A reader that has seen enough ends a trace that has no time of its own.
timeout 30 "$handoff" trace -p $one --interval 0.1 2>"$tmp/head.err" | head -n 1 >"$tmp/head.out"
check "a closed pipe: ends it" equal "${PIPESTATUS[0]}" 1
check "a closed pipe: the first line arrived" grep -q 'req/s' "$tmp/head.out"
check "a closed pipe: no complaint" equal "$(cat "$tmp/head.err")" ""
timeout 30 "$handoff" trace -p $one --interval 0.1 --duration 1 --json "$tmp/pipe.json" 2>&1 |
	head -n 1 >"$tmp/head.out"
check "a closed pipe, with a time: the report is whole" holds pipe \
	'.interval.duration_ns > 900000000'
check "output into a full device: exit 1" equal \
	"$("$handoff" trace -p $one --duration 0.3 2>/dev/null >/dev/full; echo $?)" 1

# The target's end is the command's.
start target -p $one
end_vm $one_watcher
check "the VM ends: so does the tracer" wait_for 20 not kill -0 $tracer
wait $tracer
check "the VM ends: exit 0" equal $? 0
check "the VM ends: it is told" holds target '.vmm.alive == false and .queues[0].kicks > 0'
check "the VM ends: no contradiction" not grep -q disagree "$tmp/target.err"
vm four
start slain -p $vmm
kill -9 $vmm
check "the VM is killed: so ends the tracer" wait_for 20 not kill -0 $tracer
wait $tracer
check "the VM is killed: exit 0" equal $? 0
check "the VM is killed: the report is there" holds slain '.vmm.alive == false'
wait $watcher

done_testing
