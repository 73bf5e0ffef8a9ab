// SPDX-License-Identifier: BSD-2-Clause
/*
 * See curve.h. Not what a fixed spin would do: a policy that learns forgets after each long wait,
 * and finds less. So waits are drawn from the histogram, the same ones for each candidate and in
 * each run, and the policy is played on them.
 */
#include "curve.h"

#include <errno.h>
#include <stdlib.h>
#include <handoff/compiler.h>
#include <handoff/poll_policy.h>
#include <handoff/poll_replay.h>

#define WAITS 20000 /* a hit share to within a point */

/* Drawn from what was measured. */
struct waits {
	int64_t gap[WAITS], wake[WAITS];
	int64_t short_gap[WAITS]; /* if the kick's exit takes as long as it may */
};

static const int64_t candidates[] = { 0,      2000,   4000,   8000,   16000,  24000,
				      32768,  48000,  64000,  96000,  128000, 192000,
				      256000, 384000, 512000, 768000, 1000000 };

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The time that so many others (0 .. total - 1) are shorter than; evenly within its bucket. */
static int64_t time_at(const struct hist *h, uint64_t rank)
{
	uint64_t low, high, seen = 0;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS - 1 && seen + h->bucket[i] <= rank; i++)
		seen += h->bucket[i];
	low = i ? hist_upper(i - 1) + 1 : 0;
	high = MIN(hist_upper(i), h->max_ns);
	if (high <= low || !h->bucket[i])
		return (int64_t)low;
	return (int64_t)(low + (uint64_t)((double)(high - low) * (double)(rank - seen) /
					  (double)h->bucket[i]));
}

static uint64_t total_of(const struct hist *h)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS; i++)
		n += h->bucket[i];
	return n;
}

/* Each less by so much. */
static void draw(const struct hist *h, uint64_t seed, double less_ns, int64_t ns[WAITS])
{
	uint64_t state = seed, total = total_of(h), rank;
	unsigned int i;

	for (i = 0; i < WAITS; i++) {
		rank = (uint64_t)((unsigned __int128)next_random(&state) * total >> 64);
		ns[i] = MAX(time_at(h, rank) - (int64_t)less_ns, (int64_t)0);
	}
}

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

static void fill_point(struct advice_point *p, const struct advice *a,
		       const struct poll_policy *policy, const struct waits *waits,
		       double slept_share)
{
	const struct poll_replay how = { .wakes = waits->wake };
	struct poll_params params = { .max_ns = p->max_ns,
				      .block_cost_ns = (int64_t)a->block_cost_ns };
	struct poll_replay_result r;
	double rate, slept;

	/* Its defaults are in range. */
	(void)!poll_params_complete(policy, &params, NULL);
	r = poll_replay(policy, &params, &how, waits->gap, WAITS);
	p->hit_share = (double)r.hits / WAITS;
	p->hit_most = p->hit_share;
	if (a->exit_most_ns > a->exit_ns)
		p->hit_most =
			(double)poll_replay(policy, &params, &how, waits->short_gap, WAITS).hits /
			WAITS;
	slept = 1 - p->hit_share;
	p->spun_ns = r.spun / WAITS;
	p->late_ns = slept * a->wake_ns;
	p->cost_ns = p->spun_ns + slept * a->block_cost_ns;
	rate = rate_at(a, slept_share, slept);
	p->cpu = rate * p->spun_ns / 1e9;
	p->kicks = rate * slept;
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

int curve_fill(struct advice *a, const struct hist *gaps, const struct hist *wakes,
	       const struct poll_policy *policy)
{
	struct waits *waits = malloc(sizeof(*waits));
	double slept_share = MIN((double)a->wakes / (double)a->gaps, 1.0);
	uint32_t i;

	if (!waits)
		return -ENOMEM;
	list_candidates(a);
	draw(gaps, 1, a->exit_ns, waits->gap);
	draw(gaps, 1, a->exit_most_ns, waits->short_gap);
	draw(wakes, 2, 0, waits->wake);
	for (i = 0; i < a->n; i++)
		fill_point(&a->point[i], a, policy, waits, slept_share);
	a->knee = knee_of(a);
	free(waits);
	return 0;
}
