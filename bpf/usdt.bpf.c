// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Our own VMM's USDT points, in the loop's context. queue_notified closes a queue's window (all
 * kicks since its eventfd was last read) and tells what became of the arrival. handoff:stats_armed
 * is attached for its semaphore alone: raised, the VMM keeps clocks. handoff:poll_hit is not: it
 * sits on the path of every polled request.
 */
#include <linux/ptrace.h>
#include "state.h"
#include <bpf/usdt.bpf.h>

/* A kick this fresh may have come after the eventfd was read: it stays for the next window. */
#define FRESH_KICK_NS 1000000

static __always_inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

struct window {
	__u64 first_ns;	 /* oldest kick that was waiting; 0 = none */
	__u64 signal_ns; /* 0 = not seen */
	__u64 woke_ns;	 /* 0 = nobody was woken, or not this thread */
};

/*
 * Takes `signals` kicks out of the window; what KVM has signalled since the read stays. A vCPU may
 * kick at this very moment: what is later than `now` is of the next window.
 */
static __always_inline struct window window_close(struct kick_state *state, __u32 tid,
						  __u64 signals, __u64 now)
{
	__u64 pending = state->pending, left = 0;
	__u64 signal_ns = state->signal_ns, woke_ns = state->woke_ns;
	struct window w = {};

	if (pending)
		w.first_ns = state->first_ns ?: state->last_ns;
	if (w.first_ns > now)
		w.first_ns = 0;
	if (pending > signals && now < state->last_ns + FRESH_KICK_NS)
		left = pending - signals;
	ADD(state->pending, left - pending);
	state->first_ns = left ? state->last_ns : 0;
	if (signal_ns <= now) {
		w.signal_ns = signal_ns;
		state->signal_ns = 0;
	}
	if (woke_ns <= now) {
		w.woke_ns = state->woke_tid == tid ? woke_ns : 0;
		state->woke_ns = 0;
	}
	state->consumed += signals;
	return w;
}

/* The way of an arrival that ended a sleep. Never switched out: it was woken before it slept. */
static __always_inline void add_wake(struct kick_state *state, const struct thread_state *t,
				     __u64 now)
{
	__u64 runnable = t->wake_runnable_ns ?: now;
	__u64 oncpu = t->wake_oncpu_ns ?: runnable;

	kick_add(state, STAGE_WAKE, since(t->wake_signal_ns, runnable));
	kick_add(state, STAGE_RUNQ, since(runnable, oncpu));
	kick_add(state, STAGE_DISPATCH, since(oncpu, now));
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
	if (woken && t->wake_waking_ns == w->woke_ns)
		add_wake(state, t, now);
	else if (w->first_ns)
		kick_add(state, STAGE_DISPATCH, since(later(since_ns, w->signal_ns), now));
	if (w->first_ns && now > since_ns && now - since_ns > config.lost_after_ns)
		ADD(state->lost, 1);
	else if (woken)
		ADD(state->notified, 1);
	else
		ADD(state->busy, 1);
}

/* (queue_row, gpa, signals, arrival) */
SEC("?usdt")
int ho_notified(struct pt_regs *ctx)
{
	struct kick_key key = { .bus = BUS_MMIO };
	struct kick_state *state;
	struct thread_state *t;
	unsigned long row = 0;
	long gpa = 0, signals = 0, arrival = 0;
	struct window w;
	__u64 now;

	if (!ours())
		return 0;
	t = thread_keep();
	if (!t)
		return 0;
	if (bpf_usdt_arg(ctx, 0, (long *)&row) || bpf_usdt_arg(ctx, 1, &gpa) ||
	    bpf_usdt_arg(ctx, 2, &signals) || bpf_usdt_arg(ctx, 3, &arrival)) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	key.gpa = gpa;
	state = kick_find_or_make(&key, true);
	if (!state)
		return 0;
	if (!state->row && row < MODEL_MAX_QUEUES)
		state->row = row + 1;
	now = bpf_ktime_get_ns();
	w = window_close(state, bpf_get_current_pid_tgid(), signals, now);
	state->served_ns = now;
	if (!arrival) {
		state->spurious++;
		return 0;
	}
	state->served_tid = bpf_get_current_pid_tgid();
	arrived(state, t, &w, now);
	return 0;
}

static __always_inline int polling(bool begins)
{
	struct thread_state *t = ours() ? thread_keep() : NULL;

	if (!t)
		return 0;
	if (!begins)
		t->row.loop.poll_end_ns = bpf_ktime_get_ns();
	t->row.loop.polling = begins;
	return 0;
}

SEC("?usdt")
int ho_poll_begin(struct pt_regs *ctx)
{
	return polling(true);
}

SEC("?usdt")
int ho_poll_end(struct pt_regs *ctx)
{
	return polling(false);
}

SEC("?usdt")
int ho_armed(struct pt_regs *ctx)
{
	return 0;
}
