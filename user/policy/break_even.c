// SPDX-License-Identifier: BSD-2-Clause
/*
 * Policy "break-even": follow the discounted leader. How long a wait was is seen whether the loop
 * spun or slept, so every wait tells what each expert (a length to spin, or QEMU's rule) would have
 * paid for it; the next spin is that of the expert who would have paid least in the waits of late.
 * No division, no allocation: fourteen multiply-adds a wait at most. tuning.md has the theory and
 * the figures that tests/unit/policy/test_replay.c holds it to.
 *
 * The trap: who slept sees the work late, by L, and takes a short wait for a long one; so it sleeps
 * on and never learns better. KVM signals an ioeventfd inside the kernel, where nobody can leave a
 * stamp, so the arrival is deduced, as the wait less L. What L to take is learned as well: a loop
 * woken by one of ours and the measured exit of a kick say what it is like (poll_params.wake_ns),
 * but how long this guest's kicks take no clock of ours sees. So once in a while a wait in which a
 * sleep is due has a spin of length B first, a look: whether that hits is known for sure. If looks
 * hit more often than the deduced arrivals say they should, L is longer than was thought, and the
 * other way round:
 *
 *   expected = share of late waits with an arrival, deduced or seen, within B
 *   after a look:  L += B / 8 * (hit - expected)
 *
 * Where nearly all hit, waits are alike, so those that were slept through lasted as long and L:
 * that L is taken. Else it settles where both agree, from either side, and what L is wrong by
 * beyond that makes no difference to whether a spin pays. Looks that find what was expected get
 * rare: one in 128 sleeps, which costs 1 % of a sleep at most. A spin in vain helps too: the work
 * came after it, whatever L.
 *
 * The other way round, who spins does not see what sleeps cost: there the loop takes naps
 * (aio/wake_cost.c), and what they show of this guest's kicks is in wake_ns.
 */
#include <handoff/poll_policy.h>

#include <handoff/compiler.h>
#include "qemu_rule.h"

#define SHADOW (POLL_EXPERTS - 1) /* the expert that is QEMU's rule */

/* Sleeps between two looks: after a surprise, and at most. */
#define LOOK_SOON 4
#define LOOK_LATE 128

/* What looks have shown of late: of so many. */
#define LOOKS 16
/* Looks that hit half the time at random are not to move L: three of their standard deviations.
 * With half of that, L wandered off where waits are exponential, and sleeps seemed dear. */
#define DOUBT 0.3
/* Waits are alike if so many looks hit. */
#define ALIKE 0.85

/* ns. None: never spin. */
static const int64_t length[SHADOW] = { 0,     1000,  2000,  3000,  4000,  6000, 8000,
					12000, 16000, 24000, 32000, 48000, 64000 };

/* Half of what was is forgotten in 64 waits: 2^(1/64). */
static const double growth = 1.0108892860517005;
#define UNIT_MAX 1e12

/*
 * What a sleep costs: as measured, and what a kick takes longer than the wakes it was measured by;
 * that is known but roughly, so it may double it at most. Naps measure kicks.
 */
static int64_t sleep_cost(const struct poll_state *state, const struct poll_params *params)
{
	int64_t ns = params->block_cost_ns ? params->block_cost_ns : POLL_BLOCK_COST_NS, more;

	if (state->napped || state->late_ns <= params->wake_ns)
		return ns;
	more = (state->late_ns - params->wake_ns) / 100 * (int64_t)params->latency_percent;
	return ns + MIN(more, ns);
}

/*
 * The upper end of tuning.md's clamp, B / lambda with lambda = 1/4: a spin in vain costs at most
 * 1 + 1/lambda = 5 sleeps. There is no lower end: it would make every wait spin, 6 % of a sleep at
 * lambda = 1/16, also where all waits are long, and there "qemu" pays 1 % at most.
 */
static int64_t longest(int64_t max_ns, int64_t sleep_ns)
{
	return max_ns / 4 < sleep_ns ? max_ns : 4 * sleep_ns;
}

/* When the work came. *deduced: nobody saw it. */
static int64_t arrival(struct poll_state *state, const struct poll_wait *wait, bool *deduced)
{
	int64_t at_most_ns = wait->block_ns - wait->spun_ns;

	*deduced = wait->arrival_ns < 0 && wait->slept;
	if (wait->arrival_ns >= 0)
		return wait->arrival_ns;
	if (!wait->slept)
		return wait->block_ns;
	/* It came after the spin's end, so L was no longer than what was left. */
	if (state->late_ns > at_most_ns)
		state->late_ns -= (state->late_ns - at_most_ns) / 8;
	return MAX(wait->block_ns - state->late_ns, wait->spun_ns + 1);
}

/* The wait began with a look: hit or not, it is a fact. */
static void look_done(struct poll_state *state, bool hit, int64_t ns, int64_t sleep_ns)
{
	double surprise = (hit ? 1 : 0) - state->expected;

	state->looking = false;
	state->surprise += (surprise - state->surprise) / LOOKS;
	if (state->surprise > DOUBT || state->surprise < -DOUBT)
		state->late_ns += (int64_t)((double)sleep_ns / 8 * state->surprise);
	/* Where they nearly all hit, the waits that were slept through were as long, and L. */
	state->hits += ((hit ? 1 : 0) - state->hits) / LOOKS;
	if (hit && state->hits > ALIKE)
		state->late_ns += ((int64_t)state->slept_ns - ns - state->late_ns) / 4;
	state->late_ns = MIN(MAX(state->late_ns, (int64_t)0), (int64_t)POLL_LATE_MAX_NS);
	if (surprise > 0.5 || surprise < -0.5)
		state->look_every = LOOK_SOON;
	else
		state->look_every = MIN(2 * state->look_every, LOOK_LATE);
}

/* A wait of which nobody saw the arrival. One that something held up, for a hundred times as long
 * as others, counts as half as long again. */
static void slept(struct poll_state *state, const struct poll_wait *wait, int64_t wake_ns)
{
	double ns = (double)wait->block_ns;

	if (state->slept_ns)
		ns = MIN(ns, 1.5 * state->slept_ns);
	else
		state->slept_ns = ns;
	state->slept_ns += (ns - state->slept_ns) / 8;
	if (!wait->nap)
		return;
	state->napped = true;
	state->late_ns += (wake_ns - state->late_ns) / 4;
}

/* The next wait would have a shorter spin than that of a look, and it is time for one. */
static bool look_is_due(struct poll_state *state, bool deduced, int64_t look_ns)
{
	if (!deduced || state->poll_ns >= look_ns || ++state->unseen < state->look_every)
		return false;
	state->unseen = 0;
	return true;
}

/* The shadow's settings are those of "qemu" by default, whatever ours are. */
static int64_t shadow_next(const struct poll_state *state, int64_t max_ns, int64_t ns)
{
	const struct poll_params qemu = { .max_ns = max_ns,
					  .grow = poll_policy_qemu.defaults.grow,
					  .shrink = poll_policy_qemu.defaults.shrink };

	return qemu_rule_next(state->shadow_ns, &qemu, ns);
}

/* Half of what was paid is forgotten in 64 waits: instead of every loss getting smaller, what is
 * added gets larger, and all are scaled now and then. */
static double grow_unit(struct poll_state *state)
{
	int i;

	state->unit = state->unit ? state->unit * growth : 1;
	if (state->unit > UNIT_MAX) {
		for (i = 0; i < POLL_EXPERTS; i++)
			state->loss[i] /= state->unit;
		state->unit = 1;
	}
	return state->unit;
}

/* What a spin in vain and a sleep cost more than a spin until the work was there. */
static double missed(int64_t spin_ns, int64_t sleep_ns, int64_t ns)
{
	return (double)spin_ns + (double)sleep_ns - (double)ns;
}

static uint32_t leader(const struct poll_state *state)
{
	uint32_t i, best = 0; /* of equals the shorter spin */

	for (i = 1; i < POLL_EXPERTS; i++) {
		if (state->loss[i] < state->loss[best])
			best = i;
	}
	return best;
}

static int64_t leader_spin(const struct poll_state *state, int64_t max_ns)
{
	return MIN(state->leader == SHADOW ? state->shadow_ns : length[state->leader], max_ns);
}

/*
 * Who would have spun until the work was there pays nothing, and nothing is done for them: after a
 * hit as short as most are there is one addition. So losses, once equal, stay so, and one wait that
 * all but the longest spins missed is remembered until it is outweighed.
 */
static void pay(struct poll_state *state, int64_t ns, int64_t sleep_ns, int64_t max_ns)
{
	double unit = grow_unit(state);
	int64_t spin;
	uint32_t i;
	bool paid; /* the leader did; else it leads on, for nobody got better */

	for (i = 0; i < SHADOW; i++) {
		spin = MIN(length[i], max_ns);
		if (spin >= ns)
			break;
		state->loss[i] += unit * missed(spin, sleep_ns, ns);
	}
	paid = state->leader < i;
	if (state->shadow_ns < ns) {
		state->loss[SHADOW] += unit * missed(state->shadow_ns, sleep_ns, ns);
		paid |= state->leader == SHADOW;
	}
	state->shadow_ns = shadow_next(state, max_ns, ns);
	if (paid)
		state->leader = leader(state);
}

static void break_even_loop_waited(struct poll_state *state, const struct poll_params *params,
				   const struct poll_wait *wait)
{
	int64_t sleep_ns, max_ns, look_ns, ns;
	bool deduced;

	/* Work was there, nothing was waited for: every expert pays nothing. */
	if (!wait->block_ns)
		return;
	if (!state->look_every) {
		state->look_every = LOOK_SOON;
		state->late_ns = params->wake_ns;
	}
	sleep_ns = sleep_cost(state, params);
	max_ns = longest(params->max_ns, sleep_ns);
	look_ns = MIN(sleep_ns, max_ns);
	ns = arrival(state, wait, &deduced);
	/* The loop may have had a reason not to spin. */
	if (state->looking && wait->slept && wait->spun_ns < state->poll_ns)
		state->looking = false;
	if (state->looking)
		look_done(state, !wait->slept, ns, sleep_ns);
	else
		state->expected += ((ns <= look_ns ? 1 : 0) - state->expected) / 16;
	if (deduced)
		slept(state, wait, params->wake_ns);
	pay(state, ns, sleep_ns, max_ns);
	state->poll_ns = leader_spin(state, max_ns);
	state->looking = look_is_due(state, deduced, look_ns);
	if (state->looking)
		state->poll_ns = look_ns;
}

const struct poll_policy poll_policy_break_even = {
	.name = "break-even",
	.defaults = { .grow = 2, .shrink = 0, .weight = 3, .latency_percent = 100 },
	.measured = true,
	.usual_max_ns = 64000, /* the longest of its own; it takes less by itself */
	.loop_waited = break_even_loop_waited,
};
