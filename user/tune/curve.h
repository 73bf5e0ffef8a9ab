/* SPDX-License-Identifier: BSD-2-Clause */
/* The what-if curve of one loop. Pure. */
#ifndef TUNE_CURVE_H
#define TUNE_CURVE_H

#include <handoff/advisor.h>
#include <handoff/hist.h>

/*
 * Fills a->point, n, today and knee: the loop's own rule on waits drawn from its gaps, which are
 * taken as independent of each other. Needs a's facts (rate, wake_ns, block_cost_ns, arrivals,
 * today_ns) to be there, and gaps.
 */
void curve_fill(struct advice *a, const struct hist *gaps, const struct poll_policy *policy,
		double slept_share);

#endif
