/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The account of a loop that tells nothing (loop_state in abi/model.h): its time on a CPU, from
 * event to event, goes to what the later event shows it was. Written by the thread's own events.
 */
#ifndef HANDOFF_BPF_ACCOUNT_H
#define HANDOFF_BPF_ACCOUNT_H

#include "gap.h"

/* Time on a CPU since the last event. A thread that was running when we came has none yet. */
static __always_inline __u64 account_take(struct thread_state *t, enum thread_event event,
					  __u64 now)
{
	struct loop_state *loop = &t->row.loop;
	__u64 ns = loop->mark_ns ? since(loop->mark_ns, now) : 0;

	loop->mark_ns = now;
	t->event = event;
	return ns;
}

static __always_inline void account_consume(struct thread_state *t, __u64 now)
{
	t->row.loop.handling_ns += account_take(t, EVENT_CONSUME, now);
	t->row.loop.consumes++;
	t->dry_ns = 0;
}

/* `kicked`: a kick of the interrupt's queue was consumed since its last one. */
static __always_inline void account_irq(struct thread_state *t, bool kicked, __u64 now)
{
	bool consumed = t->event == EVENT_CONSUME;
	__u64 ns = account_take(t, EVENT_DONE, now);

	t->row.loop.irqs++;
	if (kicked && consumed)
		gap_served(t, ns);
	if (!kicked)
		gap_spun(t, now);
	t->dry_ns = now;
	if (kicked) {
		t->row.loop.handling_ns += ns;
		return;
	}
	t->row.loop.polled_ns += ns;
	t->row.loop.polled_irqs++;
}

/* An eventfd that holds nothing: after an interrupt, or another such look, the loop was spinning.
 */
static __always_inline void account_empty(struct thread_state *t, __u64 now)
{
	struct loop_state *loop = &t->row.loop;
	__u32 before = t->event;
	__u64 ns;

	loop->reads_empty++;
	if (before == EVENT_RUN)
		return;
	ns = account_take(t, EVENT_DONE, now);
	gap_dry(t, now);
	if (before == EVENT_CONSUME)
		loop->handling_ns += ns;
	else
		loop->waste_ns += ns;
}

/* What follows a consumption is the handler; what precedes any event is not known. One that was not
 * seen to come on a CPU loses no more than that turn. */
static __always_inline void account_out(struct thread_state *t, bool runnable, __u64 now)
{
	struct loop_state *loop = &t->row.loop;
	__u64 ns = loop->mark_ns ? since(loop->mark_ns, now) : loop->carry_ns;

	loop->mark_ns = 0;
	loop->carry_ns = 0;
	if (runnable) {
		loop->carry_ns = ns;
		return;
	}
	loop->sleeps++;
	/* It woke, and showed nothing: of a loop that is known to spin, a spin. */
	if (t->event == EVENT_RUN && loop->polled_irqs)
		gap_dry(t, now - ns);
	if (t->event == EVENT_DONE || (t->event == EVENT_RUN && loop->polled_irqs))
		loop->waste_ns += ns;
	else if (t->event == EVENT_CONSUME)
		loop->handling_ns += ns;
	t->event = EVENT_NONE;
}

static __always_inline void account_in(struct thread_state *t, __u64 now)
{
	if (!t->row.loop.mark_ns)
		t->row.loop.mark_ns = now - t->row.loop.carry_ns;
	t->row.loop.carry_ns = 0;
	if (t->runnable_ns && !t->preempted)
		t->event = EVENT_RUN;
}

#endif
