/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What another poll-max-ns would do, from the waits that were measured, without trying it: the loop
 * sees how long a wait was whether it spun or slept (tuning.md, "The what-if curve"). Right for
 * work that arrives by itself; a guest that waits for its request before it sends the next one has
 * shorter waits the faster it is served, so the curve is a beginning there, to be measured after.
 * Pure, any thread.
 */
#ifndef HANDOFF_WHAT_IF_H
#define HANDOFF_WHAT_IF_H

#include <stddef.h>
#include <stdint.h>
#include <handoff/hist.h>

/* Of one wait, on the mean. Times in ns. */
struct what_if {
	int64_t max_ns;	  /* the spin: fixed, as long as the policy may make it */
	double hit_share; /* 0..1, found by the spin: no kick, no sleep, no wake */
	double spun_ns;	  /* of a CPU */
	double late_ns;	  /* what a wake adds to the latency */
	double cost_ns;	  /* spun, and what a sleep costs where the spin was too short */
};

struct what_if_facts {
	const struct hist
		*gaps;	      /* from running dry to the arrival; within a bucket taken as even */
	double wake_ns;	      /* from an arrival to the loop's seeing it, if it sleeps */
	double block_cost_ns; /* B of tuning.md, as in poll_params */
};

/* All is 0 where there are no gaps. */
struct what_if what_if_at(const struct what_if_facts *facts, int64_t max_ns);

/* Of n spins the one that costs least, of equals the shorter; n > 0. They rise. */
size_t what_if_best(const struct what_if_facts *facts, const int64_t *max_ns, size_t n);

#endif
