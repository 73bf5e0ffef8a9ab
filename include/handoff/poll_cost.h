/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a sleep costs this loop, from samples of the loop's own sleeps. Pure, no clock, no lock; the
 * state is one loop's.
 */
#ifndef HANDOFF_POLL_COST_H
#define HANDOFF_POLL_COST_H

#include <stdint.h>

#define POLL_COST_SAMPLES 32 /* the newest count */

struct poll_samples {
	int64_t ns[POLL_COST_SAMPLES];
	uint32_t n; /* ever added */
	int64_t median_ns;
};

/* Zeroed = nothing known. */
struct poll_cost {
	/* L: from a signal to the loop's seeing it, of sleeps that a stamped signal ended */
	struct poll_samples wake;
	/* C_block: CPU time of the loop's thread from before a sleep to after it */
	struct poll_samples block;
};

/* A negative one counts as 0. Sorts 32 numbers: 0.3 us. */
void poll_samples_add(struct poll_samples *s, int64_t ns);

/*
 * B of tuning.md in CPU-ns: C_block + a * L, a = latency_percent / 100. 0 = there are no samples
 * yet. C_exit, what the kick's exit costs the vCPU, is not known and not in it: an ioeventfd's exit
 * begins and ends between the guest and KVM, and no thread of a VMM sees it. B is too small by that
 * (2.8 us where this was written, beside 50 in all); "break-even" bears a B of half the truth.
 */
int64_t poll_cost_sleep_ns(const struct poll_cost *cost, uint32_t latency_percent);

#endif
