// SPDX-License-Identifier: BSD-2-Clause
/*
 * Policy "break-even": follow the discounted leader. How long a wait was is seen whether the loop
 * spun or slept, so every wait tells what each expert (a length to spin, or QEMU's rule) would have
 * paid for it; the next spin is that of the expert who would have paid least in the waits of late.
 * No exploring, no division, no allocation: fourteen multiply-adds a wait. tuning.md has the theory
 * and the figures that tests/unit/policy/test_replay.c holds it to.
 */
#include <handoff/poll_policy.h>

#include <handoff/compiler.h>
#include "qemu_rule.h"

#define SHADOW (POLL_EXPERTS - 1) /* the expert that is QEMU's rule */

/* ns. None: never spin. */
static const int64_t length[SHADOW] = { 0,     1000,  2000,  3000,  4000,  6000, 8000,
					12000, 16000, 24000, 32000, 48000, 64000 };

/* Half of it is forgotten in 64 waits: 2^(-1/64). */
static const double memory = 0.98922801319397549;

/* The shadow's settings are those of "qemu" by default, whatever ours are. */
static int64_t shadow_next(const struct poll_state *state, const struct poll_params *params,
			   int64_t ns)
{
	const struct poll_params qemu = { .max_ns = params->max_ns,
					  .grow = poll_policy_qemu.defaults.grow,
					  .shrink = poll_policy_qemu.defaults.shrink };

	return qemu_rule_next(state->shadow_ns, &qemu, ns);
}

static void break_even_loop_waited(struct poll_state *state, const struct poll_params *params,
				   const struct poll_wait *wait)
{
	int64_t ns = wait->arrival_ns >= 0 ? wait->arrival_ns : wait->block_ns, spin, best_ns = 0;
	int64_t block_ns = params->block_cost_ns ? params->block_cost_ns : POLL_BLOCK_COST_NS;
	double best = 0;
	uint32_t i;

	for (i = 0; i < POLL_EXPERTS; i++) {
		spin = i == SHADOW ? state->shadow_ns : MIN(length[i], params->max_ns);
		state->loss[i] *= memory;
		state->loss[i] += ns <= spin ? (double)ns : (double)spin + (double)block_ns;
	}
	state->shadow_ns = shadow_next(state, params, ns);
	for (i = 0; i < POLL_EXPERTS; i++) {
		if (i && state->loss[i] >= best)
			continue; /* of equals the shorter spin */
		best = state->loss[i];
		best_ns = i == SHADOW ? state->shadow_ns : length[i];
	}
	state->poll_ns = MIN(best_ns, params->max_ns);
}

const struct poll_policy poll_policy_break_even = {
	.name = "break-even",
	.defaults = { .grow = 2, .shrink = 0, .weight = 3 },
	.loop_waited = break_even_loop_waited,
};
