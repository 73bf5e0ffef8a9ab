#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What polling buys at depth 1 and 32: requests per second with an adaptive spin and without, in
# turn.
. "$(dirname "$0")/bench.sh"

for depth in 1 32; do
	load="rw=randread iodepth=$depth completion=poll"
	requests=$((30000 * depth / (depth > 1 ? 4 : 1)))
	for _ in $(seq "$rounds"); do
		for poll in 32768 0; do
			measure --iothread io0,poll-max-ns=$poll --blk null,size=64M,iothread=io0 \
				--load "$load requests=$requests"
			guest_value iops >>"$tmp/poll$poll.$depth"
		done
	done
	row "requests/s, depth $depth: poll-max-ns 32768 / 0" "$tmp/poll32768.$depth" \
		"$tmp/poll0.$depth"
done
