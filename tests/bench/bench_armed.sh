#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What watching costs: requests per second of a polled load at depth 1, traced and not traced in
# turn. Goal: a ratio of 0.95 or more. The median request in TSC cycles says the same where other
# load disturbs the rate.
ROUNDS=${ROUNDS:-15}
. "$(dirname "$0")/bench.sh"

run() { measure "$@" --iothread io0,poll-max-ns=1000000 --blk null,size=64M,iothread=io0 \
	--load "rw=randread iodepth=1 completion=poll requests=3000000"; }

for _ in $(seq "$rounds"); do
	run --trace
	guest_value iops >>"$tmp/armed"
	guest_value lat_p50_cycles >>"$tmp/armed.p50"
	run
	guest_value iops >>"$tmp/disarmed"
	guest_value lat_p50_cycles >>"$tmp/disarmed.p50"
done
row "polled requests/s, depth 1: traced / not traced" "$tmp/armed" "$tmp/disarmed"
row "median request, cycles: not traced / traced" "$tmp/disarmed.p50" "$tmp/armed.p50"
