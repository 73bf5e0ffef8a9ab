#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Process 1 of the Linux guest of test_console.sh: a shell on its serial port, as a user has it.
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev 2>/dev/null
while read -r module; do
	insmod "/modules/$module.ko"
done </modules/order
exec setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
