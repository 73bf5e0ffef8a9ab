// SPDX-License-Identifier: BSD-2-Clause
/*
 * Policy "qemu-weighted": QEMU 11.1. Each handler keeps a weighted mean of the waits its events
 * ended; handlers that stay silent age until they count no more, and never push the loop. The loop
 * follows the longest mean of those that ran (semantics.md 1.6).
 */
#include <handoff/poll_policy.h>

#include <handoff/compiler.h>

static void weighted_handler_waited(struct poll_state *state, struct poll_handler_state *handler,
				    const struct poll_params *params, const struct poll_wait *wait,
				    bool ran)
{
	int64_t ns = handler->ns;

	/* Both terms are within INT64_MAX: ns <= max_ns, and a sum that overflows is far over
	 * max_ns, hence 0. */
	if (ran)
		ns = ns ? ns - (ns >> params->weight) + (wait->block_ns >> params->weight)
			: wait->block_ns;
	else if (ns && __builtin_add_overflow(ns, wait->block_ns, &ns))
		ns = 0;
	if (ns > params->max_ns)
		ns = 0;
	handler->ns = ns;
	if (ran) {
		state->active = true;
		state->active_max_ns = MAX(state->active_max_ns, ns);
	}
}

static void weighted_loop_waited(struct poll_state *state, const struct poll_params *params,
				 const struct poll_wait *wait)
{
	int64_t ns = state->poll_ns, m = state->active_max_ns;
	int64_t grown;

	if (!state->active)
		return;
	state->active = false;
	state->active_max_ns = 0;
	if (m > ns) {
		if (__builtin_mul_overflow(ns, (int64_t)params->grow, &grown))
			grown = params->max_ns;
		state->poll_ns = MIN(MAX(m, grown), params->max_ns);
	} else if (m < ns / params->shrink) {
		state->poll_ns = ns / params->shrink;
	}
}

const struct poll_policy poll_policy_qemu_weighted = {
	.name = "qemu-weighted",
	.defaults = { .grow = 2, .shrink = 2, .weight = 3 },
	.handler_waited = weighted_handler_waited,
	.usual_max_ns = POLL_USUAL_MAX_NS,
	.loop_waited = weighted_loop_waited,
};
