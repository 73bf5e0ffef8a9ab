#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff run --trace` on a stock kernel: all ten stages are observed at both ends, nothing is
# lost, the kernel's counts are the guest's, and the report has the shape it has on this machine.
. "$(dirname "$0")/machine.sh"

# Each leaves a report /var/tmp/NAME.json.
cat >"$tmp/runs.sh" <<'E'
run() {
	"$HANDOFF" run --trace --duration 100 --json "/var/tmp/$@" >/run/out 2>&1 ||
		{ echo "$1: exit status $?"; cat /run/out; }
}
disk=--blk=null,size=64M
run irq.json --iothread io0 $disk,iothread=io0 --load "requests=3000 completion=irq"
run bursts.json $disk --load "requests=3000"
run queues.json --iothread io0 $disk,iothread=io0,queues=4 \
	--load "iodepth=4 requests=4000 completion=irq"
run off.json $disk,ioeventfd=off --load "requests=1000"
run moved.json --iothread io0 --iothread io1 $disk,iothread=io0 \
	--move disk0,loops=io1:main:io0,every=20ms --load "iodepth=8 requests=4000"
E
names=(irq bursts queues off moved)
gets=()
for name in "${names[@]}"; do
	gets+=(--get "/var/tmp/$name.json:$tmp/$name.json")
done
said=$(machine "${gets[@]}" --add "$tmp/runs.sh:/runs.sh" -- sh /runs.sh 2>&1)
check "five runs, each with exit 0" equal "$?$said" 0

# holds NAME "jq expression that must be true"
holds() {
	jq -e "$2" "$tmp/$1.json" >/dev/null || {
		jq -c '{stages: [.stages[] | [.name, .evidence, .count, .reason]],
			queues: [.queues[] | del(.stages)], vcpus, losses, guest}' "$tmp/$1.json"
		return 1
	}
}

for name in "${names[@]}"; do
	check "$name: ten stages" holds "$name" '.stages | length == 10'
	check "$name: nothing is lost" holds "$name" '[.losses[]] | add == 0'
	check "$name: kicks: BPF = guest" holds "$name" \
		'([.queues[].kicks] | add) == .guest.kicks and .guest.kicks > 0'
	check "$name: kicks: BPF = VMM" holds "$name" '[.queues[] | .kicks == .kicks_vmm] | all'
	check "$name: requests: VMM = guest" holds "$name" \
		'([.queues[].requests] | add) == .guest.requests'
	check "$name: outcomes add up to arrivals" holds "$name" \
		'[.queues[] | .arrivals == ([.outcomes[]] | add)] | all'
	check "$name: reasons add up to exits" holds "$name" \
		'[.vcpus[] | .exits > 0 and .exits == ([.exits_by_reason[]] | add)] | all'
done
for name in irq queues; do
	check "$name: all ten stages are exact, and have figures" holds "$name" \
		'[.stages[] | .evidence == "exact" and .count > 0] | all'
done
check "no stage is guessed in any run" \
	jq -e -s '[.[].stages[] | .evidence != "inferred"] | all' "$tmp"/*.json
check "four queues, each with kicks of its own" holds queues \
	'(.queues | length) == 4 and ([.queues[].kicks > 0] | all)'
check "ioeventfd=off: each arrival is seen to leave to user space" holds off \
	'[.queues[] | .outcomes.userspace == .arrivals and .arrivals > 0] | all'
check "moves are in the report" holds moved '.handovers_total > 0'

# The set of keys. What has no evidence has a reason instead of figures; and which reasons there
# are for an exit is data.
shape() {
	jq -r '[paths | map(if type == "number" then "[]" else . end) | join(".")
			| sub("exits_by_reason.*"; "exits") | sub("exits_reason$"; "exits")
			| select(test("[.]reason$") | not)] | unique | .[]' "$1"
}
if "$handoff" run --trace --duration 100 --json "$tmp/here" --iothread io0 \
	--blk null,size=64M,iothread=io0 --load "requests=3000 completion=irq" >/dev/null 2>&1; then
	check "the report has the shape of one from this machine" \
		equal "$(shape "$tmp/irq.json")" "$(shape "$tmp/here")"
else
	skip "the report has the shape of one from this machine" "this machine cannot trace"
fi
done_testing
