// SPDX-License-Identifier: BSD-2-Clause
/* See poll_replay.h. One handler, which each wait ends with. */
#include <handoff/poll_replay.h>

#include <handoff/compiler.h>

static void judge(const struct poll_policy *policy, const struct poll_params *params,
		  struct poll_state *state, struct poll_handler_state *handler,
		  const struct poll_wait *wait)
{
	if (policy->handler_waited)
		policy->handler_waited(state, handler, params, wait, true);
	policy->loop_waited(state, params, wait);
}

struct poll_replay_result poll_replay(const struct poll_policy *policy,
				      const struct poll_params *params,
				      const struct poll_replay *how, const int64_t *gaps, size_t n)
{
	struct poll_handler_state handler = { 0 };
	struct poll_replay_result r = { .waits = n };
	struct poll_state state = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		int64_t gap = MAX(gaps[i], (int64_t)0), spin = state.poll_ns;
		int64_t wake = how->wakes ? how->wakes[i] : how->wake_ns;
		bool hit = gap <= spin;
		struct poll_wait wait = { .block_ns = gap, .arrival_ns = gap };

		r.hits += hit;
		r.spun += (double)MIN(gap, spin);
		r.clairvoyant += (double)MIN(gap, params->block_cost_ns);
		if (!hit) {
			wait.block_ns = gap + wake;
			wait.arrival_ns = how->stamps ? gap : how->unknown ? -1 : wait.block_ns;
			wait.spun_ns = spin;
			wait.slept = true;
		}
		judge(policy, params, &state, &handler, &wait);
	}
	r.cost = r.spun + (double)(r.waits - r.hits) * (double)params->block_cost_ns;
	return r;
}
