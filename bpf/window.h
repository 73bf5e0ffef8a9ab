/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Closing a queue's window (all kicks since its eventfd was last read) and what became of the
 * arrival: for our own VMM, which tells (usdt.bpf.c), and for others, whose reads are seen
 * (consume.bpf.c). One thread at a time serves a queue; vCPUs kick meanwhile.
 */
#ifndef HANDOFF_BPF_WINDOW_H
#define HANDOFF_BPF_WINDOW_H

#include "gap.h"

/* A kick this fresh may have come after the eventfd was read: it stays for the next window. */
#define FRESH_KICK_NS 1000000

static __always_inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

#define SIGNALS_ALL (~0ull >> 1) /* how many is not known: all that are waiting */

/*
 * Takes `signals` kicks out of the window, and returns what was in it; *left is what KVM has
 * signalled since the read. A vCPU may kick at this very moment: then it is looked at anew, and
 * after that many times left to the next read.
 */
static __always_inline __u64 window_take(struct kick_state *state, __u64 signals, __u64 now,
					 __u64 *left)
{
	__u64 pending;
	int i;

	for (i = 0; i < RACES; i++) {
		pending = state->pending;
		*left = 0;
		if (pending > signals && now < state->last_ns + FRESH_KICK_NS)
			*left = pending - signals;
		if (!pending ||
		    __sync_val_compare_and_swap(&state->pending, pending, *left) == pending)
			return pending;
	}
	return 0;
}

/* What is later than `now` is of the next window. */
static __always_inline struct window window_close(struct kick_state *state, __u32 tid,
						  __u64 signals, __u64 now)
{
	__u64 signal_ns = state->signal_ns, woke_ns = state->woke_ns, first_ns = state->first_ns;
	struct window w = { .back_ns = state->first_back_ns, .left_ns = state->first_left_ns };
	__u64 left, taken;

	taken = window_take(state, signals, now, &left);
	if (taken == left)
		taken = 0; /* entered without having read anything */
	if (taken) {
		w.first_ns = first_ns ?: state->last_ns;
		if (w.first_ns > now)
			w.first_ns = 0;
		state->first_ns = left ? state->last_ns : 0;
		/* It was coalesced when it came, and begins a window now. */
		if (left)
			ADD(state->coalesced, -1);
	}
	if (signal_ns <= now) {
		w.signal_ns = signal_ns;
		state->signal_ns = 0;
	}
	if (woke_ns <= now) {
		w.woke_ns = state->woke_tid == tid ? woke_ns : 0;
		state->woke_ns = 0;
	}
	if (taken && w.woke_ns)
		state->met_asleep++;
	else if (taken)
		ADD(state->met_awake, 1);
	state->consumed += signals == SIGNALS_ALL ? taken - left : signals;
	return w;
}

/*
 * The way of an arrival that ended a sleep: on a run queue since the first wake after the signal.
 * It may be here before that is told, and may never have been switched out: woken before it slept.
 */
static __always_inline void add_wake(struct kick_state *state, const struct thread_state *t,
				     __u64 signal_ns, __u64 now)
{
	bool told = t->wake_runnable_ns >= signal_ns;
	__u64 runnable = told ? t->wake_runnable_ns : now;
	__u64 oncpu = told && t->wake_oncpu_ns ? t->wake_oncpu_ns : runnable;

	kick_add_alone(state, STAGE_WAKE, since(signal_ns, runnable));
	kick_add_alone(state, STAGE_RUNQ, since(runnable, oncpu));
	kick_add_alone(state, STAGE_DISPATCH, since(oncpu, now));
}

static __always_inline void arrived(struct kick_state *state, struct thread_state *t,
				    const struct window *w, __u64 now)
{
	const struct loop_state *loop = &t->row.loop;
	__u64 since_ns = w->first_ns;
	bool woken = w->woke_ns;

	/* In poll mode the queue is looked at all the time: nothing older than its end can have
	 * waited. */
	since_ns = loop->polling ? now : later(since_ns, loop->poll_end_ns);
	woken = woken && !loop->polling && w->woke_ns > loop->poll_end_ns;
	if (woken && t->wake_before_ns < w->woke_ns)
		add_wake(state, t, w->woke_ns, now);
	else if (w->first_ns)
		kick_add_alone(state, STAGE_DISPATCH, since(later(since_ns, w->signal_ns), now));
	/* Of our own VMM the page has what a spin found. */
	if (w->first_ns && (woken || config.foreign))
		gap_arrived(t, w, woken, now);
	if (w->first_ns && now > since_ns && now - since_ns > config.lost_after_ns)
		state->lost++;
	else if (woken)
		state->notified++;
	else
		state->busy++;
}

#endif
