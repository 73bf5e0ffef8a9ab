#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs in the machine: test programs one after the other, their TAP to standard output. One that
# ends badly without saying so is a failed test.
seconds=900
tap=$(mktemp) && trap 'rm -f "$tap"' EXIT
for program; do
	echo "# $program"
	timeout -k 5 $seconds "$program" 2>&1 </dev/null | tee "$tap"
	status=${PIPESTATUS[0]}
	why=
	[ "$status" = 0 ] || grep -q '^not ok [^#]*$' "$tap" || why="exit status $status"
	grep -q '^1\.\.' "$tap" || why="no plan, exit status $status"
	[ ! "$why" ] || printf '1..1\nnot ok 1 - %s: %s\n' "$program" "$why"
done
