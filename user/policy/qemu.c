// SPDX-License-Identifier: BSD-2-Clause
/*
 * Policy "qemu": QEMU 7.2 to 11.0, which took it from KVM's halt polling; one value per loop. Kept
 * as the yardstick that most running VMMs are measured by. Its known defect: one slow event takes
 * the polling from a fast one (semantics.md 1.6, 8.4).
 */
#include "qemu_rule.h"

#include <handoff/compiler.h>

#define QEMU_FIRST_NS 4000 /* first step up from 0; QEMU 2.9 and later */

int64_t qemu_rule_next(int64_t ns, const struct poll_params *params, int64_t block_ns)
{
	if (block_ns <= ns)
		return ns; /* the spin was long enough */
	if (block_ns > params->max_ns)
		return params->shrink ? ns / params->shrink : 0;
	if (ns < params->max_ns && block_ns < params->max_ns) {
		if (!ns)
			ns = QEMU_FIRST_NS;
		else if (ns > params->max_ns / params->grow)
			ns = params->max_ns; /* the product might not fit */
		else
			ns *= params->grow;
		ns = MIN(ns, params->max_ns);
	}
	return ns;
}

static void qemu_loop_waited(struct poll_state *state, const struct poll_params *params,
			     const struct poll_wait *wait)
{
	state->poll_ns = qemu_rule_next(state->poll_ns, params, wait->block_ns);
}

const struct poll_policy poll_policy_qemu = {
	.name = "qemu",
	.defaults = { .grow = 2, .shrink = 0, .weight = 3 },
	.usual_max_ns = POLL_USUAL_MAX_NS,
	.loop_waited = qemu_loop_waited,
};
