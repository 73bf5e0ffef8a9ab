// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loops, vCPUs and hand-overs. A loop's account is the VMM's own clock (handling, polling,
 * blocked), out of whose `blocked` BPF takes the time that the loop, already woken, waited for a
 * CPU. The five parts add up to the wall time since the tracer began.
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

/* Leaves comm as it is when there is nothing to read any more. A thread calls itself what it likes:
 * what would not do on a terminal becomes '?'. */
void read_comm(pid_t pid, uint32_t tid, char comm[STATS_NAME_LEN])
{
	char text[STATS_NAME_LEN] = "", path[64], *c;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/comm", (int)pid, tid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		for (c = text; *c; c++)
			if (*c < ' ' || *c > '~')
				*c = '?';
		memcpy(comm, text, sizeof(text));
	}
	fclose(f);
}

void remember_names(struct tracer *t, const struct stats_page *page)
{
	unsigned int i;

	read_comm(t->config.pid, t->config.pid, t->comm);
	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		if (!page->loop[i].kind)
			continue;
		t->loops[i].kind = page->loop[i].kind;
		read_comm(t->config.pid, page->loop[i].tid, t->loops[i].comm);
	}
	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (page->queue[i].ioeventfd && page->queue[i].loop < STATS_MAX_LOOPS)
			t->served_by[i] = page->queue[i].loop + 1;
}

/* The account up to a moment: the running phase counts until then. A spin that has not ended yet
 * has not hit. */
static void account_at(const struct stats_loop *row, uint64_t at_ns, uint64_t part[4])
{
	uint64_t running = row->phase_since_ns ? less(at_ns, row->phase_since_ns) : 0;

	part[0] = row->handling_ns;
	part[1] = row->polling_hit_ns;
	part[2] = row->polling_waste_ns;
	part[3] = row->blocked_ns;
	part[row->phase == STATS_PHASE_BLOCKED	 ? 3
	     : row->phase == STATS_PHASE_POLLING ? 2
						 : 0] += running;
}

/*
 * The loop notices that it is armed only at the end of the turn it was in. Until then it was
 * blocked: a loop that is not leaves its turn within microseconds. If it was armed before us (by
 * another tracer) the account goes on from where it stood.
 */
static void join_account(struct report_loop *l, const struct stats_loop *now,
			 const struct stats_loop *before, uint64_t start_ns, uint64_t now_ns)
{
	uint64_t part[4], base[4] = { 0 }, lead = 0;
	unsigned int i;

	l->wall_ns = less(now_ns, start_ns);
	if (!now->account_start_ns) {
		l->blocked_ns = l->wall_ns;
		return;
	}
	account_at(now, now_ns, part);
	if (now->account_start_ns == before->account_start_ns)
		account_at(before, start_ns, base);
	else
		lead = less(now->account_start_ns, start_ns);
	for (i = 0; i < 4; i++)
		part[i] = less(part[i], base[i]);
	l->handling_ns = part[0];
	l->polling_hit_ns = part[1];
	l->polling_waste_ns = part[2];
	l->blocked_ns = part[3] + lead;
}

static void join_thread(struct report_loop *l, const struct thread_row *thread)
{
	l->wakes = thread->loop.wakes;
	l->preemptions = thread->loop.preemptions;
	l->preempted_ns = thread->loop.runq_preempt_ns;
	l->cpu = thread->loop.cpu;
}

static void join_runq(struct report_loop *l, const struct thread_row *thread)
{
	if (l->runq_evidence == EVIDENCE_ABSENT)
		return;
	/* A wake out of something else than the loop's own wait (a mutex) is in the sum too: never
	 * more than there is. */
	l->runq_ns = MIN(thread->loop.runq_wake_ns, l->blocked_ns);
	l->blocked_ns -= l->runq_ns;
}

static void join_settings(struct report_loop *l, const struct stats_loop *now)
{
	memcpy(l->id, now->id, sizeof(l->id));
	l->tid = now->tid;
	l->cpu = -1;
	l->poll_max_ns = now->poll_max_ns;
	l->poll_ns = now->poll_ns;
	l->poll_grow = now->poll_grow;
	l->poll_shrink = now->poll_shrink;
	l->poll_weight = now->poll_weight;
	l->poll_block_cost_ns = now->poll_block_cost_ns;
	snprintf(l->poll_policy, sizeof(l->poll_policy), "%.*s", STATS_POLICY_LEN - 1,
		 now->poll_policy);
}

/* A spin's length is the VMM's to tell. */
static void join_gaps(const struct tracer *t, struct report_loop *l, const struct stats_loop *now,
		      const struct stats_loop *before, const struct thread_row *thread)
{
	struct hist spun = now->spin_hit;

	if (!t->kernel || !thread) {
		snprintf(l->gaps_reason, sizeof(l->gaps_reason), "%s",
			 t->kernel ? "the thread was not seen on a CPU" : t->no_bpf_reason);
		return;
	}
	l->gaps_evidence = EVIDENCE_INFERRED;
	snprintf(l->gaps_reason, sizeof(l->gaps_reason),
		 "a spin's length by the VMM's clock; of a sleep: from its last spin's begin, or "
		 "its going to sleep, to the kick");
	kernel_loop_hist(&t->view, thread, LOOP_GAP, &l->gap_hist);
	kernel_loop_hist(&t->view, thread, LOOP_WAKE, &l->wake_hist);
	hist_subtract(&spun, &before->spin_hit);
	hist_merge(&l->gap_hist, &spun);
}

/* What our VMM counts. */
static void join_told(const struct tracer *t, struct report_loop *l, unsigned int i,
		      const struct thread_row *thread, int64_t now_ns)
{
	static const struct stats_loop none;
	const struct stats_loop *now = &t->now->loop[i], *before = &t->before->loop[i];

	if (strcmp(now->id, before->id))
		before = &none;
	l->settings_evidence = EVIDENCE_EXACT;
	l->polls_evidence = EVIDENCE_EXACT;
	l->counters_evidence = EVIDENCE_EXACT;
	l->polls = less(now->polls, before->polls);
	l->hits = less(now->poll_hits, before->poll_hits);
	l->iterations = less(now->iterations, before->iterations);
	l->kicks_suppressed = less(now->kicks_suppressed, before->kicks_suppressed);
	l->spurious_wakes = less(now->spurious_wakes, before->spurious_wakes);
	if (l->account_evidence != EVIDENCE_ABSENT)
		join_account(l, now, before, t->start_ns, now_ns);
	if (thread)
		join_runq(l, thread);
	join_gaps(t, l, now, before, thread);
}

static void join_loop(struct tracer *t, struct report *r, struct report_loop *l, unsigned int i,
		      int64_t now_ns)
{
	const struct thread_row *thread = kernel_view_thread(&t->view, t->now->loop[i].tid);

	join_settings(l, &t->now->loop[i]);
	l->kind = t->loops[i].kind;
	memcpy(l->comm, t->loops[i].comm, sizeof(l->comm));
	if (thread && thread->loop.exit_ns)
		now_ns = MIN(now_ns, (int64_t)thread->loop.exit_ns);
	if (thread)
		join_thread(l, thread);
	if (t->foreign)
		foreign_join_loop(t, r, l, i, thread, now_ns);
	else
		join_told(t, l, i, thread, now_ns);
}

/* From rows of the page, which may have holes, to rows of the report. */
static void name_queue_loops(struct report *r, const uint32_t index[STATS_MAX_LOOPS])
{
	uint32_t i, row;
	enum stage s;

	for (i = 0; i < r->n_queues; i++) {
		struct report_queue *q = &r->queue[i];

		row = q->loop_index < STATS_MAX_LOOPS ? index[q->loop_index] : ~0u;
		q->loop_index = row;
		if (row == ~0u)
			continue;
		memcpy(q->loop, r->loop[row].id, sizeof(q->loop));
		for (s = 0; s < STAGES; s++)
			hist_merge(&r->loop[row].stage[s].hist, &q->stage[s].hist);
	}
}

void join_loops(struct tracer *t, struct report *r, int64_t now_ns)
{
	uint32_t index[STATS_MAX_LOOPS];
	unsigned int i;

	memset(index, 0xff, sizeof(index));
	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		if (!t->now->loop[i].id[0])
			continue;
		index[i] = r->n_loops;
		join_loop(t, r, &r->loop[r->n_loops++], i, now_ns);
	}
	name_queue_loops(r, index);
	r->n_waits = kernel_waits(&t->view, r->wait, &r->waits_total);
}

/* By their threads and not by n_vcpus, which a VMM that ends takes back: who ran is to be told. */
void take_vcpus(struct tracer *t, const struct stats_page *page)
{
	uint32_t i;

	_Static_assert(REPORT_VCPUS >= STATS_MAX_VCPUS, "all of a page");
	t->n_vcpus = 0;
	if (t->foreign) {
		memcpy(t->vcpu, t->foreign->vcpu, sizeof(t->vcpu));
		t->n_vcpus = t->foreign->n_vcpus;
		return;
	}
	for (i = 0; i < STATS_MAX_VCPUS; i++)
		if (page->vcpu_tid[i])
			t->vcpu[t->n_vcpus++] =
				(struct vm_vcpu){ .id = i, .tid = page->vcpu_tid[i] };
}

void join_vcpus(struct tracer *t, struct report *r)
{
	const struct thread_row *thread;
	unsigned int i;

	take_vcpus(t, t->now);
	r->n_vcpus = t->n_vcpus;
	for (i = 0; i < t->n_vcpus; i++) {
		struct report_vcpu *v = &r->vcpu[i];

		v->id = t->vcpu[i].id;
		v->tid = t->vcpu[i].tid;
		thread = kernel_view_thread(&t->view, v->tid);
		if (!thread)
			continue;
		v->exits = thread->vcpu.exits;
		v->entries = thread->vcpu.entries;
		v->mmio_writes = thread->vcpu.mmio_writes;
		v->mmio_reads = thread->vcpu.mmio_reads;
		v->pio_writes = thread->vcpu.pio_writes;
		v->pio = thread->vcpu.pio_writes + thread->vcpu.pio_reads;
		v->user_exits = thread->vcpu.user_exits;
	}
}

static void loop_name(const struct stats_page *page, uint32_t row, char name[STATS_NAME_LEN])
{
	if (row < STATS_MAX_LOOPS && page->loop[row].id[0])
		memcpy(name, page->loop[row].id, STATS_NAME_LEN);
	else
		snprintf(name, STATS_NAME_LEN, "?");
}

void join_handovers(const struct tracer *t, struct report *r)
{
	uint64_t end = t->now->n_handovers, i = t->before->n_handovers;

	r->handovers_total = less(end, i);
	if (end - i > STATS_MAX_HANDOVERS)
		i = end - STATS_MAX_HANDOVERS;
	for (; i < end; i++) {
		const struct stats_handover *h = &t->now->handover[i % STATS_MAX_HANDOVERS];
		struct report_handover *to = &r->handover[r->n_handovers++];

		memcpy(to->device, h->device, sizeof(to->device));
		to->duration_ns = h->duration_ns;
		to->t_ns = (int64_t)h->t_ns - t->start_ns;
		loop_name(t->now, h->from, to->from);
		loop_name(t->now, h->to, to->to);
	}
}
