#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the machine: test programs one after the other, their TAP to standard output. One that
# ends badly without saying so is a failed test.
seconds=300
for program; do
	echo "# $program"
	timeout -k 5 $seconds "$program" 2>&1 </dev/null | tee /run/tap
	status=${PIPESTATUS[0]}
	grep -q '^1\.\.' /run/tap || echo "1..0"
	[ "$status" = 0 ] || grep -q '^not ok [^#]*$' /run/tap || {
		echo "1..1"
		echo "not ok 1 - $program: exit status $status"
	}
done
