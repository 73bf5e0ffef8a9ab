#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff trace --uprobes` on Debian's QEMU, on a stock kernel: where functions can be hooked, all
# ten stages are seen at both ends, and figures are those of the guest and of QEMU's own trace
# events. tests/bpf/test_trace_qemu.sh has more set-ups, where functions cannot be hooked.
. "$(dirname "$0")/machine.sh"
. "$(dirname "$0")/../lib/qemu.sh"
. "$(dirname "$0")/../lib/trace_qemu.sh"

# What QEMU is and boots the guest with, wherever it is installed.
adds=(--add "$(type -P qemu-system-x86_64)")
for file in qboot.rom pvh.bin; do
	# shellcheck disable=SC2046
	path=$(find $(qemu-system-x86_64 -L help) -name $file 2>/dev/null | head -n 1)
	[ "$path" ] || skip_all "QEMU has no $file"
	adds+=(--add "$(realpath -s "$path")")
done

# A vCPU, a loop and the tracer share one slow CPU: what is slow is neither lost nor stuck.
cat >"$tmp/runs.sh" <<'E'
. tests/lib/tap.sh
. tests/lib/qemu.sh
. tests/lib/trace_qemu.sh
build=$HANDOFF_BUILD
rm -rf "$tmp"
tmp=/var/tmp
trap - EXIT
qemu_slow=4
qemu_nice=10
trace_delays=(2 4 8 16)
trace_options=(--uprobes --interval 0.5 --lost-after 10s --stuck-ms 20000)

run() {
	traced "$@" || exit
	ended
	echo "$codes $thread" >"$tmp/$1.ran"
}
# The guest pauses: the loop goes to sleep, where it never spins.
io0 0
run sleeps io0 "requests=60 thinktime=fixed:10ms" "" "${iothread[@]}" "${disk0[@]}" $on_io0
io0 20000000
run spins io0 "requests=100" "" "${iothread[@]}" "${disk0[@]}" $on_io0
run main main "requests=100" "" "${disk0[@]}" $on_main

qemu_start listed startdelay=60 "${iothread[@]}" "${disk0[@]}" $on_io0 || exit
echo "$qemu $(qemu_thread_of io0)" >"$tmp/listed.ran"
qemu_go
wait_for 60 grep -q "^handoff-guest: ready" "$tmp/listed.console"
"$handoff" ls -p "$qemu" --json >"$tmp/listed.json"
status=$?
qemu_kill
exit $status
E
names=(sleeps spins main)
gets=()
for name in "${names[@]}"; do
	for kind in json log console lines err ran; do
		gets+=(--get "/var/tmp/$name.$kind:$tmp/$name.$kind")
	done
done
for kind in json ran; do
	gets+=(--get "/var/tmp/listed.$kind:$tmp/listed.$kind")
done
machine "${gets[@]}" "${adds[@]}" --add "$tmp/runs.sh:/runs.sh" -- bash /runs.sh \
	>"$tmp/said" 2>&1
check "three VMs are traced, one is listed" equal $? 0
sed 's/^/# /' "$tmp/said"

# Of the only queue: what the report has, and what QEMU's log says.
both='def count($name): .stages[] | select(.name == $name) | .count;
	.queues[0] as $q | $truth.queues[0] as $t | '
for name in "${names[@]}"; do
	read -r guest tracer thread <"$tmp/$name.ran"
	requests=$(guest_value "$name" requests)
	check "$name: guest and tracer end well" equal "$guest $tracer" "1 0"
	figures "$name" 1 "${thread:-0}"
	check "$name: all ten stages are exact, and have figures" holds "$name" \
		'(.stages | length == 10) and
			([.stages[] | .evidence == "exact" and .count > 0] | all)'
	check "$name: each kick is timed, and each wake" holds "$name" \
		"$both count(\"exit\") == \$q.kicks and count(\"signal\") == \$q.kicks and
			count(\"wake\") == \$q.kick_classes.asleep and
			count(\"runq\") == \$q.kick_classes.asleep"
	check "$name: arrivals are the entries of QEMU's handler that found a request" holds \
		"$name" "$both \$q.arrivals_evidence == \"exact\" and \$q.arrivals == \$t.arrivals"
	# Its last read may have been its end.
	check "$name: polled are the entries that followed no read of the eventfd" holds "$name" \
		"$both \$q.outcomes.polled >= \$t.arrivals_polled and
			(\$q.outcomes.polled + (\$q.kick_classes | .asleep + .awake) - \$t.entries |
				. == 0 or . == 1)"
	check "$name: requests are the guest's, and each is timed" holds "$name" \
		"$both \$q.requests == $requests and count(\"io\") == $requests"
	# The guest may have ended without its last one.
	check "$name: interrupts are QEMU's, and each is timed" holds "$name" \
		"$both [\$q.injected, count(\"irq\"), count(\"inject\"), count(\"enter\") |
			\$truth.interrupts - . | . == 0 or . == 1] | all"
	check "$name: how the loop waits" holds "$name" \
		'[.loops[] | [.how, .comm[:4]]] == [["ppoll", "qemu"]]'
	check "$name: reasons add up to exits" holds "$name" \
		'[.vcpus[] | .exits > 0 and .exits == ([.exits_by_reason[]] | add)] | all'
	check "$name: no alarm" holds "$name" '.alarms == []'
done
check "a loop that never spins is not said to" holds sleeps '[.queues[].outcomes.polled] == [0]'
check "one that does is" holds spins '.queues[].outcomes.polled > 0'

# lists 'jq expression over the list, with $pid and $tid'
read -r pid tid <"$tmp/listed.ran"
lists() {
	jq -e --argjson pid "${pid:-0}" --argjson tid "${tid:-0}" "$1" "$tmp/listed.json" ||
		{ jq -c . "$tmp/listed.json" && return 1; }
}
check "ls: QEMU, on KVM as a module" lists \
	'.kvm == "AMD SVM" and ([.vms[] | [.pid, .kind, .evidence]] == [[$pid, "qemu", "exact"]])'
check "ls: its queue, and the thread that waits for it" lists \
	'[.vms[].queues[] | [.queue, .ways[0].bus, (.eventfd.consumers[] | .tid, .how)]] ==
		[[0, "mmio", $tid, "ppoll"]]'
check "ls: its interrupt, and its vCPU" lists \
	'.vms[] | (.irqfds | length > 0) and (.vcpus | length == 1) and .vcpus[0].tid > 0'
done_testing
