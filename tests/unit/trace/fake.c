// SPDX-License-Identifier: BSD-2-Clause
/* The tracer of fake.h. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

#define LOOP  2
#define QUEUE 3

struct tracer *fake_new(void)
{
	struct tracer *t = calloc(1, sizeof(*t));

	t->before = calloc(1, sizeof(*t->before));
	t->now = calloc(1, sizeof(*t->now));
	t->view.hists = calloc(MODEL_MAX_QUEUES * KICK_STAGES, sizeof(struct hist));
	t->view.kick = calloc(16, sizeof(*t->view.kick));
	t->view.irq = calloc(16, sizeof(*t->view.irq));
	t->start_ns = FAKE_START_NS;
	t->config.lost_after_ns = 100000000;
	t->now->loop[LOOP] = (struct stats_loop){ .kind = STATS_LOOP_IOTHREAD, .tid = 11 };
	memcpy(t->now->loop[LOOP].id, "io0", 4);
	t->now->queue[QUEUE] =
		(struct stats_queue){ .used = 1, .loop = LOOP, .gpa = FAKE_GPA, .ioeventfd = 1 };
	memcpy(t->now->queue[QUEUE].device, "disk0", 6);
	memcpy(t->before, t->now, sizeof(*t->now));
	remember_names(t, t->before);
	return t;
}

void fake_free(struct tracer *t)
{
	free((void *)t->view.hists);
	kernel_view_release(&t->view);
	free(t->before);
	free(t->now);
	free(t);
}

struct kick_state *fake_kick(struct tracer *t, uint64_t gpa)
{
	struct kernel_view *v = &t->view;
	uint32_t i;

	for (i = 0; i < v->n_kicks; i++)
		if (v->kick[i].key.gpa == gpa)
			return &v->kick[i].state;
	v->kick[i].key = (struct kick_key){ .gpa = gpa };
	v->kick[i].state.row = QUEUE + 1;
	return &v->kick[v->n_kicks++].state;
}

struct irq_state *fake_irq(struct tracer *t, uint64_t rows)
{
	struct kernel_view *v = &t->view;

	v->irq[v->n_irqs].set.rows = rows;
	return &v->irq[v->n_irqs++].state;
}

struct thread_row *fake_thread(struct tracer *t, uint32_t tid)
{
	struct thread_row *row = &t->view.thread[t->view.n_threads++];

	row->tid = tid;
	return row;
}

struct stats_queue *fake_queue(struct tracer *t)
{
	return &t->now->queue[QUEUE];
}

struct stats_loop *fake_loop(struct tracer *t)
{
	return &t->now->loop[LOOP];
}

void fake_hist_add(struct hist *shared, uint64_t ns)
{
	if (!shared->min_ns || ns + 1 < shared->min_ns)
		shared->min_ns = ns + 1;
	if (ns > shared->max_ns)
		shared->max_ns = ns;
	shared->bucket[hist_index(ns)]++;
	shared->sum_ns += ns;
	shared->count++;
}

void fake_stage_add(struct tracer *t, const struct kick_state *state, enum stage s, uint64_t ns)
{
	struct hist *hists = (struct hist *)t->view.hists;

	fake_hist_add(&hists[(state->row - 1) * KICK_STAGES + s], ns);
}

struct report *fake_join(struct tracer *t)
{
	struct report *r = report_new();
	unsigned int i;
	enum stage s;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		for (s = 0; s < STAGES; s++)
			r->queue[i].stage[s].evidence = EVIDENCE_EXACT;
		r->queue[i].outcome_evidence = EVIDENCE_EXACT;
		r->queue[i].kicks_evidence = EVIDENCE_EXACT;
		r->queue[i].met_evidence = EVIDENCE_EXACT;
		r->queue[i].left_evidence = EVIDENCE_EXACT;
	}
	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		r->loop[i].account_evidence = EVIDENCE_EXACT;
		r->loop[i].runq_evidence = EVIDENCE_EXACT;
	}
	join_queues(t, r, FAKE_NOW_NS);
	join_irq_total(t, r);
	join_io(t, r);
	join_loops(t, r, FAKE_NOW_NS);
	join_vcpus(t, r);
	join_handovers(t, r);
	return r;
}
