// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a setting did while it stood, and whether it was better than what stood before: by the same
 * figures on both sides, none of them predicted.
 */
#include <handoff/advisor.h>

#include <stdio.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/report.h>

/* Two measurements of the same setting may be so far apart. */
#define NOISE 0.05

static void kicks_of(const struct report *r, const struct report_loop *l, double seconds,
		     struct advice_observed *o)
{
	uint32_t index = (uint32_t)(l - r->loop), i;
	double kicks = 0;

	for (i = 0; i < r->n_queues; i++)
		if (r->queue[i].loop_index == index)
			kicks += (double)r->queue[i].kicks;
	o->kicks = kicks / seconds;
}

/* Waits that ended with work. What a spin found may show in nothing but the requests that were
 * served: one each at depth 1, so at most as many. */
static bool count_waits(const struct report_loop *l, double requests, struct advice_observed *o)
{
	o->waits = l->gap_hist.count;
	if (!l->gaps_hidden) {
		snprintf(o->reason, sizeof(o->reason), "%.200s", l->gaps_reason);
		return true;
	}
	if (requests < 0) {
		snprintf(o->reason, sizeof(o->reason),
			 "%.180s; and no requests by query-blockstats", l->gaps_reason);
		return false;
	}
	if (requests > (double)o->waits)
		o->waits = (uint64_t)requests;
	snprintf(o->reason, sizeof(o->reason),
		 "what a spin found leaves no trace: each request of query-blockstats counts as an "
		 "arrival, too many at more than depth 1");
	return true;
}

void advice_observe(const struct report *interval, const struct report_loop *loop,
		    const struct advice_goal *goal, double requests, struct advice_observed *o)
{
	double seconds = (double)interval->duration_ns / 1e9;
	uint64_t idle_ns = loop->blocked_ns + loop->runq_ns, run_ns, slept;

	memset(o, 0, sizeof(*o));
	o->max_ns = (int64_t)loop->poll_max_ns;
	o->requests = requests >= 0 && seconds > 0 ? requests / seconds : -1;
	o->request_ns = -1;
	if (seconds <= 0 || loop->account_evidence == EVIDENCE_ABSENT) {
		snprintf(o->reason, sizeof(o->reason), "the loop's CPU time was not seen");
		return;
	}
	if (!count_waits(loop, requests, o))
		return;
	if (o->waits < ADVICE_MIN_GAPS) {
		snprintf(o->reason, sizeof(o->reason), "%llu waits ended by work are too few",
			 (unsigned long long)o->waits);
		return;
	}
	o->known = true;
	slept = MIN(loop->wake_hist.count, o->waits);
	run_ns = loop->wall_ns > idle_ns ? loop->wall_ns - idle_ns : 0;
	o->hit_share = 1 - (double)slept / (double)o->waits;
	o->late_ns = (double)loop->wake_hist.sum_ns / (double)o->waits;
	o->loop_cpu = (double)run_ns / (double)interval->duration_ns;
	o->spun_cpu = (double)(loop->polling_hit_ns + loop->polling_waste_ns) /
		      (double)interval->duration_ns;
	o->rate = (double)o->waits / seconds;
	o->cost_ns = (double)run_ns / (double)o->waits + goal->latency_weight * o->late_ns;
	if (requests >= 1)
		o->request_ns = (double)run_ns / requests;
	kicks_of(interval, loop, seconds, o);
}

/* By a budget. What was over it is to become less, even if that adds wakes. */
static bool is_within(const struct advice_observed *before, const struct advice_observed *after,
		      double budget, char why[ADVICE_TEXT])
{
	double limit = budget * (1 + NOISE) + 0.01, more_cpu = after->loop_cpu - before->loop_cpu;
	char a[16], b[16];

	if (after->spun_cpu > limit) {
		snprintf(why, ADVICE_TEXT, "spins take %.1f%% of a core, and %.3g%% is the budget",
			 after->spun_cpu * 100, budget * 100);
		return false;
	}
	if (before->spun_cpu > limit) {
		snprintf(why, ADVICE_TEXT,
			 "within the budget of %.3g%%: spins take %.1f%% of a core, not %.1f%%",
			 budget * 100, after->spun_cpu * 100, before->spun_cpu * 100);
		return true;
	}
	if (more_cpu > limit) {
		snprintf(why, ADVICE_TEXT,
			 "the loop takes %.1f%% more of a core, and %.3g%% is the budget",
			 more_cpu * 100, budget * 100);
		return false;
	}
	clock_format_ns(a, (int64_t)after->late_ns);
	clock_format_ns(b, (int64_t)before->late_ns);
	if (after->late_ns <= before->late_ns * (1 + NOISE)) {
		snprintf(why, ADVICE_TEXT, "within the budget, and wakes add %s to a wait, not %s",
			 a, b);
		return true;
	}
	snprintf(why, ADVICE_TEXT, "what wakes add to a wait rose from %s to %s", b, a);
	return false;
}

bool advice_is_better(const struct advice_observed *before, const struct advice_observed *after,
		      const struct advice_goal *goal, char why[ADVICE_TEXT])
{
	char a[16], b[16];

	if (!after->known || !before->known) {
		snprintf(why, ADVICE_TEXT, "it could not be measured: %.180s",
			 after->known ? before->reason : after->reason);
		return false;
	}
	if (goal->budget > 0)
		return is_within(before, after, goal->budget, why);
	clock_format_ns(a, (int64_t)after->cost_ns);
	clock_format_ns(b, (int64_t)before->cost_ns);
	if (after->cost_ns <= before->cost_ns * (1 + NOISE)) {
		snprintf(why, ADVICE_TEXT, "a wait costs %s, not %s: its CPU and its latency", a,
			 b);
		return true;
	}
	snprintf(why, ADVICE_TEXT, "what a wait costs rose from %s to %s", b, a);
	return false;
}
