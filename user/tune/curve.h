/* SPDX-License-Identifier: BSD-2-Clause */
/* The what-if curve of one loop. Pure. */
#ifndef TUNE_CURVE_H
#define TUNE_CURVE_H

#include <handoff/advisor.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>

struct poll_policy;

/*
 * Fills a->point, n, today and knee: the loop's own rule on waits drawn from its gaps and wakes,
 * which are taken as independent of each other. Needs a's facts (gaps, wakes, rate, wake_ns,
 * block_cost_ns, arrivals, today) to be there. 0 or -ENOMEM.
 */
int curve_fill(struct advice *a, const struct hist *gaps, const struct hist *wakes,
	       const struct poll_policy *policy) MUST_CHECK;

#endif
