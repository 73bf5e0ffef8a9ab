// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Service, as far as it shows from outside: an eventfd that was read, an interrupt that was sent.
 * An interrupt of a queue with no kick consumed since the one before means that a spin found the
 * work.
 */
#include "account.h"
#include "served.h"
#include "uprobe.h"
#include "window.h"

/* The lowest bit that is set. Global, as the others: its paths are looked at once. */
__attribute__((noinline)) int lowest_bit(__u64 bits)
{
	int n = 0;

	if (!(bits & 0xffffffff))
		n += 32;
	if (!(bits >> n & 0xffff))
		n += 16;
	if (!(bits >> n & 0xff))
		n += 8;
	if (!(bits >> n & 0xf))
		n += 4;
	if (!(bits >> n & 0x3))
		n += 2;
	if (!(bits >> n & 0x1))
		n += 1;
	return n;
}

static __always_inline bool single(__u64 bits)
{
	return bits && !(bits & (bits - 1));
}

/* Closes the window of one of the queue's addresses. 1: it was open; 0: it is there. */
__attribute__((noinline)) int way_consumed(struct thread_state *t, __u32 row, __u32 way,
					   __u64 signals, __u64 now)
{
	struct queue_binding *b = bpf_map_lookup_elem(&bindings, &row);
	struct queue_state *q = bpf_map_lookup_elem(&queue_states, &row);
	struct kick_state *state;
	struct window w;
	bool counted;

	if (!b || !q || !t || way >= QUEUE_WAYS)
		return 0;
	state = bpf_map_lookup_elem(&kicks, &b->ways.way[way]);
	if (!state)
		return 0;
	if (!state->pending) {
		/* The VMM wrote to its eventfd itself, for a kick that left to it. */
		if (!way)
			state->spurious++;
		return 0;
	}
	counted = q->irq_polled && state->last_ns <= q->last_irq_ns;
	w = window_close(state, t->row.tid, signals, now);
	state->served_ns = now;
	state->served_tid = t->row.tid;
	/* A spin was faster than all its kicks: that arrival is among `polled`. */
	if (counted && !w.woke_ns)
		state->spurious++;
	else
		arrived(state, t, &w, now);
	return 1;
}

/*
 * Does what was read announce anything? A spin may find the work before its kick is read: then its
 * interrupt comes between the two.
 */
static __always_inline bool announces(const struct queue_binding *b, const struct queue_state *q)
{
	struct kick_state *state;
	__u32 i;

	if (!q->irq_polled)
		return true;
	for (i = 0; i < QUEUE_WAYS && i < b->ways.n; i++) {
		state = bpf_map_lookup_elem(&kicks, &b->ways.way[i]);
		if (state && state->last_ns > q->last_irq_ns)
			return true;
	}
	return false;
}

__attribute__((noinline)) int queue_consumed(struct thread_state *t, __u32 row, __u64 signals)
{
	struct queue_binding *b = bpf_map_lookup_elem(&bindings, &row);
	struct queue_state *q = bpf_map_lookup_elem(&queue_states, &row);
	__u64 now = bpf_ktime_get_ns();
	__u32 i;

	if (!b || !q || !t) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	for (i = 0; i < QUEUE_WAYS && i < b->ways.n; i++)
		way_consumed(t, row, i, signals, now);
	q->last_serve_ns = now;
	q->tid = t->row.tid;
	q->kicked_hd = 1;
	t->served |= 1ull << (row & 63);
	if (announces(b, q)) {
		q->kicked = 1;
		t->open |= 1ull << (row & 63);
	}
	account_consume(t, now);
	if (t->row.tid == current_tid())
		uprobe_consumed(row, now);
	return 0;
}

__attribute__((noinline)) int queues_looked_at(struct thread_state *t)
{
	struct queue_binding *b;
	struct kick_state *state;
	__u64 *all, rows;
	__u32 i, row, tid;

	if (!t)
		return 0;
	tid = t->row.tid;
	all = bpf_map_lookup_elem(&consumers, &tid);
	rows = all ? *all : 0;
	for (i = 0; i < MODEL_MAX_QUEUES && rows; i++) {
		row = lowest_bit(rows);
		rows &= rows - 1;
		b = bpf_map_lookup_elem(&bindings, &row);
		state = b ? bpf_map_lookup_elem(&kicks, &b->ways.way[0]) : NULL;
		if (state && state->pending)
			queue_consumed(t, row, SIGNALS_ALL);
	}
	return 0;
}

static __always_inline void vote(__u32 row, __u32 address, __u32 data)
{
	struct irq_vote key = { .msi = { address, data }, .row = row };
	const __u64 one = 1;
	__u64 *count = bpf_map_lookup_elem(&votes, &key);

	if (count)
		ADD(*count, 1);
	else if (bpf_map_update_elem(&votes, &key, &one, BPF_NOEXIST))
		lost(LOSS_MAPS);
}

/* Was a kick consumed since the last one? `slept`: the thread has, since it last did anything for a
 * queue. */
static __always_inline bool interrupted(__u32 row, __u32 tid, bool slept, __u64 now)
{
	struct queue_state *q = bpf_map_lookup_elem(&queue_states, &row);
	bool kicked;

	if (!q)
		return true;
	kicked = q->kicked;
	q->kicked = 0;
	if (!kicked && slept)
		q->polled_asleep++;
	else if (!kicked)
		q->polled++;
	q->irq_polled = !kicked;
	q->interrupts++;
	q->last_irq_ns = now;
	q->last_serve_ns = now;
	q->tid = tid;
	return kicked;
}

/*
 * Several queues may share a message: those that have something to say, else all. One that nobody
 * is known for may be of a queue whose message is not known either; else it is another device's.
 */
static __always_inline __u64 whose(const struct thread_state *t, __u64 rows)
{
	__u64 open = t->open & ~rows_with_message, served = t->served & ~rows_with_message;

	if (!rows)
		return single(open) ? open : single(served) ? served : 0;
	if (single(rows))
		return rows;
	return rows & t->open ?: rows & t->served ?: rows;
}

/* More queues than these do not share a message and finish at once. */
#define SHARED_QUEUES 8

__attribute__((noinline)) __u64 queue_interrupted(__u64 rows, __u32 address, __u32 data)
{
	struct thread_state *t = thread_find(current_tid());
	__u64 now = bpf_ktime_get_ns(), left;
	bool kicked = false, slept;
	__u32 i, row, told;

	if (!t)
		return 0;
	slept = t->event == EVENT_RUN;
	told = uprobe_interrupt(now);
	if (told)
		vote(told - 1, address, data);
	else if (single(t->open))
		vote(lowest_bit(t->open), address, data);
	rows = told ? 1ull << ((told - 1) & 63) : whose(t, rows);
	t->open = rows ? t->open & ~rows : 0;
	for (i = 0, left = rows; i < SHARED_QUEUES && left; i++) {
		row = lowest_bit(left);
		left &= left - 1;
		kicked |= interrupted(row, t->row.tid, slept, now);
	}
	/* After a sleep its time went into the end of a request, and no spin. */
	if (rows)
		account_irq(t, kicked || slept, now);
	return rows;
}
