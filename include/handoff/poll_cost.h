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
	/* C_exit: CPU time of the vCPU for a kick, which a loop that spins spares it; 0 = unknown.
	 * No sample: measured once, in a VM that does nothing else (handoff/kvm.h). */
	int64_t kick_exit_ns;
};

/* A negative one counts as 0. Sorts 32 numbers: 0.3 us. */
void poll_samples_add(struct poll_samples *s, int64_t ns);

/*
 * B of tuning.md in CPU-ns: C_block + C_exit + a * L, a = latency_percent / 100. 0 = there are no
 * samples yet.
 */
int64_t poll_cost_sleep_ns(const struct poll_cost *cost, uint32_t latency_percent);

/*
 * How late a loop that sleeps sees a guest's work: the wake latency, and the kick's exit, since the
 * work is in the ring before the kick begins, and the eventfd is signalled late in the exit. 0 =
 * there are no samples yet.
 */
int64_t poll_cost_late_ns(const struct poll_cost *cost);

#endif
