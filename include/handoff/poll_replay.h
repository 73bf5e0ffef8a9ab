/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A poll policy on a list of waits: what it would have done and paid. Pure; the arithmetic of
 * tuning.md, "One wait is one ski rental". Any thread.
 */
#ifndef HANDOFF_POLL_REPLAY_H
#define HANDOFF_POLL_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <handoff/poll_policy.h>

struct poll_replay {
	int64_t wake_ns;      /* from an arrival to the loop's seeing it, if it slept */
	const int64_t *wakes; /* as many as gaps, instead of wake_ns; NULL: all alike */
	/* As many as gaps, and instead of each if a spin caught the work before it: that came
	 * without a kick, and was seen at once. NULL: the same. */
	const int64_t *after_hit;
	/* As many as gaps: when, if a spin caught the work before it, other work comes first, which
	 * was served with that before where the loop had slept for it. 0 = none does; NULL: never.
	 */
	const int64_t *merged;
	/* From the end of a spin to the end of the last look at the queues before going to sleep:
	 * what comes meanwhile is found as if by the spin. */
	int64_t look_ns;
	/* After each wait's work a turn that has bottom halves to run, and finds them so soon; 0 =
	 * there is none. */
	int64_t turn_ns;
	/*
	 * The first work that a spin finds is kicked for all the same (a split ring with EVENT_IDX,
	 * whose avail_event stays behind): the eventfd then ends the next sleep at once, which the
	 * policy takes for a wait, and the loop spins anew.
	 */
	bool kick_lingers;
	/* Only if it was kicked: a loop that is to spin has kicks off from a wake on (ours; QEMU's
	 * has them on while it serves). */
	bool kicks_off;
	/* After a sleep the loop is told when the work arrived, or it is told when it saw it and
	 * takes that for the truth, or it knows that it is told nothing. */
	bool stamps, unknown;
};

/* Sums; times in ns. */
struct poll_replay_result {
	uint64_t waits; /* n; more or fewer by what was merged, or was not */
	uint64_t hits;	/* found by the spin, or the look after it */
	double spun;
	double cost;	    /* spun, and block_cost_ns for each sleep */
	double clairvoyant; /* what one pays who knows each wait before it begins */
};

/*
 * gaps: n times from the loop's running dry to the arrival of work, ns; a negative one counts as 0.
 * params are complete (poll_params_complete), and their block_cost_ns is what a sleep costs.
 */
struct poll_replay_result poll_replay(const struct poll_policy *policy,
				      const struct poll_params *params,
				      const struct poll_replay *how, const int64_t *gaps, size_t n);

#endif
