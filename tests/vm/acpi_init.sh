#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of the Linux guest of test_acpi.sh: looks at what the kernel made of our tables, then
# panics. Prints TAP without a plan on the console, then "checked N".
mount -t proc none /proc
mount -t sysfs none /sys
checks=0

check() {
	local name=$1
	shift
	checks=$((checks + 1))
	if "$@" >/said 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' /said
	fi
}

not() {
	! "$@"
}

equal() {
	[ "$1" = "$2" ] || { echo "got: $1, not: $2"; return 1; }
}

# What the kernel says when it does not like a table.
complaints() {
	dmesg | grep -E 'ACPI.*(Error|Warning|Exception)|\[Firmware (Bug|Warn)|invalid.*ACPI'
}

said() {
	dmesg | grep -qE "$1" || { echo "never said: $1"; return 1; }
}

interrupts() {
	awk -v irq="$1:" '$1 == irq { print $2 + $3 }' /proc/interrupts
}

# Of the 8254, whose line is not pin 0: Linux needs it since its command line denies the CPU's own
# deadline timer. It tries a pin for ten ticks and is content with five (timer_irq_works() in
# arch/x86/kernel/apic/io_apic.c); soon after that the local APIC's timer takes over.
timer_came_by_pin() {
	grep -qE '^ *0:.* 2-edge +timer' /proc/interrupts && [ "$(interrupts 0)" -ge 5 ] || {
		cat /proc/interrupts
		return 1
	}
}

check "no complaint about ACPI" not complaints
check "two CPUs by the MADT" equal "$(grep -c ^processor /proc/cpuinfo)" 2
check "ECAM is in use" grep -qE 'PCI (MMCONFIG|ECAM) 0000' /proc/iomem
check "and reaches beyond 256 bytes" \
	equal "$(stat -c %s /sys/bus/pci/devices/0000:00:00.0/config)" 4096
check "the window is the DSDT's" said 'root bus resource \[mem 0xc0000000-0xfebfffff window\]'
check "PCI is the system's by _OSC" said '_OSC: OS now controls'
check "the SCI has its line" grep -qE '^ *9:.*acpi' /proc/interrupts
check "the timer has pin 2" timer_came_by_pin
check "the PM timer is a clock" grep -q acpi_pm \
	/sys/devices/system/clocksource/clocksource0/available_clocksource
check "the power can be turned off" said 'ACPI: PM: \(supports S0 S5\)'
check "COM1 is by PnP" said '00:0.: ttyS0 at I/O 0x3f8 \(irq = 4'
check "nobody waits for an 8042" said 'No PS/2 controller found'
while read -r module; do
	insmod "/modules/$module.ko"
done </modules/order
check "pvpanic has its driver" test -d /sys/bus/platform/drivers/pvpanic-mmio/QEMU0001:00
echo "checked $checks"
# Behind all that was printed (stty waits for it): what the kernel says goes straight to the port.
stty onlcr
# Nothing follows the panic that could end the run but pvpanic.
echo 0 >/proc/sys/kernel/panic
echo c >/proc/sysrq-trigger
