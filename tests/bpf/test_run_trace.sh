#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff run --trace` on a real guest: the report's keys and equalities, each outcome produced
# on purpose, Ctrl-C, pipes.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
why=$("$handoff" run --trace --duration 0.1 --blk null,size=64M \
	--load "requests=1" 2>&1 >/dev/null) ||
	case $why in *cap_*) skip_all "no privilege to load BPF programs: $why" ;; esac

# run NAME arguments...: leaves the report in $tmp/NAME.json and the exit status in $status.
run() {
	local name=$1
	shift
	"$handoff" run --trace --json "$tmp/$name.json" "$@" >"$tmp/$name.out" 2>"$tmp/$name.err"
	status=$?
}

# holds NAME "jq expression that must be true"
holds() {
	jq -e "$2" "$tmp/$1.json" >/dev/null || {
		jq -c '{stages: [.stages[] | [.name, .evidence, .count]],
			queues: [.queues[] | del(.stages)],
			loops: [.loops[] | del(.stages)], losses, guest}' "$tmp/$1.json"
		cat "$tmp/$1.err"
		return 1
	}
}

# shows_in_time NAME "jq expression" arguments...: some run does. Where one CPU has to do for vCPU
# and loop, as on a machine busy with something else, no spin sees anything and no loop is kept
# busy.
shows_in_time() {
	local name=$1 expression=$2
	shift 2
	for _ in 1 2 3 4; do
		holds "$name" "$expression" && return
		run "$name" "$@"
	done
	return 1
}

sum='([.queues[].outcomes | add] | add)'
outcome() { echo "([.queues[].outcomes.$1] | add)"; }

"$handoff" run --trace --duration 3 --json - >"$tmp/default.json" 2>"$tmp/default.err"
check "default run: exit 0" equal $? 0
check "schema" holds default '.schema == "handoff.report/1"'
check "ten stages" holds default '.stages | length == 10'
check "exit and enter are exact, or absent with a reason" holds default \
	'[.stages[] | select(.name == "exit" or .name == "enter")]
		| all(.evidence == "exact" or (.evidence == "absent" and (.reason | length > 10)))'
for stage in signal wake runq dispatch service io irq inject; do
	check "stage $stage has figures" holds default \
		".stages[] | select(.name == \"$stage\")
			| .evidence != \"absent\" and .count > 0 and .p99_ns > 0"
done
check "the default load shows both outcomes" shows_in_time default \
	"$(outcome polled) > 0 and $(outcome notified) > 0" --duration 3
check "outcomes add up to arrivals" holds default "([.queues[].arrivals] | add) == $sum"
check "kicks: BPF = guest" holds default '([.queues[].kicks] | add) == .guest.kicks'
check "kicks: BPF = VMM" holds default '[.queues[] | .kicks == .kicks_vmm] | all'
check "kicks and other writes are all writes" holds default \
	'.io | ([.by_address[] | select(.space == "mmio" and .access == "write") | .count] | add)
		as $others | .mmio_writes == .kicks + $others + .untracked or
		.addresses > (.by_address | length)'
check "interrupts: KVM accepted what the VMM signalled" holds default \
	'[.queues[] | .injected == .interrupts] | all'
check "requests: VMM = guest" holds default '([.queues[].requests] | add) == .guest.requests'
check "accounts add up to 1 within 1 %" holds default \
	'[.loops[].account | .handling + .polling_hit + .polling_waste + .blocked + .runq
		| . > 0.99 and . < 1.01] | all'
check "nothing is lost" holds default '.losses | .records + .lookups + .maps == 0'

run sleepy --iothread io0,poll-max-ns=0 --blk null,size=64M,iothread=io0 \
	--load "rw=randread requests=2000"
check "without polling: exit 0" equal $status 0
check "without polling: arrivals are notified, none polled" holds sleepy \
	"$(outcome polled) == 0 and $(outcome notified) > 1000"
check "without polling: outcomes add up" holds sleepy "([.queues[].arrivals] | add) == $sum"

polled=(--iothread io0,poll-max-ns=1000000 --blk null,size=64M,iothread=io0
	--load "rw=randread requests=20000 completion=poll")
run polled "${polled[@]}"
check "with polling: most arrivals are polled, most kicks suppressed" shows_in_time polled \
	"$(outcome polled) > $(outcome notified) and .guest.kicks_suppressed > .guest.kicks" \
	"${polled[@]}"

run mainloop --blk null,size=64M --load "rw=randread requests=3000"
check "no iothread: the main loop serves" holds mainloop '.queues[0].loop == "main"'
check "no iothread: outcomes add up" holds mainloop "([.queues[].arrivals] | add) == $sum"

busy=(--iothread io0,poll-max-ns=0 --blk null,size=64M,iothread=io0
	--load "rw=randread iodepth=8 requests=50000")
run busy "${busy[@]}"
check "a loop kept busy: busy arrivals" shows_in_time busy "$(outcome busy) > 0" "${busy[@]}"

run off --blk null,size=64M,ioeventfd=off --load "rw=randread requests=1000"
check "ioeventfd=off: exit 0" equal $status 0
check "ioeventfd=off: every arrival by user space" holds off \
	"$(outcome userspace) == ([.queues[].arrivals] | add) and $(outcome userspace) > 0"
check "ioeventfd=off: every kick is seen to leave" holds off \
	'[.queues[] | .left_evidence == "exact" and .kicks_left == .kicks] | all'
check "ioeventfd=off: kicks agree" holds off \
	'([.queues[].kicks] | add) == .guest.kicks and .queues[0].kicks == .queues[0].kicks_vmm'

run refused --iothread io0 --blk null,size=64M,iothread=io0 --fault refuse-ioeventfd \
	--load "rw=randread requests=1000"
check "ioeventfd refused: exit 0, said in one line" contains "$(cat "$tmp/refused.err")" "slower"
check "ioeventfd refused: every arrival by user space" holds refused \
	"$(outcome userspace) == ([.queues[].arrivals] | add) and $(outcome userspace) > 0"

# It is none if the kick comes late, or has just been seen, when they are held.
held=(--iothread io0,poll-max-ns=0 --blk null,size=64M,iothread=io0 --fault hold=400ms
	--load "rw=randread runtime=1.5")
run held "${held[@]}"
check "handlers held back: a lost arrival" shows_in_time held "$(outcome lost) >= 1" "${held[@]}"
check "handlers held back: outcomes add up" holds held "([.queues[].arrivals] | add) == $sum"

run moved --iothread io0 --iothread io1 \
	--blk null,size=64M,iothread=io0 --move disk0,loops=io1:main:io0,every=5ms \
		--load "rw=randread iodepth=8 runtime=1"
check "hand-overs are in the report" holds moved \
	'.handovers_total > 20 and (.handovers[0] | .duration_ns > 0 and .from != .to)'
check "hand-overs: kicks agree" holds moved '([.queues[].kicks] | add) == .guest.kicks'

stages="exit|signal|wake|runq|dispatch|service|io|irq|inject|enter"

# Ctrl-C: the summary comes, the VM goes.
"$handoff" run --trace --duration 60 >"$tmp/int.out" 2>"$tmp/int.err" &
pid=$!
wait_for 20 grep -q 'req/s' "$tmp/int.out"
kill -INT $pid
wait $pid
check "Ctrl-C: exit 0" equal $? 0
check "Ctrl-C: ten stage rows" equal \
	"$(grep -cE "^($stages) " "$tmp/int.out")" 10
check "Ctrl-C: no VM is left" not pgrep -P $pid

"$handoff" run --trace --duration 2 --interval 0.2 | head -n 1 >"$tmp/head.out"
check "a closed pipe: not a hang, the first line arrived" equal "$(wc -l <"$tmp/head.out")" 1

done_testing
