// SPDX-License-Identifier: BSD-2-Clause
/* An interval as lines, for pipes: see handoff/view.h. Main thread. */
#include <stdio.h>

#include <handoff/clock.h>
#include <handoff/hist.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "rows.h"

static void put_interval_stage(const struct report *interval, enum stage s, FILE *to)
{
	const struct report_stage *stage = &interval->stage[s];
	char a[16], b[16];

	if (stage->evidence == EVIDENCE_ABSENT || !stage->hist.count)
		return;
	fprintf(to, "  %s %s/%s", stage_name(s),
		clock_format_ns(a, (int64_t)hist_quantile_ns(&stage->hist, 500)),
		clock_format_ns(b, (int64_t)hist_quantile_ns(&stage->hist, 990)));
}

/* Requests a second; kicks where nobody tells requests. */
static void put_rate(const struct report_queue *q, double seconds, FILE *to)
{
	bool requests = q->requests_evidence != EVIDENCE_ABSENT;
	uint64_t n = requests ? q->requests : q->kicks;
	char a[VIEW_FIGURE] = "?";

	if (requests || q->kicks_evidence != EVIDENCE_ABSENT)
		view_count(a, seconds > 0 ? (uint64_t)((double)n / seconds) : 0);
	fprintf(to, "  %s %s/s", a, requests ? "req" : "kicks");
}

/* Of a queue whose arrivals nobody could see. */
static void put_met(const struct report_queue *q, FILE *to)
{
	char a[VIEW_FIGURE];

	fprintf(to, "  kicks %s",
		q->kicks_evidence != EVIDENCE_ABSENT ? view_count(a, q->kicks) : "?");
	fprintf(to, "  woke %s", view_share(a, q->met_evidence, q->kicks_asleep, q->kicks));
	fprintf(to, "  awake %s", view_share(a, q->met_evidence, q->kicks_awake, q->kicks));
	fprintf(to, "  coalesced %s", view_share(a, q->met_evidence, q->kicks_coalesced, q->kicks));
	if (q->kicks_left)
		fprintf(to, "  userspace %s", view_percent(a, q->kicks_left, q->kicks));
	fputc('\n', to);
}

static void put_queue(const struct report_queue *q, double seconds, FILE *to)
{
	enum evidence e = q->arrivals_evidence;
	char a[VIEW_FIGURE], b[VIEW_FIGURE];

	put_rate(q, seconds, to);
	if (e == EVIDENCE_ABSENT) {
		put_met(q, to);
		return;
	}
	fprintf(to, "  polled %s  notified %s",
		view_share(a, e, q->outcome[OUTCOME_POLLED], q->arrivals),
		view_share(b, e, q->outcome[OUTCOME_NOTIFIED], q->arrivals));
	if (view_outcome_known(q, OUTCOME_BUSY))
		fprintf(to, "  busy %s", view_share(a, e, q->outcome[OUTCOME_BUSY], q->arrivals));
	if (q->outcome[OUTCOME_USERSPACE])
		fprintf(to, "  userspace %s",
			view_share(a, e, q->outcome[OUTCOME_USERSPACE], q->arrivals));
	if (q->outcome[OUTCOME_LOST])
		fprintf(to, "  LOST %s", view_count(a, q->outcome[OUTCOME_LOST]));
	fprintf(to, "  kicks %s",
		q->kicks_evidence != EVIDENCE_ABSENT ? view_count(a, q->kicks) : "?");
	if (q->met_evidence != EVIDENCE_ABSENT && q->kicks)
		fprintf(to, "  woke %s", view_percent(a, q->kicks_asleep, q->kicks));
	fputc('\n', to);
}

/* "3.0s disk0.0 > io0 1234 req/s polled 98.1% ... kicks 12", a line each; alarms that last; then
 * one line with p50/p99 of each stage. */
void view_interval_line(const struct report *interval, const struct report *total, bool by_pid,
			FILE *to)
{
	double seconds = (double)interval->duration_ns / 1e9;
	char pid[16] = "", name[VIEW_NAME], row[VIEW_ROW];

	if (by_pid)
		snprintf(pid, sizeof(pid), "%u ", total->pid);
	for (uint32_t i = 0; i < interval->n_queues; i++) {
		const struct report_queue *q = &interval->queue[i];

		fprintf(to, "%s%6.1fs  %s > %s", pid, (double)total->duration_ns / 1e9,
			view_queue_name(q, name), q->loop[0] ? q->loop : "?");
		put_queue(q, seconds, to);
	}
	for (uint32_t i = 0; i < total->n_alarms; i++) {
		if (total->alarm[i].over)
			continue;
		view_row_alarm(&total->alarm[i], row, sizeof(row));
		fprintf(to, "%s         %s\n", pid, row);
	}
	fprintf(to, "%s         p50/p99:", pid);
	for (enum stage s = 0; s < STAGES; s++)
		put_interval_stage(interval, s, to);
	fputc('\n', to);
}
