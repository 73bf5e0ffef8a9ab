#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `handoff ls`: our own VMM and QEMU as they are, one line for each thing that goes wrong.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}
guest=${HANDOFF_BUILD:?is set by make}/guest/load.elf

[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"

# ls arguments...: leaves $tmp/out, $tmp/err and $status.
ls_() {
	"$handoff" ls "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}

# fails STATUS TEXT: the last ls ended so, with one line that has the text.
fails() {
	equal "$status $(wc -l <"$tmp/err") $(wc -c <"$tmp/out")" "$1 1 0" &&
		contains "$(cat "$tmp/err")" "$2"
}

ls_ --help
check "--help: exit 0" equal $status 0
ls_ -p 0
check "-p 0: exit 2" fails 2 "not a process number"
ls_ -p 12x
check "-p 12x: exit 2" fails 2 "not a process number"
ls_ --json=
check "--json=: exit 2" fails 2 "--json=FILE"
ls_ --frob
check "an unknown option: exit 2" fails 2 "--frob"
ls_ a.out
check "an argument: exit 2" equal $status 2

"$handoff" ls >/dev/null 2>"$tmp/err" || {
	contains "$(cat "$tmp/err")" CAP_BPF >/dev/null && skip_all "$(cat "$tmp/err")"
}

ls_ -p $((1 << 30))
check "no such process: exit 1" fails 1 "there is no process"
ls_ -p $$
check "a process without a VM: exit 1" fails 1 "process $$ has no VM"

# vm PID FILTER: what jq makes of one VM in $tmp/out; fails if that is nothing, null or false.
vm() {
	local made
	made=$(jq -ce --argjson pid "$1" '.vms[] | select(.pid == $pid) | '"$2" "$tmp/out") &&
		[ "$made" ] && echo "$made"
}

# has N PID: that many queues are registered by now.
has() {
	"$handoff" ls -p "$2" --json >"$tmp/out" 2>"$tmp/err" &&
		vm "$2" "(.queues | length) == $1"
}

# --- our own VMM ---------------------------------------------------------------------------------
"$handoff" run --duration 600 --iothread io0,poll-max-ns=0 \
	--blk null,size=64M,queues=2,iothread=io0 \
	--load "rw=randread thinktime=fixed:1ms runtime=500" >"$tmp/run.out" 2>&1 &
run=$!
wait_for 20 pgrep -P $run
pid=$(pgrep -P $run)
check "its queues are registered" wait_for 30 has 2 "$pid"
ls_ -p "$pid" --json
check "exit 0" equal "$status $(wc -c <"$tmp/err")" "0 0"
check "the schema" equal "$(jq -r .schema "$tmp/out")" handoff.ls/1
check "one VM, ours" equal "$(jq -c '[.vms[] | [.kind, .evidence, .garbage]]' "$tmp/out")" \
	'[["handoff","exact",0]]'
check "its command" contains "$(vm "$pid" .command)" "run --duration 600"
check "its vCPU's thread" equal vcpu0 \
	"$(cat "/proc/$pid/task/$(vm "$pid" '.vcpus[0].tid')/comm")"
check "queues of one device" equal "$(vm "$pid" '[.queues[] | .queue]')" "[0,1]"
check "names are guesses, and say by what" vm "$pid" \
	'[.queues[] | .name_evidence == "inferred" and (.name_reason | contains("number:"))] | all'
check "one way each, by MMIO, of any length" equal \
	"$(vm "$pid" '[.queues[].ways | map([.bus, .length, .value])] | unique')" \
	'[[["mmio",null,null]]]'
check "the loop's thread serves them" equal \
	"$(vm "$pid" '[.queues[].eventfd.consumers[] | .comm] | unique')" '["iothread:io0"]'
check "interrupts are MSIs" vm "$pid" '.irqfds | length >= 2 and all(.message.address > 0)'
check "and KVM waits for them" vm "$pid" \
	'[.irqfds[].eventfd.consumers[] | .how] | contains(["irqfd"])'
check "other eventfds are listed" vm "$pid" '.other_eventfds | length > 0'
fds=$(vm "$pid" '.queues[].eventfd.fds[0]' | xargs)
check "descriptors are the VMM's" sh -c "for fd in $fds; do
	readlink /proc/$pid/fd/\$fd | grep -q eventfd || exit 1; done"

ls_ -p "$pid"
check "text: exit 0" equal "$status $(wc -c <"$tmp/err")" "0 0"
check "text: the header" grep -q "^VM $pid  handoff  1 vCPU, 2 queues" "$tmp/out"
check "text: a queue" grep -Eq \
	'^  ~0x[0-9a-f]+\.1 mmio 0x[0-9a-f]+ +any +any .* iothread:io0 \(' "$tmp/out"
check "text: at most 100 columns" not grep -Eq '.{101}' "$tmp/out"
check "text: no space at a line's end" not grep -q ' $' "$tmp/out"

ls_ -p "$pid" --json="$tmp/file"
check "--json=FILE: nothing on stdout" equal "$status $(wc -c <"$tmp/out")" "0 0"
check "--json=FILE: the document" jq -e '.vms | length == 1' "$tmp/file"
ls_ -p "$pid" --json="$tmp/none/file"
check "a FILE that cannot be: exit 1" fails 1 "$tmp/none/file"
# A limit of 0 bytes: no file can be written, and the one of before is not lost.
echo before >"$tmp/kept"
(
	trap '' XFSZ
	ulimit -f 0
	exec "$handoff" ls -p "$pid" --json="$tmp/kept" >/dev/null 2>/dev/null
)
check "a FILE that cannot be written: exit 1" equal $? 1
check "a FILE that cannot be written: the old one stays" equal "$(cat "$tmp/kept")" before
"$handoff" ls -p "$pid" >/dev/full 2>"$tmp/err"
check "stdout that is full: exit 1" equal $? 1
ls_ -p "$pid" --qmp "$tmp/none"
check "a QMP socket that is not there: exit 1" fails 1 "$tmp/none"

# --- a name made to harm -------------------------------------------------------------------------
(exec -a $'\e[31mharm\n' "$handoff" run --duration 600 --blk null,size=64M \
	--load "rw=randread thinktime=fixed:1ms runtime=500") \
	>"$tmp/harm.out" 2>&1 &
harm=$!
wait_for 20 pgrep -P $harm
harmed=$(pgrep -P $harm)
check "it is there" wait_for 30 has 1 "$harmed"
ls_ -p "$harmed"
check "what a terminal would obey is not printed" not grep -q $'\e' "$tmp/out"
check "but replaced" grep -q '^  ?\[31mharm? run' "$tmp/out"

ls_ --json
check "all VMs: both" equal "$(jq "[.vms[].pid | select(. == $pid or . == $harmed)] | length" \
	"$tmp/out")" 2
ls_ --qmp "$tmp/none"
check "--qmp with several VMs: asks for one" fails 1 "add -p PID"

# --- privilege -----------------------------------------------------------------------------------
# with CAPS...: as root with no more than these.
with() {
	local caps=$1
	shift
	setpriv --bounding-set="-all$caps" --inh-caps="-all$caps" "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
}
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	with "" "$handoff" ls -p "$pid"
	check "no capability: exit 1, and which" fails 1 "CAP_BPF and CAP_PERFMON"
	with ",+bpf,+perfmon,+sys_ptrace,+syslog" "$handoff" ls -p "$pid" --json
	if [ -e /sys/kernel/btf/kvm ]; then
		# A module's types ask for CAP_SYS_ADMIN: what the kernel itself knows is there.
		check "without KVM's types: exit 0" equal $status 0
		check "without KVM's types: queues are not known, and it says why" vm "$pid" \
			'.queues == null and .irqfds == null and .evidence == "absent" and
			(.reason | contains("BTF"))'
		check "without KVM's types: vCPUs are" vm "$pid" '.vcpus[0].tid > 0'
	else
		check "CAP_BPF and CAP_PERFMON are enough: exit 0" equal $status 0
		check "CAP_BPF and CAP_PERFMON are enough: queues" vm "$pid" \
			'.evidence == "exact" and (.queues | length) == 2'
		check "CAP_BPF and CAP_PERFMON are enough: who waits" equal \
			"$(vm "$pid" '[.queues[].eventfd.consumers[] | .comm] | unique')" \
			'["iothread:io0"]'
	fi
else
	skip "capabilities" "not root, or no setpriv"
fi
kill $run $harm
wait $run $harm

ls_ -p "$pid"
check "a VM that has ended: exit 1" fails 1 "there is no process"

# --- QEMU ----------------------------------------------------------------------------------------
if ! command -v qemu-system-x86_64 >/dev/null; then
	skip "QEMU" "qemu-system-x86_64 is not installed"
	done_testing
	exit
fi
blk=virtio-blk-pci,num-queues=2
qemu-system-x86_64 -M q35 -net none -vga none -accel kvm -cpu host,-arch-capabilities -m 256 \
	-display none -serial "file:$tmp/serial" -monitor none -no-reboot -kernel "$guest" \
	-object iothread,id=io0,poll-max-ns=0 -object iothread,id=io1,poll-max-ns=0 \
	-blockdev null-co,node-name=d0,size=67108864,read-zeroes=off \
	-blockdev null-co,node-name=d1,size=67108864,read-zeroes=off \
	-device "$blk,id=transitional,drive=d0,iothread=io0" \
	-device "$blk,id=pages,drive=d1,iothread=io1,page-per-vq=on,disable-legacy=on" \
	-device isa-debug-exit,iobase=0xf4,iosize=4 -qmp "unix:$tmp/qmp,server=on,wait=off" \
	-append "rw=randread thinktime=fixed:1ms queues=2 runtime=500" >"$tmp/qemu" 2>&1 &
qemu=$!
if ! wait_for 60 has 4 $qemu; then
	skip "QEMU" "it does not run here: $(tail -1 "$tmp/qemu") $(tail -c 100 "$tmp/serial")"
	kill $qemu
	done_testing
	exit
fi
ls_ -p $qemu --json
check "QEMU: its kind" equal "$(vm $qemu .kind)" '"qemu"'
check "QEMU: two queues each" equal \
	"$(vm $qemu '[.queues | group_by(.device)[] | [.[].queue]]')" '[[0,1],[0,1]]'
check "QEMU: a port beside the address, its value the number" equal \
	"$(vm $qemu '[.queues[] | select(.ways | length == 2) |
		[.queue, .ways[1].bus, .ways[1].value]]')" \
	'[[0,"pio",0],[1,"pio",1]]'
check "QEMU: a page to a queue" vm $qemu \
	'[.queues[] | select(.ways | length == 1) | .ways[0].address] | .[1] - .[0] == 4096'
check "QEMU: each device's loop is another thread" vm $qemu \
	'[.queues | group_by(.device)[] | [.[].eventfd.consumers[].tid] | unique] |
	(map(length) == [1, 1]) and .[0] != .[1]'
ls_ -p $qemu --qmp "$tmp/qmp" --json
check "QEMU by QMP: exit 0" equal "$status $(cat "$tmp/err")" "0 "
check "QEMU by QMP: devices, queues and loops" equal \
	"$(vm $qemu '[.queues[] | [.device, .queue, .eventfd.consumers[0].loop]] | sort')" \
	'[["pages",0,"io1"],["pages",1,"io1"],["transitional",0,"io0"],["transitional",1,"io0"]]'
check "QEMU by QMP: no guess" vm $qemu '[.queues[].name_evidence == "exact"] | all'
ls_ -p $qemu --qmp "$tmp/qmp"
check "QEMU by QMP: no guess is left" not grep -q '~' "$tmp/out"
kill $qemu
wait $qemu

done_testing
