/* SPDX-License-Identifier: BSD-2-Clause */
/* The waits that a policy is played on, as they were measured. Pure. */
#ifndef TUNE_WAITS_H
#define TUNE_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <handoff/report.h>

struct advice;

#define WAITS_MAX 20000 /* a hit share to within a point */

/* Times of each wait, ns; see poll_replay.h. */
struct waits {
	size_t n;
	bool in_order; /* as they came; else drawn */
	int64_t gap[WAITS_MAX], after_hit[WAITS_MAX], merged[WAITS_MAX], wake[WAITS_MAX];
};

/*
 * Those of the loop in the interval, in the order in which they came; where it spun too much to
 * show that, as many drawn from its histograms, gaps and wakes as independent of each other. A spin
 * sees work that is in the queue, a kick tells of it `exit_ns` later,
 * where the wait itself does not know. Needs a->arrivals.
 */
void waits_fill(struct waits *w, const struct report *interval, const struct report_loop *loop,
		const struct advice *a, double exit_ns);

#endif
