// SPDX-License-Identifier: BSD-2-Clause
/*
 * Policy "fixed": always the whole poll-max-ns. For measuring: what another policy learns is judged
 * by the best of these.
 */
#include <handoff/poll_policy.h>

static void fixed_loop_waited(struct poll_state *state, const struct poll_params *params,
			      const struct poll_wait *wait)
{
	state->poll_ns = params->max_ns;
}

const struct poll_policy poll_policy_fixed = {
	.name = "fixed",
	.defaults = { .grow = 2, .shrink = 2, .weight = 3 },
	.usual_max_ns = POLL_USUAL_MAX_NS,
	.loop_waited = fixed_loop_waited,
};
