#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of the Linux guest of test_qmp.sh: waits for its power button, looks back, turns itself
# off. Prints TAP without a plan on the console, then "checked N".
mount -t proc none /proc
mount -t sysfs none /sys
while read -r module; do
	insmod "/modules/$module.ko"
done </modules/order
checks=0

check() {
	checks=$((checks + 1))
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		echo "# got: $2, not: $3"
	fi
}

# Its count, and whether Linux listens.
button() {
	read -r count state rest </sys/firmware/acpi/interrupts/ff_pwr_btn
}

button
check "no button was pressed yet" "$count" 0
check "but there is one, and Linux listens" "$(dmesg | grep -c 'Power Button \[PWRF\]')" 1
echo "waiting"
while button && [ "$count" = 0 ]; do
	sleep 0.2
done
check "it was pressed once" "$count" 1
check "nobody complains of the time it was stopped for" \
	"$(dmesg | grep -cE 'soft lockup|hung|stall|clocksource.*unstable')" 0
echo "checked $checks"
stty onlcr
poweroff -f
