/* SPDX-License-Identifier: BSD-2-Clause */
/* The what-if curve of one loop. Pure. */
#ifndef TUNE_CURVE_H
#define TUNE_CURVE_H

#include <handoff/advisor.h>
#include <handoff/compiler.h>

struct poll_policy;
struct report;
struct report_loop;

/*
 * Fills a->point, n, today and knee: the loop's own rule on its waits in the interval. Needs a's
 * facts (gaps, wakes, rate, wake_ns, block_cost_ns, arrivals, exit, today) to be there. 0 or
 * -ENOMEM.
 */
int curve_fill(struct advice *a, const struct report *interval, const struct report_loop *loop,
	       const struct poll_policy *policy) MUST_CHECK;

#endif
