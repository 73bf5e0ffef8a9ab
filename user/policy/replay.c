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

static void judge_turn(const struct poll_policy *policy, const struct poll_params *params,
		       struct poll_state *state, struct poll_handler_state *handler, int64_t ns)
{
	const struct poll_wait turn = { .block_ns = ns, .arrival_ns = ns };

	if (policy->handler_waited)
		policy->handler_waited(state, handler, params, &turn, false);
	policy->loop_waited(state, params, &turn);
}

struct player {
	const struct poll_policy *policy;
	const struct poll_params *params;
	const struct poll_replay *how;
	struct poll_state state;
	struct poll_handler_state handler;
	struct poll_replay_result r;
	bool kick_lingers;
	bool kicked; /* for the next work, whoever finds it */
};

static void wait_out(struct player *p, int64_t gap_ns, int64_t seen_ns, bool slept)
{
	struct poll_wait wait = { .block_ns = gap_ns, .arrival_ns = gap_ns };

	p->r.spun += (double)MIN(gap_ns, p->state.poll_ns);
	if (slept) {
		wait.block_ns = seen_ns;
		wait.arrival_ns = p->how->stamps ? gap_ns : p->how->unknown ? -1 : seen_ns;
		wait.spun_ns = p->state.poll_ns;
		wait.slept = true;
	}
	judge(p->policy, p->params, &p->state, &p->handler, &wait);
}

static bool play(struct player *p, int64_t gap_ns, int64_t wake_ns)
{
	int64_t early_ns = p->state.poll_ns + p->how->look_ns;
	bool hit, spins;

	p->r.waits++;
	p->r.clairvoyant += (double)MIN(gap_ns, p->params->block_cost_ns);
	if (p->kick_lingers && gap_ns > early_ns) {
		wait_out(p, early_ns, early_ns, true);
		p->kick_lingers = false;
		p->kicked = true;
		gap_ns -= early_ns;
	}
	spins = p->state.poll_ns;
	/* What comes at once is slept for, too, by a loop that does not spin. */
	hit = p->state.poll_ns && gap_ns <= p->state.poll_ns + p->how->look_ns;
	p->r.hits += hit;
	p->kick_lingers = hit && p->how->kick_lingers && (p->kick_lingers || p->kicked);
	p->kicked = !hit && !(p->how->kicks_off && spins);
	wait_out(p, gap_ns, gap_ns + wake_ns, !hit);
	if (p->how->turn_ns)
		judge_turn(p->policy, p->params, &p->state, &p->handler, p->how->turn_ns);
	return hit;
}

struct poll_replay_result poll_replay(const struct poll_policy *policy,
				      const struct poll_params *params,
				      const struct poll_replay *how, const int64_t *gaps, size_t n)
{
	struct player p = { policy, params, how, .kicked = true };
	bool hit = false;
	size_t i;

	for (i = 0; i < n; i++) {
		int64_t gap = hit && how->after_hit ? how->after_hit[i] : gaps[i];
		int64_t wake = how->wakes ? how->wakes[i] : how->wake_ns;

		if (hit && how->merged && how->merged[i] > 0) {
			hit = play(&p, how->merged[i], wake);
			gap -= how->merged[i] + (hit ? 0 : wake);
			/* Slept for that one, it serves both at once. */
			if (!hit && gap <= 0)
				continue;
		}
		gap = MAX(gap, (int64_t)0);
		hit = play(&p, gap, wake);
	}
	p.r.cost = p.r.spun + (double)(p.r.waits - p.r.hits) * (double)params->block_cost_ns;
	return p.r;
}
