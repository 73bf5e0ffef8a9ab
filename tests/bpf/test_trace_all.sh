#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace` on several VMs of `handoff run`, which come and go while it runs.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"

vm one --iothread io0
one=$vmm
vm two
two=$vmm two_watcher=$watcher
trace both -p $one -p $two --duration 1
check "two -p: exit 0" equal $status 0
check "two -p: one document of both" holds both \
	".schema == \"handoff.reports/1\" and [.reports[].vmm.pid] == [$one, $two]"
check "two -p: each has its own kicks" holds both '[.reports[].queues[0].kicks > 0] | all'
check "two -p: lines say whose they are" grep -qE "^$two +[0-9.]+s +disk0\.0" "$tmp/both.out"
check "two -p: two summaries" equal "$(grep -c '^handoff: ' "$tmp/both.out")" 2

(
	ulimit -Sn 120
	trace few -p $one -p $two --duration 0.3
	exit $status
)
check "two take more descriptors than a shell may allow" equal $? 0

failure "neither -p nor --all: which one" "$one (" "$handoff" trace
check "neither -p nor --all: names the other as well" contains "$(cat "$tmp/err")" "$two ("

# --all: one ends, one comes.
start all --all
note $tracer
end_vm $two_watcher
check "--all: says that one has ended" wait_for 10 grep -q "$two has ended" "$tmp/all.err"
vm three
three=$vmm three_watcher=$watcher
check "--all: says that one has come" wait_for 20 grep -q " $three is traced" "$tmp/all.err"
check "--all: the new one has lines" wait_for 10 grep -qE "^$three .* req/s" "$tmp/all.out"
kill -9 $three $three_watcher
check "--all: a VM that is killed has ended" wait_for 10 grep -q "$three has ended" "$tmp/all.err"
kill -INT $tracer
wait $tracer
status=$?
# 6: the figures of a VM that is none of ours contradict each other.
check "--all: exit 0" sh -c "[ $status = 0 ] || [ $status = 6 ]"
check "--all: no contradiction" not grep -E " ($one|$two|$three): figures disagree" "$tmp/all.err"
check "--all: nothing stays in the kernel" settled
check "--all: all three are in the report" holds all \
	"[.reports[].vmm.pid] as \$p | [$one, $two, $three] - \$p == []"
alive() { echo "(.reports[] | select(.vmm.pid == $1) | .vmm.alive)"; }
check "--all: who has ended is told" holds all \
	"$(alive $one) and ($(alive $two) | not) and ($(alive $three) | not)"
check "--all: who has ended keeps its figures" holds all \
	".reports[] | select(.vmm.pid == $two) | .queues[0].kicks > 0"

trace all_json --all --duration 0.5
check "--all: a list also of one" holds all_json '.schema == "handoff.reports/1"'

done_testing
