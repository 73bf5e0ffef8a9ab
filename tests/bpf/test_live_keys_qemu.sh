#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Keys of the live screen that change the settings of Debian's QEMU: by its QMP socket, told by QEMU
# itself afterwards.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/terminal.sh"
. "$(dirname "$0")/../lib/qemu.sh"
. "$(dirname "$0")/../lib/trace_qemu.sh"
build=${HANDOFF_BUILD:?is set by make}

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -r /dev/kvm ] && [ -w /dev/kvm ] || skip_all "/dev/kvm cannot be opened"
"$handoff" doctor >/dev/null 2>&1 ||
	skip_all "this host cannot trace: $("$handoff" doctor | grep ^BAD | head -n 1)"
trap 'terminal_end; kill -9 $qemu 2>/dev/null; rm -rf "$tmp"' EXIT
qemu_slow=5

setting() {
	equal "$(qemu_asks qom-get '{"path": "/objects/io0", "property": "poll-max-ns"}')" "$1"
}
pressed() {
	keys "$1"
	wait_for 10 shows "$2" && wait_for 10 shows "$3" || {
		screen
		return 1
	}
}

io0 0
qemu_start vm "rw=randread runtime=280 thinktime=fixed:500us" "${iothread[@]}" "${disk0[@]}" \
	$on_io0 && qemu_go && wait_for 20 has_begun vm ||
	skip_all "QEMU does not start: $(tail -n 1 "$tmp/vm.console")"
terminal_run 110 60 "$handoff trace -p $qemu --qmp $tmp/vm.qmp --interval 0.2"
check "the iothread is picked, with its setting" wait_for 60 shows "> io0  poll-max-ns 0 "
check "+ begins with a short spin" pressed + "iothread io0: poll-max-ns 0 -> 4096" \
	"> io0  poll-max-ns 4096 "
check "QEMU says so too" setting 4096
check "the loop's row has it" wait_for 10 eval 'screen | grep -qE "^io0 .* <=4096 "'
check "+ doubles" pressed + "poll-max-ns 4096 -> 8192" "> io0  poll-max-ns 8192 "
check "- halves" pressed - "poll-max-ns 8192 -> 4096" "> io0  poll-max-ns 4096 "
check "a policy is not QEMU's to have" pressed c "QEMU has no property poll-policy" \
	"> io0  poll-max-ns 4096 "
keys q
check "q ends with exit 0" wait_for 40 shows "exit status 0"
check "the summary tells of it" shows \
	"Changed by keys meanwhile: io0 poll-max-ns 0 -> 4096, kept"
check "what was set stays" setting 4096
qemu_kill

done_testing
