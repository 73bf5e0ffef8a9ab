// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a report to a recommendation. What a sleep costs (B of tuning.md): system calls and switch,
 * the kick's way to the signal as measured, and the wake latency as measured, weighted by the goal.
 */
#include <handoff/advisor.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/poll_policy.h>
#include <handoff/report.h>
#include "arrivals.h"
#include "curve.h"

/* Less than this is not worth a change: noise between two measurements is more. */
#define WORTH	      0.03
/* Two points of hits apart are as good as the same to a budget. */
#define SAME_HITS     0.005
/* Of the waits, those that may be shorter than any exit: found late, or torn. */
#define EXIT_PERMILLE 20

static double mean_ns(const struct hist *h)
{
	return h->count ? (double)h->sum_ns / (double)h->count : 0;
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* Of all its waits, if they know. */
static double exit_of_waits(const struct report *r, const struct report_loop *l)
{
	double sum = 0, n = 0;
	uint32_t i;

	for (i = 0; i < r->n_waits; i++) {
		if (r->wait[i].tid != l->tid)
			continue;
		if (!r->wait[i].exit_ns)
			return 0;
		sum += r->wait[i].exit_ns;
		n++;
	}
	return share(sum, n);
}

static void take_exit(struct advice *a, const struct report *r, const struct report_loop *l)
{
	bool measured = l->stage[STAGE_EXIT].evidence == EVIDENCE_EXACT;

	a->exit_ns = measured ? mean_ns(&l->stage[STAGE_EXIT].hist) : exit_of_waits(r, l);
	a->exit_most_ns = a->exit_ns;
	if (!measured && a->exit_ns <= 0)
		a->exit_most_ns = (double)hist_quantile_ns(&l->gap_hist, EXIT_PERMILLE);
}

static void take_facts(struct advice *a, const struct report *r, const struct report_loop *l,
		       const struct poll_policy *policy, const struct advice_goal *goal)
{
	memcpy(a->loop, l->id, sizeof(a->loop));
	a->tid = l->tid;
	snprintf(a->policy, sizeof(a->policy), "%s", policy->name);
	a->today_evidence = l->settings_evidence;
	a->today_ns = (int64_t)MIN(l->poll_max_ns, (uint64_t)INT64_MAX);
	a->gaps_evidence = l->gaps_evidence;
	a->gaps_hidden = l->gaps_hidden;
	snprintf(a->gaps_reason, sizeof(a->gaps_reason), "%s", l->gaps_reason);
	a->gaps = l->gap_hist.count;
	a->wakes = l->wake_hist.count;
	a->seconds = (double)r->duration_ns / 1e9;
	a->rate = share((double)a->gaps, a->seconds);
	a->gap_p50_ns = (double)hist_quantile_ns(&l->gap_hist, 500);
	a->gap_p90_ns = (double)hist_quantile_ns(&l->gap_hist, 900);
	a->wake_ns = mean_ns(&l->wake_hist);
	take_exit(a, r, l);
	a->block_cost_ns = POLL_BLOCK_COST_NS + mean_ns(&l->stage[STAGE_SIGNAL].hist) + a->exit_ns +
			   goal->latency_weight * a->wake_ns;
	a->arrivals = arrivals_of(r, l);
}

/* Why there is nothing to go by; false: there is. */
static bool lacks_facts(struct advice *a, const struct report_loop *l)
{
	if (a->gaps_evidence == EVIDENCE_ABSENT)
		snprintf(a->why, sizeof(a->why), "its waits cannot be seen: %.180s",
			 l->gaps_reason);
	else if (a->gaps < ADVICE_MIN_GAPS)
		snprintf(
			a->why, sizeof(a->why),
			"%llu waits ended by work are too few, %d are needed: let it work, or give "
			"--duration",
			(unsigned long long)a->gaps, ADVICE_MIN_GAPS);
	else if (!a->wakes)
		snprintf(a->why, sizeof(a->why),
			 "no wait was slept through, so what a wake costs was not seen");
	else
		return false;
	return true;
}

/* How many of the points may be advised. They rise, and the first is 0. */
static uint32_t within_limit(const struct advice *a, const struct advice_goal *goal)
{
	uint32_t n = a->n;

	while (goal->most_ns && n > 1 && a->point[n - 1].max_ns > goal->most_ns)
		n--;
	return n;
}

static uint32_t best_by_cost(const struct advice *a, uint32_t n)
{
	uint32_t i, best = 0;

	for (i = 1; i < n; i++)
		if (a->point[i].cost_ns < a->point[best].cost_ns * (1 - 1e-9))
			best = i;
	return best;
}

/* The most hits that the budget buys, and of those that are as many the shortest spin. */
static uint32_t best_by_budget(const struct advice *a, uint32_t n, double budget)
{
	uint32_t i, best = 0;

	for (i = 1; i < n; i++)
		if (a->point[i].cpu <= budget &&
		    a->point[i].hit_share > a->point[best].hit_share + SAME_HITS)
			best = i;
	return best;
}

static bool as_good(const struct advice *a, const struct advice_goal *goal)
{
	const struct advice_point *today, *best = &a->point[a->best];

	if (a->today >= a->n)
		return false;
	today = &a->point[a->today];
	if (a->today == a->best)
		return true;
	if (goal->budget > 0)
		return today->cpu <= goal->budget && best->hit_share - today->hit_share < WORTH;
	return best->cost_ns > today->cost_ns * (1 - WORTH);
}

static void say_why(struct advice *a, const struct advice_goal *goal)
{
	const struct advice_point *best = &a->point[a->best];
	char wake[16], spun[16], cost[16];

	clock_format_ns(wake, (int64_t)a->wake_ns);
	clock_format_ns(spun, (int64_t)best->spun_ns);
	clock_format_ns(cost, (int64_t)a->block_cost_ns);
	if (goal->budget > 0 && !best->max_ns)
		snprintf(a->why, sizeof(a->why), "no spin finds work within %.3g%% of a core",
			 goal->budget * 100);
	else if (goal->budget > 0)
		snprintf(a->why, sizeof(a->why),
			 "finds %.1f%% of the work for %.1f%% of a core, within the budget of "
			 "%.3g%%; each saves a wake of %s",
			 best->hit_share * 100, best->cpu * 100, goal->budget * 100, wake);
	else if (!best->max_ns)
		snprintf(a->why, sizeof(a->why),
			 "work comes too late for any spin: a sleep costs %s, and no spin is "
			 "cheaper on the mean",
			 cost);
	else
		snprintf(a->why, sizeof(a->why),
			 "a sleep costs %s (wake %s); spinning %s a wait finds work in %.1f%% of "
			 "them, which is least in all",
			 cost, wake, spun, best->hit_share * 100);
}

static void say_sure(struct advice *a)
{
	double p = a->point[a->best].hit_share, most = a->point[a->best].hit_most;
	double points = 200 * sqrt(MAX(p * (1 - p), 0.25 / (double)a->gaps) / (double)a->gaps);
	static const char *const kinds[] = {
		[ARRIVALS_UNKNOWN] = "whether work comes by itself cannot be told, it is at rest "
				     "too much",
		[ARRIVALS_OPEN] = "work comes by itself, so the curve holds",
		[ARRIVALS_CLOSED] = "CLOSED LOOP: each request waits for the one before, so faster "
				    "service brings more, sooner; measure after (--apply)",
	};
	char unseen[80] = "";

	if (most > p + points / 100)
		snprintf(unseen, sizeof(unseen),
			 " (to %.1f%% by what is not seen here, or in the better parts)",
			 most * 100);
	snprintf(a->sure, sizeof(a->sure), "%llu waits, %s: hits +-%.1f points%s; %s",
		 (unsigned long long)a->gaps, evidence_name(a->gaps_evidence), points, unseen,
		 kinds[a->arrivals]);
}

/* As QMP tells it, or the VMM's statistics; of one that we do not know: QEMU's, which most have. */
static const struct poll_policy *policy_of(const struct report *interval,
					   const struct report_loop *loop, const char *name)
{
	const struct poll_policy *policy = NULL;

	if (!name && loop->poll_policy[0])
		name = loop->poll_policy;
	if (name || !strcmp(interval->vmm_kind, "handoff"))
		policy = poll_policy_find(name, NULL);
	return policy ? policy : &poll_policy_qemu;
}

void advise(const struct report *interval, const struct report_loop *loop, const char *policy_name,
	    const struct advice_goal *goal, struct advice *a)
{
	const struct poll_policy *policy = policy_of(interval, loop, policy_name);
	uint32_t n;

	memset(a, 0, sizeof(*a));
	take_facts(a, interval, loop, policy, goal);
	a->today = ADVICE_POINTS;
	if (lacks_facts(a, loop))
		return;
	if (curve_fill(a, interval, loop, policy)) {
		snprintf(a->why, sizeof(a->why), "out of memory");
		return;
	}
	n = within_limit(a, goal);
	a->best = goal->budget > 0 ? best_by_budget(a, n, goal->budget) : best_by_cost(a, n);
	if (a->gaps_hidden) {
		snprintf(a->why, sizeof(a->why), "the curve lacks the short waits: %.190s",
			 loop->gaps_reason);
		return;
	}
	a->action = as_good(a, goal) ? ADVICE_KEEP : ADVICE_SET;
	if (a->action == ADVICE_KEEP)
		a->best = a->today;
	say_why(a, goal);
	say_sure(a);
}
