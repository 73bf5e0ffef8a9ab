#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The ends of `handoff run` that are not the plain one, and what it says of figures nobody measured.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
null=(--blk "null,size=64M")

# run arguments...: leaves $tmp/out, $tmp/err and $status.
run() {
	"$handoff" run "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

for load in rw=frob frob=1 runtime=soon size=1G "requests=$(printf '%02100d' 1)"; do
	run "${null[@]}" --load "$load"
	check "load ${load:0:20}: exit 2" equal $status 2
	check "load ${load:0:20}: one line" equal "$(wc -l <"$tmp/err") $(wc -l <"$tmp/out")" "1 0"
done
check "a bad load is named by its option" contains "$(cat "$tmp/err")" "--load: "

# Whatever is not measured without --trace is not there. At this depth the loop also finds work when
# it looks again, which only the VMM sees.
run "${null[@]}" --load "rw=randread iodepth=8 requests=20000" --json "$tmp/plain.json"
plain() { jq -e "$1" "$tmp/plain.json"; }
check "untraced: exit 0" equal $status 0
check "untraced: the VMM's counts are there" plain '.queues[0] | .arrivals > 0 and .kicks > 0'
check "untraced: no busy, lost or wasted figures" plain \
	'.queues[0] | [.outcomes.busy, .outcomes.lost, .wasted_kicks] | all(. == null)'
check "untraced: outcomes add up to arrivals" plain \
	'.queues[0] | (.outcomes | add) == .arrivals'
check "untraced: no figures of the vCPUs' exits" plain \
	'.vcpus[0] | [.exits, .mmio_writes, .pio, .user_exits] | all(. == null)'
check "untraced: the sentence leaves the wasted kicks out" not grep -q "for nothing" "$tmp/out"

run "${null[@]}" --duration 0.3 --load "runtime=60" --json "$tmp/short.json"
check "the time is over: exit 0" equal $status 0
check "the time is over: that is why there is no guest report" contains \
	"$(jq -r .guest.absent "$tmp/short.json")" "time was over"

echo old >"$tmp/report.json"
ln -s report.json "$tmp/link.json"
run "${null[@]}" --load "requests=10" --json "$tmp/link.json"
check "a link to the report stays a link" test -L "$tmp/link.json"
check "and the report is where it points" jq -e .schema "$tmp/report.json"
mkfifo "$tmp/fifo"
run "${null[@]}" --load "requests=10" --json "$tmp/fifo" &
check "a fifo gets the report" sh -c "timeout 20 cat '$tmp/fifo' | jq -e .schema"
wait $!

# Two at once with the defaults: the second one takes an image of its own.
"$handoff" run --duration 60 >"$tmp/first.out" 2>&1 &
first=$!
check "what the guest says is in the file while it runs" wait_for 20 \
	grep -q '^guest: .* ready' "$tmp/first.out"
run --duration 0.2
check "a second run with the defaults: exit 0" equal $status 0
check "a second run with the defaults: no complaint" equal "$(cat "$tmp/err")" ""
kill -INT $first
wait $first
check "the first one ends in order" equal $? 0

# A stopped VMM hears no request to end; asking twice ends it.
"$handoff" run "${null[@]}" --duration 60 >"$tmp/out" 2>"$tmp/err" &
watcher=$!
wait_for 20 grep -q ready "$tmp/out"
vmm=$(pgrep -P $watcher)
kill -STOP "$vmm"
kill -INT $watcher
read -rt 1.2 <> <(:)
kill -INT $watcher
wait $watcher
check "a stopped VMM, asked twice: exit 1" equal $? 1
check "a stopped VMM, asked twice: is gone" not kill -0 "$vmm"

# Signals while it starts: each ends it in order, at whatever point it is.
for delay in 0.01 0.03 0.1; do
	"$handoff" run "${null[@]}" --duration 30 >"$tmp/out" 2>"$tmp/err" &
	watcher=$!
	wait_for 5 pgrep -P $watcher
	read -rt $delay <> <(:)
	kill -TERM $watcher $(pgrep -P $watcher)
	wait $watcher
	check "TERM to both ${delay}s after the fork: exit 0" equal $? 0
	check "TERM to both ${delay}s after the fork: no complaint" \
		not grep -qv "no report" "$tmp/err"
done

# The VMM is killed while the tracer attaches: one line, about the VMM.
if "$handoff" doctor >/dev/null 2>&1; then
	"$handoff" run --trace "${null[@]}" --duration 30 >"$tmp/out" 2>"$tmp/err" &
	watcher=$!
	wait_for 5 pgrep -P $watcher
	kill -9 $(pgrep -P $watcher)
	wait $watcher
	check "VMM killed at once: exit 1" equal $? 1
	check "VMM killed at once: one line" equal "$(wc -l <"$tmp/err")" 1
	check "VMM killed at once: says so" contains "$(cat "$tmp/err")" "killed by signal 9"
else
	skip "VMM killed at once" "this host cannot trace"
fi

done_testing
