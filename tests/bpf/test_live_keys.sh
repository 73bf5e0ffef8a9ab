#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Keys of the live screen that change a loop's settings, in a real terminal (tmux): what they set is
# what another QMP client is told, the screen shows it in a later interval, and the summary tells.
. "$(dirname "$0")/../lib/tap.sh"
. "$(dirname "$0")/../lib/trace_cli.sh"
. "$(dirname "$0")/../lib/terminal.sh"
. "$(dirname "$0")/../lib/qmp.sh"
command -v socat >/dev/null || skip_all "socat is not installed"
trap 'terminal_end; kill -9 "${vms[@]}" $qmp_client 2>/dev/null; rm -rf "$tmp"' EXIT

disk="--iothread io0,poll-max-ns=0,policy=qemu-weighted --iothread io1,policy=qemu-weighted \
--blk null,size=64M,iothread=io0"
property() {
	qmp qom-get "{\"path\": \"/objects/io0\", \"property\": \"$1\"}" &&
		equal "$(jq -r .return <<<"$line")" "$2"
}
set_to() {
	qmp qom-set "{\"path\": \"/objects/io0\", \"property\": \"poll-max-ns\", \"value\": $1}"
}
# pressed KEY "WORDS" "SETTINGS": what is said at once, and what an interval shows.
pressed() {
	keys "$1"
	wait_for 10 shows "$2" && wait_for 10 shows "$3" || {
		screen
		return 1
	}
}
polls() {
	screen | grep -qE '^io0 +[0-9]+ +[^ ]+ +[1-9]'
}

# A VM of `handoff run`, its QMP socket taken by another client.
socket=$tmp/run.qmp
terminal_run 110 60 "$handoff run --trace --duration 600 --interval 0.2 --qmp unix:$socket $disk"
check "run: the iothread is picked, with its settings" wait_for 60 shows \
	"> io0  poll-max-ns 0  qemu-weighted "
check "run: it does not spin" not polls
qmp_open && qmp qmp_capabilities
check "run: + begins with a short spin" pressed + "iothread io0: poll-max-ns 0 -> 4096" \
	"> io0  poll-max-ns 4096 "
check "run: the VM says so too" property poll-max-ns 4096
check "run: a client hears of it" qmp_event X_HANDOFF_IOTHREAD_CHANGED
check "run: + doubles" pressed + "poll-max-ns 4096 -> 8192" "> io0  poll-max-ns 8192 "
set_to 500000
check "run: what another has set is shown" wait_for 10 shows "> io0  poll-max-ns 500000 "
check "run: = is +" pressed = "poll-max-ns 500000 -> 1000000" "> io0  poll-max-ns 1000000 "
check "run: it spins" wait_for 20 polls
check "run: - halves" pressed - "poll-max-ns 1000000 -> 500000" "> io0  poll-max-ns 500000 "
check "run: c takes the next policy" pressed c "iothread io0: poll-policy qemu-weighted -> qemu" \
	"> io0  poll-max-ns 500000  qemu "
check "run: the VM says so too" property poll-policy qemu
check "run: c goes on" pressed c "poll-policy qemu -> break-even" " 500000  break-even "
check "run: c goes on" pressed c "poll-policy break-even -> fixed" " 500000  fixed "
set_to 1000000000
check "run: + ends at the limit" pressed + "poll-max-ns is 1000000000, the longest" \
	"> io0  poll-max-ns 1000000000 "
set_to 4096
check "run: - ends with 0" pressed - "poll-max-ns 4096 -> 0" "> io0  poll-max-ns 0 "
check "run: 0 is the least" pressed - "poll-max-ns is 0, the shortest" "> io0  poll-max-ns 0 "
check "run: j picks the next loop" pressed j "> io1  poll-max-ns 32768 " "> io1 "
check "run: and its settings are changed" pressed + "iothread io1: poll-max-ns 32768 -> 65536" \
	"> io1  poll-max-ns 65536 "
check "run: not those of the other" property poll-max-ns 0
check "run: j goes round" pressed j "> main " "> main "
check "run: the main loop has none" pressed + "the main loop has no poll settings" "> main "
check "run: k goes back" pressed k "> io1 " "> io1 "
keys '?'
check "run: ? explains the keys" wait_for 10 shows "+ - double, halve its poll-max-ns"
keys '?'
qmp_close
keys q
check "run: q ends with exit 0" wait_for 40 shows "exit status 0"
check "run: the summary tells of a policy" shows \
	"Changed by keys meanwhile: io0 poll-policy qemu-weighted -> fixed"
check "run: and of a time" shows "Changed by keys meanwhile: io1 poll-max-ns 32768 -> 65536"
terminal_end

# No socket, and a terminal of the usual size.
terminal_run 80 24 "$handoff run --trace --duration 600 --interval 0.2 $disk"
check "80x24: the settings are on it" wait_for 60 shows "> io0  poll-max-ns 0  qemu-weighted "
check "no --qmp: + is heard" pressed + "iothread io0: poll-max-ns 0 -> 4096" \
	"> io0  poll-max-ns 4096 "
keys q
check "no --qmp: q ends with exit 0" wait_for 40 shows "exit status 0"
terminal_end

# A VM that runs already.
socket=$tmp/vm.qmp
# shellcheck disable=SC2086
"$handoff" run --qmp "unix:$socket" $disk --load "$load" >"$tmp/vm" 2>&1 &
runner=$!
vms+=($runner)
wait_for 40 grep -q ready "$tmp/vm" || echo "# no VM: $(tail -n 1 "$tmp/vm")"
vmm=$(pgrep -P $runner)
vms+=("$vmm")
trace="$handoff trace --interval 0.2"

terminal_run 110 60 "$trace -p $vmm"
check "trace: our VMM tells its settings" wait_for 60 shows "> io0  poll-max-ns 0  qemu-weighted "
check "trace without --qmp: it is said" pressed + "this key needs --qmp PATH" "> io0 "
keys q
check "trace without --qmp: exit 0" wait_for 40 shows "exit status 0"
check "trace without --qmp: nothing was changed" not shows "Changed by keys"
terminal_end

one=$vmm
vm two
terminal_run 110 60 "$trace -p $one -p $vmm"
check "trace of two: both are there" wait_for 60 shows "of 2"
check "trace of two: it is said" pressed + "for a trace of one VM" "of 2"
keys q
check "trace of two: exit 0" wait_for 40 shows "exit status 0"
terminal_end
end_vm $watcher
vmm=$one

terminal_run 110 60 "$trace -p $vmm --qmp $socket"
wait_for 60 shows "> io0 "
qmp_open && qmp qmp_capabilities
check "trace: a socket that another has" pressed + "iothread io0: nothing was changed: QMP " \
	"give it a second -qmp socket"
check "trace: nothing was changed" property poll-max-ns 0
qmp_close
check "trace: one that is free" pressed + "iothread io0: poll-max-ns 0 -> 4096" \
	"> io0  poll-max-ns 4096 "
check "trace: c" pressed c "iothread io0: poll-policy qemu-weighted -> qemu" \
	"> io0  poll-max-ns 4096  qemu "
keys q
check "trace: q ends with exit 0" wait_for 40 shows "exit status 0"
check "trace: the summary tells of both" shows "Changed by keys meanwhile: \
io0 poll-max-ns 0 -> 4096, poll-policy qemu-weighted -> qemu, kept"
terminal_end
qmp_open && qmp qmp_capabilities
check "trace: what was set stays" property poll-max-ns 4096
qmp_close

echo '+++++ccc' | $trace -p $vmm --qmp "$socket" --duration 1 >"$tmp/piped" 2>&1
check "no terminal: exit 0" equal $? 0
check "no terminal: no keys" not grep -q "Changed by keys" "$tmp/piped"
qmp_open && qmp qmp_capabilities
check "no terminal: nothing was changed" property poll-max-ns 4096
qmp_close
end_vm $runner

done_testing
