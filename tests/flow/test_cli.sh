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
for command in run doctor help; do
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
usage_error "bad memory" "256M" run --memory lots
usage_error "bad duration" "seconds" run --duration soon
usage_error "bad delay" "exp:50us" run --blk null,size=64M,delay=often
usage_error "queue size" "power of two" run --blk null,size=64M,queue-size=100
usage_error "move of an unknown disk" "disk0" run --blk null,size=64M --move disk7,loops=main
usage_error "move to an unknown loop" "io9" run --blk null,size=64M --move disk0,loops=io9
usage_error "stray argument" "disk.img" run disk.img
usage_error "unknown fault" "refuse-ioeventfd" run --fault flood

check "output into a full device fails" not sh -c "exec \"$handoff\" help --man >/dev/full"

done_testing
