#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Names of a QEMU's devices and loops by its QMP socket, as `handoff ls --qmp` shows them: given
# ids, devices without one behind a bridge, iothreads and their settings.
. "$(dirname "$0")/../lib/tap.sh"
handoff=${HANDOFF:?is set by make}
guest=${HANDOFF_BUILD:?is set by make}/guest/load.elf

command -v qemu-system-x86_64 >/dev/null || skip_all "qemu-system-x86_64 is not installed"
[ -w /dev/kvm ] || skip_all "no access to /dev/kvm"
why=$("$handoff" ls 2>&1 >/dev/null) || skip_all "$why"

# testbeds.md D. The firmware places what is behind the bridge as well; the guest drives vblk0.
timeout 120 qemu-system-x86_64 -M q35 -net none -vga none -accel kvm \
	-cpu host,-arch-capabilities -m 256 -display none -serial "file:$tmp/serial" \
	-monitor none -no-reboot -kernel "$guest" -append "rw=randread requests=1000" \
	-object iothread,id=io0,poll-max-ns=4321 -object iothread,id=io1,poll-max-ns=0 \
	-blockdev null-co,node-name=d0,size=67108864,read-zeroes=off \
	-blockdev null-co,node-name=d1,size=67108864 \
	-device virtio-blk-pci,drive=d0,iothread=io0,disable-legacy=on,id=vblk0 \
	-device pcie-root-port,id=rp0,chassis=1 \
	-device virtio-blk-pci,drive=d1,iothread=io1,disable-legacy=on,bus=rp0 \
	-qmp "unix:$tmp/qmp,server=on,wait=off" >"$tmp/qemu" 2>&1 &
timeout_pid=$!
trap 'kill $timeout_pid 2>/dev/null; rm -rf "$tmp"' EXIT
# The guest has no way out here: it halts, its queues registered.
wait_for 60 grep -q 'handoff-guest: result' "$tmp/serial" || {
	sed 's/^/# /' "$tmp/qemu" "$tmp/serial"
	echo "Bail out! the guest did not run"
	exit 1
}
pid=$(pgrep -P $timeout_pid)


# says FILE "jq expression" WHAT: it yields that.
says() {
	equal "$(jq -c "$2" "$tmp/$1.json")" "$3" || { cat "$tmp/$1.json"; return 1; }
}

"$handoff" ls -p "$pid" --json --qmp "unix:$tmp/qmp" >"$tmp/named.json" 2>"$tmp/named.err"
check "ls --qmp succeeds" equal "$?$(cat "$tmp/named.err")" 0
check "a device has the id it was given" says named \
	'.vms[0].queues[] | select(.ways[0].address >= 4270850048) | [.device, .name_evidence]' \
	'["vblk0","exact"]'
# SeaBIOS has a driver for disks, and leaves its queue as it is.
check "one without an id, behind a bridge, has its drive's" says named \
	'[.vms[0].queues[].device] - ["vblk0"] - ["d1"]' '[]'
check "the thread that serves it is the iothread of that name" says named \
	'[.vms[0].queues[] | select(.device == "vblk0").eventfd.consumers[].loop]' '["io0"]'
check "the process's own thread is the main loop" says named \
	'[.vms[0].other_eventfds[].eventfd // .vms[0].other_eventfds[] | .consumers[] |
		select(.loop == "main").tid] | unique' "[$pid]"

"$handoff" ls -p "$pid" --json >"$tmp/bare.json"
check "without the socket the same queues" says bare '[.vms[0].queues[].ways]' \
	"$(jq -c '[.vms[0].queues[].ways]' "$tmp/named.json")"
check "but no name is exact" says bare '[.vms[0].queues[] | select(.name_evidence == "exact")]' \
	'[]'

"$handoff" trace -p "$pid" --duration 0.5 --qmp "$tmp/qmp" --json="$tmp/trace.json" >"$tmp/out" 2>&1
check "trace --qmp shows an iothread's settings" says trace \
	'.loops[] | select(.id == "io0").poll.max_ns' 4321

"$handoff" ls -p "$pid" --qmp "$tmp/none" >"$tmp/out" 2>"$tmp/none.err"
check "a socket that is not there fails" equal $? 1
check "and says how to have one" contains "$(cat "$tmp/none.err")" "started with -qmp unix:"
done_testing
