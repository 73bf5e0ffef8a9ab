#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of the Linux guests that our VMM boots. The kernel's command line says what to do:
# task=FUNCTION. Each check is a line "ok - ..." or "not ok - ..." on the console, and `end` counts
# them, so that a console cut short does not pass.
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev 2>/dev/null
ln -s /proc/self/fd /dev/fd
# busybox has one too, which its shell prefers, and which cannot write zeroes.
blkdiscard=/usr/sbin/blkdiscard
checks=0

check() {
	local name=$1
	shift
	checks=$((checks + 1))
	if "$@" >/tmp/said 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /; 20q' /tmp/said
	fi
}

equal() {
	[ "$1" = "$2" ] || { echo "got: $1, not: $2"; return 1; }
}

not() {
	! "$@"
}

# Every kick passes vp_notify, from the disk's first request on.
count_kicks() {
	mount -t tracefs none /sys/kernel/tracing
	echo 'p:kick vp_notify' >/sys/kernel/tracing/kprobe_events
	echo 1 >/sys/kernel/tracing/events/kprobes/kick/enable
}

load_modules() {
	while read -r module; do
		[ "$module" = virtio_blk ] && [ "$task" = fio ] && count_kicks
		insmod "/modules/$module.ko" || echo "not ok - module $module"
	done </modules/order
}

end() {
	echo "checked $checks"
	poweroff -f
}

# --- disks ---

# pattern N: the same 4 MiB for the same N.
pattern() {
	yes "pattern $1 of a disk" | head -c 4194304
}

write_pattern() {
	pattern "$2" | dd of="/dev/$1" bs=64k oflag=direct conv=notrunc,fsync iflag=fullblock
}

holds_pattern() {
	dd if="/dev/$1" bs=64k count=64 iflag=direct 2>/dev/null | cmp - /tmp/pattern.$2
}

# Whether LENGTH bytes from OFFSET are zero.
zero_at() {
	equal "$(dd if="/dev/$1" bs=64k skip=$(($2 / 65536)) count=$(($3 / 65536)) iflag=direct \
		2>/dev/null | tr -d '\0' | wc -c)" 0
}

interrupts() {
	awk -v what="$1" '$NF == what { print $2 + $3 }' /proc/interrupts
}

# A request from each CPU goes to the queue of its own, which answers by a vector of its own.
each_cpu_has_a_vector() {
	local name=$1 disk=$2 cpu before
	for cpu in 0 1; do
		before=$(interrupts "$name-req.$cpu")
		taskset $((1 << cpu)) dd if="/dev/$disk" of=/dev/null bs=4k count=50 iflag=direct
		[ "$(interrupts "$name-req.$cpu")" -ge $((before + 50)) ] || {
			cat /proc/interrupts
			return 1
		}
	done
}

virtio_name() {
	basename "$(readlink "/sys/block/$1/device")"
}

stat_of() {
	awk -v n="$2" '{ print $n }' "/sys/block/$1/stat"
}

check_disk() {
	local disk=$1 flushes
	check "$disk: there" test -b "/dev/$disk"
	check "$disk: has its size" equal "$(cat /sys/block/$disk/size)" 131072
	check "$disk: has its serial" equal "$(cat /sys/block/$disk/serial)" "serial-$disk"
	check "$disk: one vector for each of two queues" \
		each_cpu_has_a_vector "$(virtio_name $disk)" $disk
	flushes=$(stat_of $disk 16)
	check "$disk: can be written" write_pattern $disk 1
	check "$disk: and flushed" [ "$(stat_of $disk 16)" -gt "$flushes" ]
	check "$disk: holds what was written" holds_pattern $disk 1
	check "$disk: discards" $blkdiscard -o 1048576 -l 1048576 /dev/$disk
	check "$disk: what is discarded is zero" zero_at $disk 1048576 1048576
	check "$disk: writes zeroes" $blkdiscard -z -o 2097152 -l 524288 /dev/$disk
	check "$disk: which are zero" zero_at $disk 2097152 524288
}

rebind() {
	echo "$1" >/sys/bus/virtio/drivers/virtio_blk/unbind &&
		echo "$1" >/sys/bus/virtio/drivers/virtio_blk/bind
}

# Readers of a disk lose it, and it comes back whole.
rebind_under_load() {
	local i
	for i in 1 2 3; do
		dd if="/dev/$1" of=/dev/null bs=4k iflag=direct 2>/dev/null &
		dd if="/dev/$1" of=/dev/null bs=64k iflag=direct 2>/dev/null &
		until [ "$(awk '{ print $9 }' "/sys/block/$1/stat")" -gt 0 ]; do :; done
		rebind "$(virtio_name "$1")" || return
		wait
	done
}

# --- tasks ---

# Two disks on two iothreads, one on the main loop that cannot be written.
full() {
	local disk
	pattern 1 >/tmp/pattern.1
	check "two CPUs" equal "$(grep -c ^processor /proc/cpuinfo)" 2
	check "three disks" equal "$(echo /dev/vd?)" "/dev/vda /dev/vdb /dev/vdc"
	check_disk vda
	check_disk vdb
	check "vdc: is read-only" equal "$(cat /sys/block/vdc/ro)" 1
	check "vdc: cannot be written" not dd if=/dev/zero of=/dev/vdc bs=4k count=1 oflag=direct
	check "vdc: can be read" dd if=/dev/vdc of=/dev/null bs=64k count=64 iflag=direct
	check "packed rings: as asked" \
		equal "$(cut -c 35 /sys/block/vda/device/features)" "${packed:-0}"
	check "indirect descriptors and event indices are in use" \
		equal "$(cut -c 29-30 /sys/block/vda/device/features)" 11
	for disk in vda vdb; do
		check "$disk: can be written again" write_pattern $disk 1
		check "$disk: unbind and bind" rebind "$(virtio_name $disk)"
		check "$disk: unbind and bind while it is read" rebind_under_load $disk
		check "$disk: holds what was written" holds_pattern $disk 1
	done
	check "the driver can be unloaded" rmmod virtio_blk
	check "no disk is left" not test -b /dev/vda
	check "and loaded again" insmod /modules/virtio_blk.ko
	for disk in vda vdb; do
		check "$disk: still holds what was written" holds_pattern $disk 1
	done
	end
}

small() {
	check "two CPUs" equal "$(grep -c ^processor /proc/cpuinfo)" 2
	check "the disk can be read" dd if=/dev/vda of=/dev/null bs=64k count=16 iflag=direct
	end
}

load_disk() {
	while dd if=/dev/zero of=/dev/vda bs=4k count=4000 oflag=direct 2>/dev/null; do :; done &
	while dd if=/dev/vda of=/dev/null bs=64k iflag=direct 2>/dev/null; do :; done &
	until [ "$(stat_of vda 5)" -gt 200 ] && [ "$(stat_of vda 1)" -gt 50 ]; do :; done
}

restart() {
	load_disk
	echo "checked $checks"
	reboot -f
}

crash() {
	load_disk
	echo "checked $checks"
	echo c >/proc/sysrq-trigger
}

# What is written is read again and judged by its checksums; then the guest's own counters.
fio() {
	check "four jobs of sixteen requests each verify what they wrote" /usr/bin/fio \
		--name=verify --filename=/dev/vda --direct=1 --ioengine=libaio --rw=randrw --bs=4k \
		--numjobs=4 --iodepth=16 --size=8m --offset_increment=16m --fallocate=none \
		--verify=crc32c --verify_fatal=1 --verify_state_save=0
	echo "kicks $(awk '$1 == "kick" { print $2 }' /sys/kernel/tracing/kprobe_profile)"
	echo "missed $(awk '$1 == "kick" { print $3 }' /sys/kernel/tracing/kprobe_profile)"
	echo "requests $(awk '{ print $1 + $5 + $12 + $16 }' /sys/block/vda/stat)"
	echo "interrupts $(awk '/virtio0-req/ { n += $2 + $3 } END { print n }' /proc/interrupts)"
	end
}

load_modules
${task:-small}
