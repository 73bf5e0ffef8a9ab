#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the machine: boots Linux guests with our VMM, the first VERSION given in every way, the
# others in one. What is in /guest/VERSION comes from test_linux_guest.sh. A line "guest NAME
# EXIT-CODE", then its console.
cd /var/tmp || exit
for disk in vda vdb vdc; do
	truncate -s 64M $disk
done

# guest NAME TASK IMAGE [OPTION...]
guest() {
	name=$1 task=$2 image=$3
	shift 3
	timeout 120 "$HANDOFF" run --kernel "$image" --initrd "$folder/initrd" \
		--append "console=ttyS0 quiet panic=-1 task=$task" --cpus 2 --memory 512M "$@" \
		</dev/null >console 2>talk
	echo "guest $name $?"
	tr -d '\r' <console
	sed 's/^/# /' talk
}

for version; do
	folder=/guest/$version
	io="--iothread io0 --iothread io1"
	a=--blk=file=vda,queues=2,iothread=io0,serial=serial-vda
	b=--blk=file=vdb,queues=2,iothread=io1,serial=serial-vdb,cache=direct
	c=--blk=file=vdc,read-only=on
	guest "$version" full $folder/bzImage $io $a $b $c
	[ "$version" = "$1" ] || continue
	guest "$version-packed" "full packed=1" $folder/bzImage $io $a,packed=on $b,packed=on $c
	guest "$version-vmlinux" small $folder/vmlinux $a --iothread io0
	guest "$version-reboot" restart $folder/bzImage $a --iothread io0
	guest "$version-panic" crash $folder/bzImage $a --iothread io0
done
