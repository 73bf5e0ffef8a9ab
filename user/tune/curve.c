// SPDX-License-Identifier: BSD-2-Clause
/*
 * See curve.h. Not what a fixed spin would do: a policy that learns forgets after each long wait,
 * and finds less. So it is played on the waits (waits.h).
 */
#include "curve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/poll_policy.h>
#include <handoff/poll_replay.h>
#include "waits.h"

#define QEMU_TURN_NS 300
/* QEMU's and ours alike: notifications on, and the rings once more. Measured: of work that follows
 * the end of a spin, what comes within 1.6 us, or 3.3 where the loop is traced, is found so. */
#define LOOK_NS	     2000

#define PARTS 8

static const int64_t candidates[] = { 0,      2000,   4000,   8000,   16000,  24000,
				      32768,  48000,  64000,  96000,  128000, 192000,
				      256000, 384000, 512000, 768000, 1000000 };

/*
 * Of a closed loop the time that a wake takes goes into the time from one wait to the next: what is
 * spared brings the next one sooner.
 */
static double rate_at(const struct advice *a, double slept_share, double slept_then)
{
	double cycle_ns = a->rate > 0 ? 1e9 / a->rate : 0, saved;

	if (a->arrivals != ARRIVALS_CLOSED || cycle_ns <= 0)
		return a->rate;
	saved = (slept_share - slept_then) * a->wake_ns;
	/* Something is always left: what was saved was measured apart from the cycle. */
	return 1e9 / MAX(cycle_ns - saved, cycle_ns / 20);
}

/* What a sleep costs a loop that measures it is not the same from one second to the next, and where
 * it is near what a spin costs, that decides between all hits and none. */
static const double cost_factors[] = { 1, 0.7, 1.4 };

/* What of a loop is not known here is played either way. */
struct unknown {
	double exit_ns[2];
	bool lingers[2];
	int exits, rings, costs; /* how many of each */
	int64_t turn_ns;
	bool kicks_off;
};

static void list_unknown(struct unknown *u, const struct advice *a, const struct report *r,
			 const struct report_loop *loop, const struct poll_policy *policy)
{
	bool flag = false, lingers = false;
	uint32_t i;

	for (i = 0; i < r->n_queues; i++) {
		if (r->queue[i].loop_index != (uint32_t)(loop - r->loop))
			continue;
		flag |= r->queue[i].ring != STATS_RING_SPLIT_EVENT_IDX;
		lingers |= r->queue[i].ring != STATS_RING_FLAG;
	}
	*u = (struct unknown){ .exit_ns = { a->exit_ns, a->exit_most_ns },
			       .lingers = { lingers && !flag, lingers },
			       .exits = a->exit_most_ns > a->exit_ns ? 2 : 1,
			       .rings = lingers && flag ? 2 : 1 };
	u->costs = policy->measured ? (int)ARRAY_SIZE(cost_factors) : 1;
	u->kicks_off = !strcmp(r->vmm_kind, "handoff");
	/* QEMU's rule judges the turn, too, in which the guest is told that its request is done. */
	if (!strcmp(r->vmm_kind, "qemu") && policy == &poll_policy_qemu)
		u->turn_ns = QEMU_TURN_NS;
}

struct player {
	const struct advice *a;
	const struct report_loop *loop;
	const struct poll_policy *policy;
	const struct waits *waits;
	const struct unknown *unknown;
	int64_t max_ns;
	double exit_ns, cost_factor;
	bool lingers;
};

/*
 * The loop's own, where it tells them. What a sleep costs, too, is the loop's own measure: the
 * user's goal judges what comes of the rule, and does not change the rule.
 */
static struct poll_params params_of(const struct player *p)
{
	const struct report_loop *l = p->loop;
	struct poll_params params = { .max_ns = p->max_ns }, defaults;

	if (p->policy->measured) {
		params.wake_ns = (int64_t)MIN(p->a->wake_ns + p->exit_ns, (double)NS_PER_S);
		params.block_cost_ns = (int64_t)MIN(l->poll_block_cost_ns, NS_PER_S);
		if (!params.block_cost_ns)
			params.block_cost_ns = POLL_BLOCK_COST_NS + params.wake_ns;
		params.block_cost_ns = (int64_t)((double)params.block_cost_ns * p->cost_factor);
	}
	defaults = params;
	if (l->settings_evidence != EVIDENCE_ABSENT) {
		params.grow = (uint32_t)MIN(l->poll_grow, UINT32_MAX);
		params.shrink = (uint32_t)MIN(l->poll_shrink, UINT32_MAX);
		params.weight = (uint32_t)MIN(l->poll_weight, UINT32_MAX);
	}
	if (!poll_params_complete(p->policy, &params, NULL))
		return params;
	/* No VMM has settings out of range, whatever it tells. */
	(void)!poll_params_complete(p->policy, &defaults, NULL);
	return defaults;
}

/* On n waits from the given one on. */
static struct poll_replay_result play(const struct player *p, size_t from, size_t n)
{
	const struct waits *w = p->waits;
	const struct poll_replay how = { .wakes = w->wake + from,
					 .after_hit = w->after_hit + from,
					 .merged = w->merged + from,
					 .look_ns = LOOK_NS,
					 .kick_lingers = p->lingers,
					 .kicks_off = p->unknown->kicks_off,
					 .turn_ns = p->unknown->turn_ns,
					 /* Nobody stamps a guest's kick. */
					 .unknown = p->policy->measured };
	const struct poll_params params = params_of(p);

	return poll_replay(p->policy, &params, &how, w->gap + from, n);
}

static double hits_of(const struct poll_replay_result *r)
{
	return (double)r->hits / (double)r->waits;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Of the parts of the interval, that which is the best but one. A machine has phases, and in some
 * of them sleeping itself does something to the guest: while the loop's CPU falls asleep and wakes
 * up the hypervisor under this host, if there is one, may hold up the vCPU's, too. In parts that
 * are alike it is that much better by chance as parts differ: a bound, no estimate.
 */
static double hits_of_best_parts(const struct player *p)
{
	size_t n = p->waits->n / PARTS, i;
	struct poll_replay_result r;
	double hits[PARTS];

	for (i = 0; i < PARTS; i++) {
		r = play(p, i * n, n);
		hits[i] = hits_of(&r);
	}
	qsort(hits, PARTS, sizeof(hits[0]), by_value);
	return hits[PARTS - 2];
}

/* Of each wait that was measured: work that came during a wake adds waits to those. */
static void fill_point(struct advice_point *p, const struct advice *a,
		       const struct poll_replay_result *r, size_t n, double slept_share,
		       bool kicks_off)
{
	double slept = (double)(r->waits - r->hits) / (double)n, rate;

	p->hit_share = hits_of(r);
	p->spun_ns = r->spun / (double)n;
	p->late_ns = slept * a->wake_ns;
	p->cost_ns = p->spun_ns + slept * a->block_cost_ns;
	rate = rate_at(a, slept_share, slept);
	p->cpu = rate * p->spun_ns / 1e9;
	p->kicks = rate * slept;
	/* QEMU up to 7.2 leaves poll mode for each bottom half (until "util/aio: Defer disabling
	 * poll mode as long as possible"), and has kicks on for a moment: of a split ring with
	 * EVENT_IDX avail_event then asks for the next one, of others it is a matter of chance. */
	p->kicks_most = kicks_off ? p->kicks : rate * (double)r->waits / (double)n;
}

/* The point is the one that finds least. */
static void take_play(struct advice_point *point, const struct player *p, double slept_share,
		      bool first)
{
	struct poll_replay_result r = play(p, 0, p->waits->n);
	double hits = hits_of(&r);

	if (first)
		point->hit_most = hits;
	point->hit_most = MAX(point->hit_most, hits);
	if (p->waits->in_order && p->waits->n >= PARTS * ADVICE_MIN_GAPS)
		point->hit_most = MAX(point->hit_most, hits_of_best_parts(p));
	if (first || hits < point->hit_share)
		fill_point(point, p->a, &r, p->waits->n, slept_share, p->unknown->kicks_off);
}

/* Where the curve bends: farthest above the straight line from end to end, as the candidates stand
 * in the table. 0 = there are no hits. */
static uint32_t knee_of(const struct advice *a)
{
	double most = 0, far = 0, d;
	uint32_t i, knee = 0;

	for (i = 0; i < a->n; i++)
		most = MAX(most, a->point[i].hit_share);
	for (i = 0; i < a->n && most > 0; i++) {
		d = a->point[i].hit_share / most - (double)i / (a->n - 1);
		if (d > far) {
			far = d;
			knee = i;
		}
	}
	return knee;
}

/* Today's setting among the candidates, at its place. */
static void list_candidates(struct advice *a)
{
	bool today = a->today_evidence == EVIDENCE_ABSENT;
	unsigned int i;

	a->n = 0;
	a->today = ADVICE_POINTS;
	for (i = 0; i < ARRAY_SIZE(candidates); i++) {
		if (!today && a->today_ns <= candidates[i]) {
			a->today = a->n;
			today = true;
			if (a->today_ns < candidates[i])
				a->point[a->n++].max_ns = a->today_ns;
		}
		a->point[a->n++].max_ns = candidates[i];
	}
	if (!today) {
		a->today = a->n;
		a->point[a->n++].max_ns = a->today_ns;
	}
}

int curve_fill(struct advice *a, const struct report *interval, const struct report_loop *loop,
	       const struct poll_policy *policy)
{
	struct waits *waits = malloc(sizeof(*waits));
	double slept_share = MIN((double)a->wakes / (double)a->gaps, 1.0);
	struct unknown u;
	struct player p = { .a = a, .loop = loop, .policy = policy, .waits = waits, .unknown = &u };
	uint32_t i, c;
	int e;

	if (!waits)
		return -ENOMEM;
	list_candidates(a);
	list_unknown(&u, a, interval, loop, policy);
	for (e = 0; e < u.exits; e++) {
		p.exit_ns = u.exit_ns[e];
		waits_fill(waits, interval, loop, a, p.exit_ns);
		for (i = 0; i < a->n * (uint32_t)(u.rings * u.costs); i++) {
			c = i / a->n;
			p.max_ns = a->point[i % a->n].max_ns;
			p.lingers = u.lingers[c % (uint32_t)u.rings];
			p.cost_factor = cost_factors[c / (uint32_t)u.rings];
			take_play(&a->point[i % a->n], &p, slept_share, !e && !c);
		}
	}
	a->knee = knee_of(a);
	free(waits);
	return 0;
}
