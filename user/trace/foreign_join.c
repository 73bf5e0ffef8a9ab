// SPDX-License-Identifier: BSD-2-Clause
/*
 * Figures of a VMM that tells nothing: what its threads did in the kernel, judged. The rules are
 * stated with each figure (evidence_foreign.c).
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

static void take_settings(struct evidence_queue_facts *facts, const struct foreign *f,
			  const struct foreign_loop *loop)
{
	if (!loop->named || !f->names.loop[loop->named - 1].poll_known)
		return;
	facts->spins = f->names.loop[loop->named - 1].poll_max_ns;
	facts->never_spins = !facts->spins;
}

/*
 * A loop that spins, by its settings, and was awake when the guest kicked has seen the work before
 * the kick, which was read when the spin had ended; and if the next kick came before that, a spin
 * had found that one's work as well: a guest kicks again only when it is asked to, by a device that
 * has emptied the queue. Interrupts show what it found if the guest need not kick, kicks if it
 * takes no interrupts. Of other loops all that may mean anything.
 */
static void join_polled(struct report_queue *q, const struct queue_state *state,
			struct join_seen *seen, const struct evidence_queue_facts *facts)
{
	q->outcome[OUTCOME_POLLED] = facts->never_spins ? 0 : state->polled;
	if (!facts->spins)
		return;
	q->outcome[OUTCOME_POLLED] = MAX(state->polled + state->polled_asleep + seen->busy,
					 seen->awake + seen->coalesced);
	seen->busy = 0;
}

/* True: uprobes see each arrival. */
static bool decide_arrivals(const struct tracer *t, struct report_queue *q, unsigned int i,
			    struct join_seen *seen)
{
	const struct foreign_row *row = &t->foreign->row[i];
	const struct queue_state *state = &t->view.queue[i];
	const struct thread_row *thread = NULL;
	struct evidence_queue_facts facts = {
		.consume = q->met_evidence == EVIDENCE_EXACT,
		.unowned = t->view.seen.handlers_unowned,
		.no_eventfd = !row->had_eventfd,
		.unwatched = foreign_is_unwatched(row),
		/* Attached, and nothing came by that it did not see. */
		.handler = state->handled ||
			   (!seen->kicks && q->stage[STAGE_IO].evidence == EVIDENCE_EXACT),
		.kicks = seen->kicks,
		.interrupts = state->interrupts,
		.msi = row->msi_evidence,
	};

	if (row->loop != FOREIGN_NONE) {
		thread = kernel_view_thread(&t->view, t->foreign->loop[row->loop].tid);
		take_settings(&facts, t->foreign, &t->foreign->loop[row->loop]);
	}
	if (thread)
		facts.loop_irqs = thread->loop.irqs;
	/* A message that was known once: its interrupts were the queue's. */
	if (facts.msi == EVIDENCE_ABSENT && state->interrupts)
		facts.msi = EVIDENCE_INFERRED;
	q->arrivals_evidence = evidence_arrivals(&facts, q->arrivals_reason);
	if (facts.no_eventfd || facts.unwatched) {
		q->met_evidence = EVIDENCE_ABSENT;
		q->outcome_evidence = EVIDENCE_ABSENT;
	}
	/* Somebody may have come for it. */
	if (facts.unwatched)
		seen->pending_lost = 0;
	if (!facts.handler && q->arrivals_evidence == EVIDENCE_INFERRED)
		join_polled(q, state, seen, &facts);
	return facts.handler;
}

/* By uprobes: how many arrivals there were in all; how those came about that no spin found shows at
 * their kicks. One that left to user space finds its handler without an eventfd, as a spin does. */
static void join_handled(struct report_queue *q, const struct queue_state *state,
			 const struct join_seen *seen)
{
	uint64_t polled = less(state->handled_polled, seen->user_exits);
	uint64_t fd = less(state->handled, state->handled_polled);
	uint64_t notified = MIN(seen->notified, fd);
	uint64_t lost = MIN(seen->lost, fd - notified);

	q->outcome[OUTCOME_POLLED] = polled;
	q->outcome[OUTCOME_NOTIFIED] = notified;
	q->outcome[OUTCOME_BUSY] = fd - notified - lost;
	q->outcome[OUTCOME_LOST] = lost + seen->pending_lost;
}

static void join_outcomes(struct report_queue *q, const struct queue_state *state,
			  const struct join_seen *seen, bool handler)
{
	q->outcome[OUTCOME_USERSPACE] = seen->user_exits;
	if (handler) {
		join_handled(q, state, seen);
		return;
	}
	q->outcome[OUTCOME_NOTIFIED] = seen->notified;
	q->outcome[OUTCOME_BUSY] = seen->busy;
	q->outcome[OUTCOME_LOST] = seen->lost + seen->pending_lost;
}

/* Uprobes that are attached see blocks only: another device's queue has a handler of its own. */
static void lack_handler(struct report_queue *q)
{
	enum stage s;

	for (s = STAGE_SERVICE; s <= STAGE_IRQ; s++) {
		if (q->stage[s].evidence == EVIDENCE_ABSENT)
			continue;
		q->stage[s].evidence = EVIDENCE_ABSENT;
		snprintf(q->stage[s].reason, sizeof(q->stage[s].reason),
			 "no uprobe was hit by this queue: not a disk's, or served without its "
			 "eventfd being read yet");
	}
}

/* Requests that QEMU merges are given to its backend as one, and completed one by one. */
static void join_requests(struct report_queue *q, const struct queue_state *state, bool handler)
{
	q->requests_evidence = EVIDENCE_ABSENT;
	if (handler && q->stage[STAGE_IO].evidence == EVIDENCE_EXACT)
		q->requests_evidence =
			state->completed > state->submitted ? EVIDENCE_INFERRED : EVIDENCE_EXACT;
	q->requests = MAX(state->submitted, state->completed);
	q->completions = state->completed;
}

/* Of those seen. A worker that is no thread of the VMM's (up to 6.3) sends unseen, unless it is
 * known: then none is not 0. */
static enum evidence decide_interrupts(const struct foreign_row *row,
				       const struct queue_state *state)
{
	if (foreign_is_unwatched(row))
		return state->interrupts ? EVIDENCE_INFERRED : EVIDENCE_ABSENT;
	if (state->interrupts && row->msi_evidence == EVIDENCE_ABSENT)
		return EVIDENCE_INFERRED;
	return row->msi_evidence;
}

void foreign_join_queue(const struct tracer *t, struct report_queue *q, unsigned int i,
			struct join_seen *seen)
{
	const struct foreign_row *row = &t->foreign->row[i];
	const struct queue_state *state = &t->view.queue[i];
	unsigned int o;
	bool handler;

	q->name_evidence = row->name_evidence;
	memcpy(q->name_reason, row->name_reason, sizeof(q->name_reason));
	handler = decide_arrivals(t, q, i, seen);
	join_outcomes(q, state, seen, handler);
	for (o = 0; o < OUTCOMES; o++)
		q->arrivals += q->outcome[o];
	q->vmm_evidence = EVIDENCE_ABSENT;
	join_requests(q, state, handler);
	if (!handler)
		lack_handler(q);
	q->interrupts_evidence = decide_interrupts(row, state);
	q->interrupts = state->interrupts;
}

static struct evidence_loop_facts loop_facts(const struct tracer *t, const struct report *r,
					     const struct report_loop *l, unsigned int i,
					     const struct thread_row *thread)
{
	struct evidence_loop_facts facts = {
		.seen = thread,
		.consume = r->stage[STAGE_DISPATCH].evidence != EVIDENCE_ABSENT,
		.spins_known = l->settings_evidence == EVIDENCE_EXACT,
		.poll_max_ns = l->poll_max_ns,
	};
	uint32_t n;

	for (n = 0; n < r->n_queues; n++) {
		const struct report_queue *q = &r->queue[n];

		if (q->loop_index != i || !q->kicks || q->arrivals_evidence == EVIDENCE_EXACT)
			continue;
		facts.blind |= q->arrivals_evidence == EVIDENCE_ABSENT;
		facts.dim |= q->arrivals_evidence == EVIDENCE_INFERRED &&
			     evidence_is_dim(q->kicks, t->view.queue[t->queue_row[n]].interrupts);
	}
	return facts;
}

/*
 * What the programs had counted before the tracer's clock began (they are attached one after the
 * other) may be more than there is: it is taken from what is known least.
 */
static void fit(struct report_loop *l)
{
	uint64_t *const parts[] = { &l->polling_waste_ns, &l->polling_hit_ns, &l->handling_ns,
				    &l->runq_ns };
	uint64_t sum = l->polling_waste_ns + l->polling_hit_ns + l->handling_ns + l->runq_ns;
	uint64_t excess = less(sum, l->wall_ns), take;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		take = MIN(excess, *parts[i]);
		*parts[i] -= take;
		excess -= take;
	}
	l->blocked_ns = less(l->wall_ns, sum);
}

static void join_account(const struct tracer *t, struct report_loop *l,
			 const struct loop_state *state, int64_t now_ns)
{
	/* On a CPU, and what comes of it is not seen yet: a spin that has not ended has not hit. */
	uint64_t open_ns = state->mark_ns ? less(now_ns, MAX(state->mark_ns, (uint64_t)t->start_ns))
					  : state->carry_ns;
	uint64_t known_ns = state->handling_ns + state->polled_ns + state->waste_ns;
	uint64_t kick_ns = state->consumes ? state->handling_ns / state->consumes : 0;
	uint64_t served_ns = MIN(kick_ns * state->polled_irqs, state->polled_ns);
	uint64_t other_ns;

	l->wall_ns = less(now_ns, t->start_ns);
	l->runq_ns = state->runq_wake_ns + state->runq_preempt_ns;
	/* It ran, and nothing came of it that we know: its other work. Of what is open yet run_ns
	 * has all but the time since it was switched in last. */
	other_ns = less(state->run_ns, known_ns + open_ns);
	l->handling_ns = state->handling_ns + served_ns + other_ns;
	l->polling_hit_ns = state->polled_ns - served_ns;
	l->polling_waste_ns = state->waste_ns + open_ns;
	if (l->polls_evidence == EVIDENCE_EXACT) {
		/* It never spins: all it does is work. */
		l->handling_ns += l->polling_hit_ns + l->polling_waste_ns;
		l->polling_hit_ns = l->polling_waste_ns = 0;
	}
	fit(l);
}

/* Of its queues, by uprobes: all that a spin found. False: they do not see every queue. */
static bool handlers_seen(const struct tracer *t, const struct report *r, unsigned int i,
			  uint64_t *hits)
{
	uint32_t n;
	bool any = false;

	*hits = 0;
	for (n = 0; n < r->n_queues; n++) {
		const struct report_queue *q = &r->queue[n];

		if (q->loop_index != i || !q->arrivals)
			continue;
		if (q->arrivals_evidence != EVIDENCE_EXACT)
			return false;
		*hits += q->outcome[OUTCOME_POLLED];
		any = true;
	}
	return any;
}

static void join_polls(const struct tracer *t, const struct report *r, struct report_loop *l,
		       unsigned int i, const struct evidence_loop_facts *facts,
		       const struct thread_row *thread)
{
	uint64_t hits;

	l->polls_evidence = evidence_polls(facts, l->polls_reason);
	if (l->polls_evidence == EVIDENCE_EXACT || !thread)
		return;
	if (handlers_seen(t, r, i, &hits)) {
		l->polls_evidence = EVIDENCE_INFERRED;
		snprintf(l->polls_reason, sizeof(l->polls_reason),
			 "hits: handlers entered with no kick consumed, by uprobe; a spin without "
			 "one: each sleep");
	} else if (l->polls_evidence == EVIDENCE_INFERRED) {
		hits = thread->loop.polled_irqs;
	} else {
		return;
	}
	l->hits = hits;
	l->polls = hits + thread->loop.sleeps;
}

static void join_gaps(const struct tracer *t, struct report_loop *l,
		      const struct evidence_loop_facts *facts, const struct thread_row *thread)
{
	struct hist spun;

	l->gaps_evidence = evidence_gaps(facts, &l->gaps_hidden, l->gaps_reason);
	if (l->gaps_evidence == EVIDENCE_ABSENT)
		return;
	kernel_loop_hist(&t->view, thread, LOOP_GAP, &l->gap_hist);
	kernel_loop_hist(&t->view, thread, LOOP_WAKE, &l->wake_hist);
	kernel_loop_hist(&t->view, thread, LOOP_GAP_SPUN, &spun);
	/* One that never spins was only late. */
	if (l->polls_evidence != EVIDENCE_EXACT)
		hist_merge(&l->gap_hist, &spun);
}

void foreign_join_loop(const struct tracer *t, const struct report *r, struct report_loop *l,
		       unsigned int i, const struct thread_row *thread, int64_t now_ns)
{
	static const struct loop_state never_ran;
	const struct foreign_loop *loop = &t->foreign->loop[i];
	struct evidence_loop_facts facts;

	l->settings_evidence = loop->named && t->foreign->names.loop[loop->named - 1].poll_known
				       ? EVIDENCE_EXACT
				       : EVIDENCE_ABSENT;
	l->counters_evidence = EVIDENCE_ABSENT;
	if (loop->how != CONSUMER_UNKNOWN)
		snprintf(l->how, sizeof(l->how), "%s", consumer_how_name(loop->how));
	facts = loop_facts(t, r, l, i, thread);
	join_polls(t, r, l, i, &facts, thread);
	join_gaps(t, l, &facts, thread);
	if (l->account_evidence == EVIDENCE_ABSENT)
		return;
	evidence_account(&facts, l->account_reason);
	join_account(t, l, thread ? &thread->loop : &never_ran, now_ns);
	if (l->runq_evidence != EVIDENCE_ABSENT)
		return;
	l->blocked_ns += l->runq_ns;
	l->runq_ns = 0;
}
