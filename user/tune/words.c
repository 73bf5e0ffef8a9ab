// SPDX-License-Identifier: BSD-2-Clause
/* See words.h. */
#include "words.h"

#include <stdio.h>
#include <handoff/clock.h>
#include <handoff/report.h>

char *words_goal(const struct advice_goal *goal, char buf[WORDS_MAX])
{
	char most[48] = "";

	if (goal->most_ns)
		snprintf(most, sizeof(most), ", %lld at most", (long long)goal->most_ns);
	if (goal->budget > 0)
		snprintf(buf, WORDS_MAX, "spinning may take %.3g%% of a core%s", goal->budget * 100,
			 most);
	else
		snprintf(buf, WORDS_MAX, "a ns of latency is worth %.3g ns of CPU%s",
			 goal->latency_weight, most);
	return buf;
}

char *words_vm(const struct advice_report *r, char buf[WORDS_MAX])
{
	char goal[WORDS_MAX];

	snprintf(buf, WORDS_MAX, "handoff: tune %s %d (%s), %.1f s, %.150s", r->comm, (int)r->pid,
		 r->vmm_kind, r->seconds, words_goal(&r->goal, goal));
	return buf;
}

char *words_loop(const struct advice_report *r, const struct advice *a, char buf[WORDS_MAX])
{
	if (a->today_evidence == EVIDENCE_ABSENT)
		snprintf(buf, WORDS_MAX, "%s, thread %u, today's poll-max-ns not known%s", a->loop,
			 a->tid, r->qmp_reason[0] ? ": see below" : "");
	else
		snprintf(buf, WORDS_MAX, "%s, thread %u, poll-max-ns %lld today, rule \"%s\"",
			 a->loop, a->tid, (long long)a->today_ns, a->policy);
	return buf;
}

char *words_waits(const struct advice *a, char buf[WORDS_MAX])
{
	char p50[16], p90[16], wake[16];

	buf[0] = '\0';
	if (a->gaps_evidence == EVIDENCE_ABSENT || !a->gaps)
		return buf;
	snprintf(
		buf, WORDS_MAX,
		"%llu in %.1f s, half within %s, nine in ten within %s; %llu slept through, a wake "
		"takes %s",
		(unsigned long long)a->gaps, a->seconds,
		clock_format_ns(p50, (int64_t)a->gap_p50_ns),
		clock_format_ns(p90, (int64_t)a->gap_p90_ns), (unsigned long long)a->wakes,
		clock_format_ns(wake, (int64_t)a->wake_ns));
	return buf;
}

char *words_advice(const struct advice *a, char buf[WORDS_MAX])
{
	long long max_ns = (long long)a->point[a->best].max_ns;

	if (a->action == ADVICE_NONE)
		snprintf(buf, WORDS_MAX, "%s", a->why);
	else if (a->action == ADVICE_KEEP)
		snprintf(buf, WORDS_MAX, "keep %lld: %s", max_ns, a->why);
	else
		snprintf(buf, WORDS_MAX, "poll-max-ns %lld: %s", max_ns, a->why);
	return buf;
}

char *words_kicks(const struct advice *a, char buf[WORDS_MAX])
{
	const struct advice_point *p = &a->point[a->best];

	buf[0] = '\0';
	if (a->action != ADVICE_NONE && p->kicks_most - p->kicks >= 1)
		snprintf(
			buf, WORDS_MAX,
			"%.0f/s is the least; up to %.0f/s if the VMM lets the guest kick while it "
			"polls, as QEMU up to 7.2 does with a split ring and EVENT_IDX",
			p->kicks, p->kicks_most);
	return buf;
}
