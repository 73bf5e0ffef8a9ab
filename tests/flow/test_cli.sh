#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The command line as a user meets it: help, errors in one line, exit codes. No privilege, no KVM.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}

# usage_error "sentence" "words that must stand in the line" arguments...
usage_error() {
	local name=$1 words=$2 status
	shift 2
	"$handoff" "$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	check "$name: exit 2" equal "$status" 2
	check "$name: one line" equal "$(wc -l <"$tmp/err")" 1
	check "$name: says why" contains "$(cat "$tmp/err")" "$words"
	check "$name: nothing on stdout" equal "$(cat "$tmp/out")" ""
}

check "help lists the commands" contains "$("$handoff" help)" "handoff run"
check "help of a command shows its options" contains "$("$handoff" help run)" "--iothread"
check "--help of a command is the same" equal "$("$handoff" run --help)" "$("$handoff" help run)"
for command in run trace ls doctor help; do
	check "$command --help succeeds" "$handoff" "$command" --help
done
check "--version names the program" contains "$("$handoff" --version)" "handoff "
check "the manual page is made of the option tables" contains "$("$handoff" help --man)" \
	"poll\\-max\\-ns"
check "the completion knows the options" contains "$("$handoff" help --completion)" "--lost-after"
check "the completion is valid bash" bash -n <("$handoff" help --completion)

usage_error "no command" "handoff help"
usage_error "unknown command" "frobnicate: no such command" frobnicate
usage_error "unknown option" "frob" run --frob
usage_error "unknown key" "frob" run --blk null,size=64M,frob=1
usage_error "bad size" "size=12x" run --blk null,size=12x
usage_error "doubled key" "size" run --blk null,size=64M,size=64M
usage_error "null without size" "size=64M" run --blk null
usage_error "disk without file" "file" run --blk size=64M
usage_error "unknown iothread" "add --iothread io7" run --blk null,size=64M,iothread=io7
usage_error "iothread without ioeventfd" "contradict" run --iothread io0 \
	--blk null,size=64M,iothread=io0,ioeventfd=off
usage_error "doubled iothread" "twice" run --iothread io0 --iothread io0
usage_error "iothread called main" "main loop" run --iothread main
usage_error "load and kernel" "give one of them" run --kernel x --load rw=read
usage_error "append without kernel" "--load" run --append x
usage_error "initrd without kernel" "--kernel" run --initrd x
usage_error "packed is on or off" "packed=maybe" run --blk null,size=64M,packed=maybe
usage_error "bad memory" "256M" run --memory lots
usage_error "bad duration" "seconds" run --duration soon
usage_error "bad delay" "exp:50us" run --blk null,size=64M,delay=often
usage_error "queue size" "power of two" run --blk null,size=64M,queue-size=100
usage_error "move of an unknown disk" "disk0" run --blk null,size=64M --move disk7,loops=main
usage_error "move to an unknown loop" "io9" run --blk null,size=64M --move disk0,loops=io9
usage_error "stray argument" "disk.img" run disk.img
usage_error "unknown console" "stdio, lines or none" run --console vga
usage_error "console and report on stdout" "--json FILE" run --console stdio --json -
usage_error "interval untraced" "--trace" run --interval 1
usage_error "lost-after untraced" "--trace" run --lost-after 1
usage_error "move without any disk" "add --blk" run --kernel x --move disk0,loops=main
usage_error "QMP by TCP" "--qmp unix:/run/vm.qmp" run --qmp tcp:127.0.0.1:4444
usage_error "QMP without a path" "1 to 107 characters" run --qmp unix:
usage_error "QMP by too long a path" "1 to 107 characters" run --qmp "unix:$(printf '%0120d' 0)"
usage_error "no vCPU" "1 to 64" run --cpus 0
usage_error "unknown fault" "refuse-ioeventfd" run --fault flood

usage_error "trace: a pid that is none" "not a process number" trace -p qemu
usage_error "trace: several pids in one word" "one pid each" trace -p "1 2"
usage_error "trace: no pid" "missing before --duration" trace -p --duration 5
usage_error "trace: pid 0" "not a process number" trace -p 0
usage_error "trace: a pid twice" "given twice" trace -p 7 -p 7
usage_error "trace: all and one" "contradict" trace --all -p 7
usage_error "trace: a stray argument" "1234" trace 1234
usage_error "trace: no interval" "at least 50" trace --interval 0
usage_error "trace: bad duration" "seconds" trace --duration soon
usage_error "trace: bad stuck-ms" "milliseconds" trace --stuck-ms 1s
usage_error "trace: stuck-ms of 0" "milliseconds" trace --stuck-ms 0
usage_error "trace: bad lost-after" "not a time" trace --lost-after x
usage_error "trace: unknown uprobes" "--uprobes=all" trace --uprobes=some
usage_error "trace: uprobes take no next word" "all" trace --uprobes all
usage_error "trace: QMP of all VMs" "does not go with --all" trace --all --qmp /x
usage_error "trace: QMP of two VMs" "several -p" trace -p 7 -p 8 --qmp /x
usage_error "trace: addresses of all VMs" "does not go with --all" trace --all \
	--ioeventfd mmio:0x1000
usage_error "trace: empty report name" "--json FILE" trace --json ""
usage_error "trace: empty name of stacks" "--folded FILE" trace --folded ""
usage_error "trace: empty QMP socket" "--qmp SOCKET" trace --qmp ""
usage_error "trace: report and stacks on stdout" "both want" trace --json - --folded -
usage_error "trace: an address without a bus" "mmio:0x" trace --ioeventfd 0x1000
usage_error "trace: an unknown bus" "mmio:0x" trace --ioeventfd pci:0x1000
usage_error "trace: no address" "mmio:0x" trace --ioeventfd mmio:
usage_error "trace: a port that is none" "pio:0x" trace --ioeventfd pio:0x10000
usage_error "trace: a length that is none" "1, 2, 4 or 8" trace --ioeventfd mmio:0x1000,len=3
usage_error "trace: a value too long" "does not fit" trace \
	--ioeventfd mmio:0x1000,len=1,value=256

# once "sentence" "words": the words stand once in the line of the last usage_error.
once() {
	check "$1" equal "$(grep -o -- "$2" "$tmp/err" | wc -l)" 1
}

usage_error "unknown option, hint" "frob" run --frob
once "the hint at --help is given once" "--help"
usage_error "empty report name" "--json FILE" run --json ""
usage_error "empty kernel name" "--kernel vmlinuz" run --kernel ""
usage_error "empty initrd name" "--initrd initrd.img" run --kernel x --initrd ""
usage_error "too short an interval" "at least 50" run --interval 0.01
usage_error "too long a duration" "at most" run --duration 9999999999
usage_error "bad iothread name" "letters" run --iothread "io 0"
usage_error "long iothread name" "letters" run --iothread "$(printf '%032d' 0)"
usage_error "bad disk name" "letters" run --blk "$(printf 'null,size=64M,id=\033[31m')"
usage_error "bad policy" "qemu-weighted" run --iothread io0,policy=frob
usage_error "two policies" "break-even" run --iothread "io0,policy=qemu|break-even"
usage_error "part of a policy" "break-even" run --iothread io0,policy=break
usage_error "no policy" "needs a value" run --iothread io0,policy=
usage_error "latency worth too much" "100000" run --iothread io0,poll-latency-percent=100001
usage_error "long serial" "20" run --blk null,size=64M,serial=123456789012345678901
usage_error "size of half a sector" "512" run --blk null,size=1000
usage_error "main as an iothread" "leave it away" run --blk null,size=64M,iothread=main
usage_error "move without a disk" "no disk" run --blk null,size=64M --move ""
usage_error "move with an empty loop" "empty name" run --blk null,size=64M \
	--move disk0,loops=main::main
usage_error "move without an ioeventfd" "contradicts" run --iothread io0 \
	--blk null,size=64M,ioeventfd=off --move disk0,loops=io0
truncate -s 1M "$tmp/disk.img"
usage_error "size of an image that has another" "1048576" run --blk "$tmp/disk.img,size=2M"
usage_error "one image twice" "disk0 already" run --blk "$tmp/disk.img" --blk "$tmp/./disk.img"
five=()
for _ in 1 2 3 4 5; do five+=(--blk null,size=64M,queues=16); done
usage_error "more queues than a report holds" "80 queues" run "${five[@]}"

# failure "sentence" "words" arguments...: one line, exit 1, before a guest runs.
failure() {
	local name=$1 words=$2 status
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err"
	status=$?
	check "$name: exit 1" equal "$status" 1
	check "$name: one line" equal "$(wc -l <"$tmp/err")" 1
	check "$name: says why" contains "$(cat "$tmp/err")" "$words"
	check "$name: no guest ran" equal "$(cat "$tmp/out")" ""
}
failure "report into a folder" "Is a directory" "$handoff" run --json "$tmp" --blk null,size=64M
failure "report into no folder" "No such file" "$handoff" run --json "$tmp/no/x" --blk null,size=64M
failure "report of a trace into a folder" "--json: $tmp" "$handoff" trace --json "$tmp"
failure "stacks into no folder" "--folded: $tmp/no/x" "$handoff" trace --folded "$tmp/no/x"
# Installed, that is without a build folder around it: the default disk needs a place.
cp "$handoff" "$tmp/handoff"
failure "no place for the default disk" "TMPDIR" env TMPDIR="$tmp/no" "$tmp/handoff" run

check "output into a full device fails" not sh -c "exec \"$handoff\" help --man >/dev/full"
"$handoff" doctor --json 2>"$tmp/err" >/dev/full
check "output into a full device: one line" equal "$(wc -l <"$tmp/err")" 1
# A closed descriptor must not be taken by a file: what is said would be written into it.
"$handoff" run --json "$tmp" --blk null,size=64M <&- >&- 2>&-
check "closed descriptors: exit 1" equal $? 1
"$handoff" help <&- >&- 2>"$tmp/err"
check "closed descriptors: says so" contains "$(cat "$tmp/err")" "Bad file descriptor"

done_testing
