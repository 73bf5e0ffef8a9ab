#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Unmodified Linux as our guest, on a stock kernel as our host: user space is reached with two CPUs,
# its own virtio-blk driver is content with our disks, and the exit code tells how it ended. What
# the guests check is in guest_init.sh, how they are started in linux_guests.sh. The host's own
# version is the guest in every way; each other one boots once, since it has its turn as the host.
. "$(dirname "$0")/machine.sh"

guests=("$kernel")
for guest in 6.1 6.12; do
	[ $guest = "$kernel" ] || guests+=($guest)
done
blkdiscard=$(PATH=$PATH:/usr/sbin:/sbin type -P blkdiscard)
add=()
for guest in "${guests[@]}"; do
	folder=$(need kernel $guest) || skip_all "$(tail -n 1 "$tmp/fetch.err")"
	mkdir "$tmp/$guest"
	guest_initramfs "$folder" "$tmp/$guest/initrd" "$blkdiscard:/usr/sbin/blkdiscard"
	scripts/vm/extract-vmlinux "$folder"/boot/vmlinuz-* "$tmp/$guest/vmlinux"
	cp "$folder"/boot/vmlinuz-* "$tmp/$guest/bzImage"
	add+=(--add "$tmp/$guest:/guest/$guest")
done

machine --timeout 1700 "${add[@]}" -- tests/vm/linux_guests.sh "${guests[@]}" >"$tmp/out"
check "the machine ran to its end" equal $? 0

# The console of one guest, from the lines of all.
console() {
	awk -v name="$1" '$1 == "guest" { on = $2 == name; next } on' "$tmp/out"
}

ended_with() {
	equal "$(sed -n "s/^guest $1 //p" "$tmp/out")" "$2" || {
		console "$1"
		return 1
	}
}

for name in "${guests[@]}" "$kernel-packed" "$kernel-vmlinux"; do
	replay "$name" < <(console "$name")
	check "$name: powering off is exit 0" ended_with "$name" 0
done
check "$kernel: a reset while disks are busy is exit 7" ended_with "$kernel-reboot" 7
check "$kernel: a panic while disks are busy is exit 8" ended_with "$kernel-panic" 8
done_testing
