// SPDX-License-Identifier: BSD-2-Clause
/* What the numbers of a report say, in two sentences: the answer to the question the tool asks. Of
 * what is not known nothing is said. See rows.h. */
#include <stdio.h>

#include <handoff/compiler.h>
#include <handoff/report.h>

#include "rows.h"

/* All queues together; each evidence is the weakest of theirs. */
struct sums {
	enum evidence arrivals, kicks, requests, wasted, met, left;
	uint64_t n_arrivals, n_polled, n_kicks, n_requests, n_wasted;
	uint64_t n_asleep, n_awake, n_coalesced, n_left;
};

static void add_queue(struct sums *s, const struct report_queue *q)
{
	s->arrivals = MIN(s->arrivals, q->arrivals_evidence);
	s->kicks = MIN(s->kicks, q->kicks_evidence);
	s->requests = MIN(s->requests, q->requests_evidence);
	s->met = MIN(s->met, q->met_evidence);
	s->left = MIN(s->left, q->left_evidence);
	if (!view_wasted_known(q))
		s->wasted = EVIDENCE_ABSENT;
	s->n_arrivals += q->arrivals;
	s->n_polled += q->outcome[OUTCOME_POLLED];
	s->n_kicks += q->kicks;
	s->n_requests += q->requests;
	s->n_wasted += q->wasted_kicks;
	s->n_asleep += q->kicks_asleep;
	s->n_awake += q->kicks_awake;
	s->n_coalesced += q->kicks_coalesced;
	s->n_left += q->kicks_left;
}

static void put_kicks(const struct sums *s, bool begins, FILE *to)
{
	char a[VIEW_FIGURE], b[VIEW_FIGURE];

	fprintf(to, "%s guest sent %s kicks", begins ? "\nThe" : "; the",
		view_count(a, s->n_kicks));
	if (s->requests != EVIDENCE_ABSENT)
		fprintf(to, " for %s requests", view_count(a, s->n_requests));
	if (s->wasted != EVIDENCE_ABSENT && s->n_kicks)
		fprintf(to, ", %s of them for nothing", view_percent(a, s->n_wasted, s->n_kicks));
	fputs(".\n", to);
	if (s->met == EVIDENCE_ABSENT || s->left == EVIDENCE_ABSENT || !s->n_kicks)
		return;
	fprintf(to, "Of the kicks %s woke a sleeping loop, %s met one awake, ",
		view_percent(a, s->n_asleep, s->n_kicks), view_percent(b, s->n_awake, s->n_kicks));
	fprintf(to, "%s were coalesced, %s left to user space.\n",
		view_percent(a, s->n_coalesced, s->n_kicks),
		view_percent(b, s->n_left, s->n_kicks));
}

void view_verdict(const struct report *r, FILE *to)
{
	struct sums s = { EVIDENCE_EXACT, EVIDENCE_EXACT, EVIDENCE_EXACT,
			  EVIDENCE_EXACT, EVIDENCE_EXACT, EVIDENCE_EXACT };
	char a[VIEW_FIGURE], b[VIEW_FIGURE];
	bool arrivals, kicks;

	for (uint32_t i = 0; i < r->n_queues; i++)
		add_queue(&s, &r->queue[i]);
	arrivals = s.arrivals != EVIDENCE_ABSENT && s.n_arrivals;
	kicks = s.kicks != EVIDENCE_ABSENT && (arrivals || s.n_kicks);
	if (arrivals)
		fprintf(to, "\nPolling caught %s of %s arrivals%s",
			view_share(a, s.arrivals, s.n_polled, s.n_arrivals),
			view_figure(b, s.arrivals, s.n_arrivals), kicks ? "" : ".\n");
	if (kicks)
		put_kicks(&s, !arrivals, to);
}
