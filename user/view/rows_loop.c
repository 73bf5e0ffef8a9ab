// SPDX-License-Identifier: BSD-2-Clause
/* The rows of loops as text: see rows.h. */
#include <stdio.h>

#include <handoff/report.h>

#include "rows.h"

void view_row_loop_header(struct view_columns c, char *buf, size_t size)
{
	snprintf(buf, size, "%-*s %7s %-8s %6s %6s %7s %8s %8s %10s %7s %6s", c.loop, "LOOP", "TID",
		 "WAITS", "POLLS", "HITS", "POLL-NS", "handling", "poll-hit", "poll-waste",
		 "blocked", "runq");
}

/* How long it spins now; if only the VMM knows, how long at most. */
static char *poll_ns(const struct report_loop *l, char buf[VIEW_FIGURE])
{
	char most[VIEW_FIGURE];

	if (l->counters_evidence != EVIDENCE_ABSENT || l->settings_evidence == EVIDENCE_ABSENT)
		return view_figure(buf, l->counters_evidence, l->poll_ns);
	snprintf(buf, VIEW_FIGURE, "<=%.13s", view_count(most, l->poll_max_ns));
	return buf;
}

/* What stands before the account. */
static int loop_head(const struct report_loop *l, struct view_columns c, char *buf, size_t size)
{
	char polls[VIEW_FIGURE], hits[VIEW_FIGURE], ns[VIEW_FIGURE];

	return snprintf(buf, size, "%-*.*s %7u %-8s %6s %6s %7s ", c.loop, c.loop, l->id, l->tid,
			l->how[0] ? l->how : "?", view_figure(polls, l->polls_evidence, l->polls),
			view_figure(hits, l->polls_evidence, l->hits), poll_ns(l, ns));
}

void view_row_loop(const struct report_loop *l, struct view_columns c, char *buf, size_t size)
{
	char handling[VIEW_FIGURE], hit[VIEW_FIGURE], waste[VIEW_FIGURE], blocked[VIEW_FIGURE],
		runq[VIEW_FIGURE];
	size_t fill = (size_t)loop_head(l, c, buf, size);
	enum evidence e = l->account_evidence;

	if (fill >= size)
		return;
	if (e == EVIDENCE_ABSENT) {
		snprintf(buf + fill, size - fill, "account absent: %s", l->account_reason);
		return;
	}
	snprintf(buf + fill, size - fill, "%8s %8s %10s %7s %6s",
		 view_share(handling, e, l->handling_ns, l->wall_ns),
		 view_share(hit, e, l->polling_hit_ns, l->wall_ns),
		 view_share(waste, e, l->polling_waste_ns, l->wall_ns),
		 view_share(blocked, e, l->blocked_ns, l->wall_ns),
		 l->runq_evidence == EVIDENCE_ABSENT
			 ? "absent"
			 : view_share(runq, l->runq_evidence, l->runq_ns, l->wall_ns));
}

void view_row_settings(const struct report_loop *l, char *buf, size_t size)
{
	if (l->settings_evidence == EVIDENCE_ABSENT)
		snprintf(buf, size, "%s  poll-max-ns ?", l->id);
	else
		snprintf(buf, size, "%s  poll-max-ns %llu%s%s", l->id,
			 (unsigned long long)l->poll_max_ns, l->poll_policy[0] ? "  " : "",
			 l->poll_policy);
}

int view_loop_at(const struct report *r, uint32_t tid)
{
	for (uint32_t i = 0; i < r->n_loops; i++)
		if (r->loop[i].tid == tid)
			return (int)i;
	for (uint32_t i = 0; i < r->n_loops; i++)
		if (r->loop[i].kind == STATS_LOOP_IOTHREAD)
			return (int)i;
	return r->n_loops ? 0 : -1;
}
