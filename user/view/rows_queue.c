// SPDX-License-Identifier: BSD-2-Clause
/* The rows of queues and of their kicks as text: see rows.h. */
#include <stdio.h>
#include <string.h>

#include <handoff/compiler.h>
#include <handoff/report.h>

#include "rows.h"

#define NAME_LEAST 7 /* "disk0.0" */
#define NAME_MOST  20
#define LOOP_LEAST 5
#define LOOP_MOST  12

char *view_queue_name(const struct report_queue *q, char buf[VIEW_NAME])
{
	static const char *const marks[] = {
		[EVIDENCE_ABSENT] = "?",
		[EVIDENCE_INFERRED] = "~",
		[EVIDENCE_EXACT] = "",
	};

	snprintf(buf, VIEW_NAME, "%s%s.%u", marks[q->name_evidence], q->device, q->queue);
	return buf;
}

/* Cut to what the column holds, with the queue's number kept. */
static char *name_column(const struct report_queue *q, struct view_columns c, char buf[VIEW_NAME])
{
	char *dot = strrchr(view_queue_name(q, buf), '.');
	size_t tail = strlen(dot), room = (size_t)MAX(c.queue, (int)tail) - tail;

	memmove(buf + MIN((size_t)(dot - buf), room), dot, tail + 1);
	return buf;
}

struct view_columns view_columns(const struct report *r)
{
	struct view_columns c = { .queue = NAME_LEAST, .loop = LOOP_LEAST };
	char name[VIEW_NAME];

	for (uint32_t i = 0; i < r->n_queues; i++) {
		c.queue = MAX(c.queue, (int)strlen(view_queue_name(&r->queue[i], name)));
		c.loop = MAX(c.loop, (int)strlen(r->queue[i].loop));
	}
	for (uint32_t i = 0; i < r->n_loops; i++)
		c.loop = MAX(c.loop, (int)strlen(r->loop[i].id));
	c.queue = MIN(c.queue, NAME_MOST);
	c.loop = MIN(c.loop, LOOP_MOST);
	return c;
}

bool view_outcome_known(const struct report_queue *q, enum outcome o)
{
	switch (o) {
	case OUTCOME_BUSY:
	case OUTCOME_LOST:
		return q->outcome_evidence != EVIDENCE_ABSENT;
	case OUTCOME_POLLED:
		return q->arrivals_evidence != EVIDENCE_ABSENT;
	case OUTCOME_USERSPACE:
		return q->left_evidence != EVIDENCE_ABSENT;
	default:
		return true;
	}
}

bool view_wasted_known(const struct report_queue *q)
{
	return q->kicks_evidence != EVIDENCE_ABSENT && q->outcome_evidence != EVIDENCE_ABSENT;
}

/* Polled ones are where a guess about arrivals goes. */
static char *outcome(char buf[VIEW_FIGURE], const struct report_queue *q, enum outcome o)
{
	enum evidence evidence = o == OUTCOME_POLLED ? q->arrivals_evidence : EVIDENCE_EXACT;

	return view_figure(buf, view_outcome_known(q, o) ? evidence : EVIDENCE_ABSENT,
			   q->outcome[o]);
}

void view_row_queue_header(struct view_columns c, char *buf, size_t size)
{
	snprintf(buf, size, "%-*s %-*s %8s %7s %8s %5s %9s %4s %8s %6s", c.queue, "QUEUE", c.loop,
		 "LOOP", "ARRIVALS", "POLLED", "NOTIFIED", "BUSY", "USERSPACE", "LOST", "REQUESTS",
		 "IRQS");
}

void view_row_queue(const struct report_queue *q, struct view_columns c, char *buf, size_t size)
{
	char name[VIEW_NAME], n[OUTCOMES][VIEW_FIGURE], arrivals[VIEW_FIGURE],
		requests[VIEW_FIGURE], irqs[VIEW_FIGURE];

	name_column(q, c, name);
	for (enum outcome o = 0; o < OUTCOMES; o++)
		outcome(n[o], q, o);
	snprintf(buf, size, "%-*s %-*.*s %8s %7s %8s %5s %9s %4s %8s %6s", c.queue, name, c.loop,
		 c.loop, q->loop[0] ? q->loop : "?",
		 view_figure(arrivals, q->arrivals_evidence, q->arrivals), n[OUTCOME_POLLED],
		 n[OUTCOME_NOTIFIED], n[OUTCOME_BUSY], n[OUTCOME_USERSPACE], n[OUTCOME_LOST],
		 view_figure(requests, q->requests_evidence, q->requests),
		 view_figure(irqs, q->interrupts_evidence, q->interrupts));
}

void view_row_kicks_header(struct view_columns c, char *buf, size_t size)
{
	snprintf(buf, size, "%-*s %8s %7s %7s %9s %9s %7s %6s", c.queue, "KICKS", "SENT", "WOKE",
		 "AWAKE", "COALESCED", "USERSPACE", "WASTED", "K/REQ");
}

void view_row_kicks(const struct report_queue *q, struct view_columns c, char *buf, size_t size)
{
	char name[VIEW_NAME], woke[VIEW_FIGURE], awake[VIEW_FIGURE], coalesced[VIEW_FIGURE],
		left[VIEW_FIGURE], sent[VIEW_FIGURE] = "absent", wasted[VIEW_FIGURE] = "?",
				   ratio[VIEW_FIGURE] = "?";
	bool known = q->kicks_evidence != EVIDENCE_ABSENT;
	enum evidence left_evidence =
		!known || q->left_evidence == EVIDENCE_ABSENT ? EVIDENCE_ABSENT : EVIDENCE_EXACT;

	name_column(q, c, name);
	/* inferred: the VMM's own count, which is no guess */
	if (known)
		view_count(sent, q->kicks);
	if (view_wasted_known(q))
		view_count(wasted, q->wasted_kicks);
	if (known && q->requests_evidence != EVIDENCE_ABSENT)
		snprintf(ratio, sizeof(ratio), q->requests ? "%.3f" : "-",
			 (double)q->kicks / (double)MAX(q->requests, 1ull));
	snprintf(buf, size, "%-*s %8s %7s %7s %9s %9s %7s %6s", c.queue, name, sent,
		 view_share(woke, q->met_evidence, q->kicks_asleep, q->kicks),
		 view_share(awake, q->met_evidence, q->kicks_awake, q->kicks),
		 view_share(coalesced, q->met_evidence, q->kicks_coalesced, q->kicks),
		 view_share(left, left_evidence, q->kicks_left, q->kicks), wasted, ratio);
}
