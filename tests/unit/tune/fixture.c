// SPDX-License-Identifier: BSD-2-Clause
/* See fixture.h. */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/hist.h>

const struct advice_goal fixture_goal = { .latency_weight = 1 };

struct report *fixture_report(uint64_t n, uint64_t gap_ns, uint64_t wake_ns)
{
	struct report *r = report_new();
	struct report_loop *l = &r->loop[0];
	uint64_t i;

	r->duration_ns = FIXTURE_SECONDS * 1000000000ull;
	r->n_loops = r->n_queues = 1;
	snprintf(l->id, sizeof(l->id), "io0");
	l->tid = 7;
	l->settings_evidence = EVIDENCE_EXACT;
	l->gaps_evidence = EVIDENCE_INFERRED;
	l->account_evidence = EVIDENCE_INFERRED;
	snprintf(l->gaps_reason, sizeof(l->gaps_reason), "made up");
	for (i = 0; i < n; i++) {
		hist_add(&l->gap_hist, gap_ns * 9 / 10 + gap_ns / 5 * i / n);
		hist_add(&l->wake_hist, wake_ns);
	}
	/* That exits are measured, and take no time, leaves gaps as they are. */
	l->stage[STAGE_EXIT].evidence = EVIDENCE_EXACT;
	l->wall_ns = r->duration_ns;
	l->handling_ns = n * 5000;
	l->blocked_ns = l->wall_ns - l->handling_ns;
	r->queue[0].ring = STATS_RING_FLAG;
	r->queue[0].met_evidence = EVIDENCE_EXACT;
	r->queue[0].kicks = r->queue[0].kicks_asleep = n;
	return r;
}

void fixture_advise(const struct report *r, struct advice *a)
{
	advise(r, &r->loop[0], "qemu", &fixture_goal, a);
}

const struct advice_point *fixture_point(const struct advice *a, int64_t max_ns)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (a->point[i].max_ns == max_ns)
			return &a->point[i];
	abort();
}

struct advice_report *fixture_advised(uint64_t today_ns)
{
	struct advice_report *a = calloc(1, sizeof(*a));
	struct report *r = fixture_report(10000, 10000, 40000);

	r->loop[0].poll_max_ns = today_ns;
	a->pid = 4711;
	a->n = 1;
	a->seconds = FIXTURE_SECONDS;
	a->goal = fixture_goal;
	snprintf(a->comm, sizeof(a->comm), "qemu");
	snprintf(a->vmm_kind, sizeof(a->vmm_kind), "qemu");
	fixture_advise(r, &a->loop[0]);
	report_free(r);
	return a;
}
