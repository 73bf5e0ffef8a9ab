// SPDX-License-Identifier: BSD-2-Clause
/*
 * Giving names to what the kernel saw: kicks and interrupts carry the row of the stats page whose
 * queue they are for (bpf/place.bpf.c). Counters of the page are taken since the tracer began; the
 * programs' own began with it.
 */
#include "join.h"

#include <stdio.h>
#include <string.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* A row that was given to another queue meanwhile starts anew. */
static const struct stats_queue *row_before(const struct tracer *t, unsigned int i)
{
	static const struct stats_queue none;
	const struct stats_queue *now = &t->now->queue[i], *before = &t->before->queue[i];

	if (strcmp(now->device, before->device) || now->queue != before->queue)
		return &none;
	return before;
}

/*
 * A kick that nobody has come for. In poll mode the queue is looked at all the time, and a stopped
 * queue (reset, no ioeventfd) owes nothing; a loop that has ended could not come any more.
 */
static bool kick_is_lost(const struct tracer *t, const struct stats_queue *row,
			 const struct kick_state *state, int64_t now_ns)
{
	const struct thread_row *thread = NULL;
	uint64_t since_ns = state->first_ns, until_ns = now_ns, serve_ns;

	if (!state->pending || !since_ns || !row->ioeventfd)
		return false;
	/* A spin serves a kick and may leave its eventfd as it is. */
	serve_ns = t->view.queue[row - t->now->queue].last_serve_ns;
	if (serve_ns >= state->last_ns && state->last_ns)
		return false;
	since_ns = MAX(since_ns, serve_ns);
	if (row->loop < STATS_MAX_LOOPS)
		thread = kernel_view_thread(&t->view, t->now->loop[row->loop].tid);
	if (thread) {
		if (thread->loop.polling)
			return false;
		since_ns = MAX(since_ns, thread->loop.poll_end_ns);
		if (thread->loop.exit_ns)
			until_ns = MIN(until_ns, thread->loop.exit_ns);
	}
	return until_ns > since_ns && until_ns - since_ns > t->config.lost_after_ns;
}

/* What BPF saw at all the addresses this queue has had, and the stages of its kicks. */
static struct join_seen join_kicks(struct tracer *t, struct report_queue *q, unsigned int i,
				   int64_t now_ns)
{
	struct join_seen seen = { 0 };
	enum stage s;
	uint32_t n;

	for (n = 0; n < t->view.n_kicks; n++) {
		const struct kick_key *key = &t->view.kick[n].key;
		const struct kick_state *state = &t->view.kick[n].state;

		if (state->row != i + 1)
			continue;
		seen.kicks += state->kicks;
		seen.user_exits += state->user_exits;
		seen.notified += state->notified;
		seen.busy += state->busy;
		seen.lost += state->lost;
		seen.asleep += state->met_asleep;
		seen.awake += state->met_awake;
		seen.coalesced += state->coalesced;
		seen.open += state->pending != 0;
		if (key->gpa == q->gpa && !key->past &&
		    kick_is_lost(t, &t->now->queue[i], state, now_ns))
			seen.pending_lost = 1;
	}
	for (s = 0; s < KICK_STAGES && t->view.hists; s++)
		kernel_stage_hist(&t->view, i, s, &q->stage[s].hist);
	return seen;
}

/*
 * The VMM says how many arrivals its fd handler met, BPF how each came about. The page was copied
 * first, so BPF may be ahead by those since; and it may have missed some from before it was
 * attached, or when a map was full: then nothing is known but that they were served.
 */
static void join_outcomes(struct report_queue *q, const struct stats_queue *now,
			  const struct stats_queue *before, struct join_seen seen)
{
	uint64_t fd = less(now->arrivals_notified, before->arrivals_notified);
	uint64_t excess = less(seen.notified + seen.busy + seen.lost, fd), take;
	uint64_t recheck = less(now->arrivals_recheck, before->arrivals_recheck);

	if (q->outcome_evidence == EVIDENCE_ABSENT) {
		fd += recheck;
		recheck = 0;
		seen = (struct join_seen){ .notified = fd };
		excess = 0;
	}
	take = MIN(excess, seen.busy);
	seen.busy -= take;
	take = MIN(excess - take, seen.notified);
	seen.notified -= take;
	seen.lost = MIN(seen.lost, fd - seen.notified - seen.busy);
	seen.busy += fd - seen.notified - seen.busy - seen.lost;
	q->outcome[OUTCOME_POLLED] = less(now->arrivals_polled, before->arrivals_polled);
	q->outcome[OUTCOME_NOTIFIED] = seen.notified;
	q->outcome[OUTCOME_BUSY] = seen.busy + recheck;
	q->outcome[OUTCOME_USERSPACE] = less(now->arrivals_userspace, before->arrivals_userspace);
	q->outcome[OUTCOME_LOST] = seen.lost + seen.pending_lost;
	/* The VMM's own count, which the outcomes are held against (report_check). */
	q->arrivals = less(now->arrivals, before->arrivals) + seen.pending_lost;
}

static void join_legs(struct report_queue *q, const struct stats_queue *now,
		      const struct stats_queue *before)
{
	unsigned int leg;

	for (leg = 0; leg < STATS_LEGS; leg++) {
		q->stage[STAGE_SERVICE + leg].hist = now->leg[leg];
		hist_subtract(&q->stage[STAGE_SERVICE + leg].hist, &before->leg[leg]);
	}
}

static void add_irq(struct report_stage stage[STAGES], const struct irq_state *irq)
{
	struct hist hist;

	kernel_hist_read(&irq->inject, &hist);
	hist_merge(&stage[STAGE_INJECT].hist, &hist);
	kernel_hist_read(&irq->enter, &hist);
	hist_merge(&stage[STAGE_ENTER].hist, &hist);
}

static bool irq_is_of_row(const struct tracer *t, const struct irq_set *set, unsigned int i)
{
	const struct stats_queue *q = &t->now->queue[i];

	return set->rows & 1ull << i || (set->msi.address && set->msi.address == q->msi_addr &&
					 set->msi.data == q->msi_data);
}

static void join_irqs(struct tracer *t, struct report_queue *q, unsigned int i)
{
	uint32_t n;

	for (n = 0; n < t->view.n_irqs; n++) {
		if (!irq_is_of_row(t, &t->view.irq[n].set, i))
			continue;
		q->injected += t->view.irq[n].state.accepted;
		q->posted += t->view.irq[n].state.posted;
		add_irq(q->stage, &t->view.irq[n].state);
	}
}

static void join_counters(struct report_queue *q, const struct stats_queue *now,
			  const struct stats_queue *before)
{
	q->kicks_left_vmm = less(now->userspace_kicks, before->userspace_kicks);
	q->kicks_vmm = less(now->signals, before->signals) + q->kicks_left_vmm;
	q->requests = less(now->requests, before->requests);
	q->completions = less(now->completions, before->completions);
	q->interrupts_evidence = EVIDENCE_EXACT;
	q->interrupts = less(now->interrupts, before->interrupts);
	q->interrupts_suppressed = less(now->interrupts_suppressed, before->interrupts_suppressed);
	q->errors = less(now->errors, before->errors);
	q->spurious = less(now->spurious, before->spurious);
}

/* The loop whose thread served this row's queue last; STATS_MAX_LOOPS if nobody was seen to. */
static uint32_t seen_loop(const struct tracer *t, unsigned int i)
{
	uint64_t served_ns = 0;
	uint32_t tid = 0, n;

	for (n = 0; n < t->view.n_kicks; n++) {
		const struct kick_state *state = &t->view.kick[n].state;

		if (state->row != i + 1 || !state->served_tid || state->served_ns < served_ns)
			continue;
		served_ns = state->served_ns;
		tid = state->served_tid;
	}
	for (n = 0; tid && n < STATS_MAX_LOOPS; n++)
		if (t->now->loop[n].tid == tid)
			return n;
	return STATS_MAX_LOOPS;
}

/*
 * The row of the loop that serves the queue. A VMM that ends takes its queues back to the main loop
 * first; what its report is about is the loop that did the work: for this queue, or, if it was
 * never kicked, for the others of its device.
 */
static uint32_t serving_loop(const struct tracer *t, unsigned int row)
{
	const struct stats_queue *q = &t->now->queue[row];
	uint32_t loop, i;

	if (!t->died_ns || t->foreign)
		return q->loop;
	loop = seen_loop(t, row);
	if (loop == STATS_MAX_LOOPS && t->served_by[row])
		return t->served_by[row] - 1;
	for (i = 0; loop == STATS_MAX_LOOPS && i < STATS_MAX_QUEUES; i++)
		if (!strcmp(t->now->queue[i].device, q->device))
			loop = seen_loop(t, i);
	return loop == STATS_MAX_LOOPS ? q->loop : loop;
}

/* Our VMM tells all this by itself. */
static void join_told(struct report_queue *q)
{
	q->name_evidence = EVIDENCE_EXACT;
	q->arrivals_evidence = EVIDENCE_EXACT;
	q->vmm_evidence = EVIDENCE_EXACT;
	q->requests_evidence = EVIDENCE_EXACT;
}

static void join_met(struct report_queue *q, const struct join_seen *seen)
{
	if (q->met_evidence == EVIDENCE_ABSENT)
		return;
	q->kicks_asleep = seen->asleep;
	q->kicks_awake = seen->awake;
	q->kicks_coalesced = seen->coalesced;
	q->kicks_open = seen->open;
}

static void join_queue(struct tracer *t, struct report *r, unsigned int i, int64_t now_ns)
{
	const struct stats_queue *now = &t->now->queue[i], *before = row_before(t, i);
	struct report_queue *q = &r->queue[r->n_queues];
	struct join_seen seen;

	t->queue_row[r->n_queues++] = i;
	memcpy(q->device, now->device, sizeof(q->device));
	q->queue = now->queue;
	q->gpa = now->gpa;
	q->ioeventfd = now->ioeventfd;
	q->ring = (enum stats_ring)now->ring;
	seen = join_kicks(t, q, i, now_ns);
	/* A row of the page; join_loops makes it a row of the report. */
	q->loop_index = serving_loop(t, i);
	/* A VMM that ends takes its ioeventfds away first; what counts is what the kicks met. */
	if (t->died_ns && seen.kicks)
		q->ioeventfd = seen.kicks > seen.user_exits;
	if (t->foreign) {
		foreign_join_queue(t, q, i, &seen);
	} else {
		join_told(q);
		join_outcomes(q, now, before, seen);
		join_counters(q, now, before);
		join_legs(q, now, before);
	}
	q->kicks = q->kicks_evidence == EVIDENCE_EXACT ? seen.kicks : q->kicks_vmm;
	q->kicks_left = q->left_evidence == EVIDENCE_EXACT ? seen.user_exits : q->kicks_left_vmm;
	join_met(q, &seen);
	q->wasted_kicks =
		less(q->kicks, q->outcome[OUTCOME_NOTIFIED] + q->outcome[OUTCOME_USERSPACE] +
				       q->outcome[OUTCOME_LOST]);
	join_irqs(t, q, i);
}

void join_queues(struct tracer *t, struct report *r, int64_t now_ns)
{
	unsigned int i;
	enum stage s;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		struct report_queue *q = &r->queue[r->n_queues];

		if (!t->now->queue[i].device[0])
			continue;
		join_queue(t, r, i, now_ns);
		for (s = 0; s <= STAGE_IRQ; s++)
			hist_merge(&r->stage[s].hist, &q->stage[s].hist);
	}
}

/* Queues may share a vector: the total counts each message once, and only those that belong to a
 * queue. */
void join_irq_total(struct tracer *t, struct report *r)
{
	unsigned int i;
	uint32_t n;

	for (n = 0; n < t->view.n_irqs; n++) {
		for (i = 0; i < STATS_MAX_QUEUES; i++)
			if (irq_is_of_row(t, &t->view.irq[n].set, i))
				break;
		if (i < STATS_MAX_QUEUES)
			add_irq(r->stage, &t->view.irq[n].state);
	}
}
