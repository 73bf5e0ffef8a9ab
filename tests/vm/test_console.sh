#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A shell on ttyS0 of an unmodified Linux that is told what to do by standard input: what is piped
# in before the kernel is there arrives whole, what is printed comes out as it is. The run is traced
# at the same time, and a guest that counts nothing contradicts nothing.
. "$(dirname "$0")/machine.sh"

folder=$(need kernel "$kernel")
mkdir "$tmp/guest"
scripts/vm/initramfs -o "$tmp/guest/initrd" -i tests/vm/console_init.sh -k "$folder" \
	-m virtio_pci -m virtio_blk -b "$(need package busybox-static)/bin/busybox"
cp "$folder"/boot/vmlinuz-* "$tmp/guest/bzImage"
{
	echo 'echo sum=$((6 * 7))'
	echo 'cat >/numbers <<END'
	seq 1 1100
	echo END
	echo 'echo numbers=$(md5sum </numbers)'
	echo 'printf "bytes=\\033[1m\\377\\n"'
	echo 'dd if=/dev/vda of=/dev/null bs=4k count=100 iflag=direct'
	echo 'poweroff -f'
} >"$tmp/guest/typed"

# One CPU: see test_acpi.sh.
machine --cpus 1 --timeout 300 --add "$tmp/guest:/guest" --get "/var/tmp/report:$tmp/report" -- \
	bash -c '
	timeout 200 "$HANDOFF" run --trace --console stdio --json /var/tmp/report \
		--kernel /guest/bzImage --initrd /guest/initrd --append "console=ttyS0 quiet" \
		--iothread io0 --blk null,size=64M,iothread=io0 </guest/typed' \
	>"$tmp/console" 2>"$tmp/talk"
status=$?
check "the guest powers off: exit 0" equal $status 0
check "figures agree" not grep -q "figures disagree" "$tmp/talk"

said() {
	LC_ALL=C grep -qaF -- "$1" "$tmp/console" || {
		tail -n 20 "$tmp/console"
		cat "$tmp/talk"
		return 1
	}
}
check "the first word typed is heard" said "sum=42"
check "all that was piped in arrives" said "numbers=$(seq 1 1100 | md5sum | cut -d' ' -f1)"
check "bytes come out as they are" said "bytes=$(printf '\033[1m\377')"
check "the summary is not among them" not grep -qa "losses:" "$tmp/console"
check "it is on standard error" grep -q "losses: none" "$tmp/talk"
check "the disk was read, and its kicks were seen" jq -e \
	'.queues[0] | .requests >= 100 and .kicks >= .kicks_vmm and .kicks > 0' "$tmp/report"
check "the guest is not expected to count" jq -e '.guest.absent | length > 0' "$tmp/report"
done_testing
