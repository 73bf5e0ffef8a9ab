#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of the Linux guests of test_acpi.sh: looks at what the kernel made of our tables, and
# ends in the way that task= says. Prints TAP without a plan on the console, then "checked N".
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

# Waits until all is printed (stty sets its mode behind the output): what the kernel says goes
# straight to the port.
end() {
	echo "checked $checks"
	stty onlcr
}

# With pvpanic's driver, and without a reset behind it.
tables() {
	check "no complaint about ACPI" not complaints
	check "two CPUs by the MADT" equal "$(grep -c ^processor /proc/cpuinfo)" 2
	check "ECAM is in use" grep -qE 'PCI (MMCONFIG|ECAM) 0000' /proc/iomem
	check "and reaches beyond 256 bytes" \
		equal "$(stat -c %s /sys/bus/pci/devices/0000:00:00.0/config)" 4096
	check "the window is the DSDT's" said \
		'root bus resource \[mem 0xc0000000-0xfebfffff window\]'
	check "PCI is the system's by _OSC" said '_OSC: OS now controls'
	check "the SCI has its line" grep -qE '^ *9:.*acpi' /proc/interrupts
	check "the power can be turned off" said 'ACPI: PM: \(supports S0 S5\)'
	check "COM1 is by PnP" said '00:0.: ttyS0 at I/O 0x3f8 \(irq = 4'
	check "nobody waits for an 8042" said 'No PS/2 controller found'
	check "pvpanic has its driver" test -d /sys/bus/platform/drivers/pvpanic-mmio/QEMU0001:00
	end
	echo 0 >/proc/sys/kernel/panic
	echo c >/proc/sysrq-trigger
}

# Without the paravirtual clock and the TSC's timer: what a PC has is enough.
old_clocks() {
	check "the 8254 interrupts at pin 2" grep -qE '^ *0:.* 2-edge +timer' /proc/interrupts
	check "and has done so" [ "$(interrupts 0)" -gt 10 ]
	check "the PM timer is the clock" equal acpi_pm \
		"$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
	check "which goes on" sleep 1
	end
	reboot -f
}

while read -r module; do
	insmod "/modules/$module.ko" || echo "not ok - module $module"
done </modules/order
$task
