// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Our own VMM's USDT points, in the loop's context. queue_notified closes a queue's window (all
 * kicks since its eventfd was last read) and tells what became of the arrival. handoff:stats_armed
 * is attached for its semaphore alone: raised, the VMM keeps clocks. handoff:poll_hit is not: it
 * sits on the path of every polled request.
 */
#include <linux/ptrace.h>
#include "window.h"
#include <bpf/usdt.bpf.h>

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
	t = thread_keep(current_tid());
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

/* The loop's, in whose context the point is. */
static __always_inline struct thread_state *polling(bool begins)
{
	struct thread_state *t = ours() ? thread_keep(current_tid()) : NULL;

	if (t)
		t->row.loop.polling = begins;
	return t;
}

SEC("?usdt")
int ho_poll_begin(struct pt_regs *ctx)
{
	polling(true);
	return 0;
}

/* (loop_tid, spun_ns): its last spin found nothing, so it is dry since that began. */
SEC("?usdt")
int ho_poll_end(struct pt_regs *ctx)
{
	struct thread_state *t = polling(false);
	long spun_ns = 0;
	__u64 now;

	if (!t)
		return 0;
	now = bpf_ktime_get_ns();
	t->row.loop.poll_end_ns = now;
	if (bpf_usdt_arg(ctx, 1, &spun_ns))
		lost(LOSS_LOOKUPS);
	t->dry_ns = (__u64)spun_ns < now ? now - spun_ns : now;
	return 0;
}

SEC("?usdt")
int ho_armed(struct pt_regs *ctx)
{
	return 0;
}
