#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same guest, disk and load under QEMU and under handoff, in turn: requests per second and
# resident memory.
. "$(dirname "$0")/bench.sh"

qemu=$(command -v qemu-system-x86_64) ||
	{ echo "bench_qemu: qemu-system-x86_64 is not installed"; exit 0; }
guest=${HANDOFF%/*}/guest/load.elf

# testbeds.md D: what QEMU needs on this KVM.
run_qemu() {
	timeout 60 "$qemu" -M q35 -net none -vga none -accel kvm \
		-cpu host,-arch-capabilities -m 256 -display none \
		-serial stdio -monitor none -no-reboot -kernel "$guest" -append "$2" \
		-object iothread,id=io0,poll-max-ns="$1" \
		-blockdev null-co,node-name=d0,size=67108864,read-zeroes=off \
		-device virtio-blk-pci,drive=d0,iothread=io0,disable-legacy=on \
		-device isa-debug-exit,iobase=0xf4,iosize=4 </dev/null 2>/dev/null |
		tr -d '\r' | sed -n 's/^handoff-guest: result .*[ ]iops=\([0-9]*\).*/\1/p'
}

for poll in 32768 0; do
	for depth in 1 32; do
		requests=$((20000 * depth / (depth > 1 ? 4 : 1)))
		load="rw=randread iodepth=$depth completion=poll requests=$requests"
		for _ in $(seq "$rounds"); do
			measure --iothread io0,poll-max-ns=$poll --blk null,size=64M,iothread=io0 \
				--load "$load"
			guest_value iops >>"$tmp/ours.$poll.$depth"
			run_qemu $poll "$load" >>"$tmp/qemu.$poll.$depth"
		done
		row "requests/s, depth $depth, poll-max-ns $poll: handoff / QEMU" \
			"$tmp/ours.$poll.$depth" "$tmp/qemu.$poll.$depth"
	done
done
