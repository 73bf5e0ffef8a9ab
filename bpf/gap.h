/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How long a loop that has run dry waits for work: the measure that a poll time is chosen by
 * (include/handoff/advisor.h). Dry since: the interrupt that ended its work, where there is one,
 * or the begin of its last spin, where the VMM tells it; else its going to sleep.
 *
 *   consumed ---- interrupt .................. kick - wake - runq - consumed
 *                 dry_ns    `- asleep              `--- LOOP_WAKE ---'
 *                   `----------- LOOP_GAP ---------'
 *
 * All by the thread's own events, one at a time.
 */
#ifndef HANDOFF_BPF_GAP_H
#define HANDOFF_BPF_GAP_H

#include "state.h"

/* What a queue's window held (window.h). */
struct window {
	__u64 first_ns;		/* oldest kick that was waiting; 0 = none */
	__u64 back_ns, left_ns; /* its vCPU, as in kick_state; 0 = not seen */
	__u64 signal_ns;	/* 0 = not seen */
	__u64 woke_ns;		/* 0 = nobody was woken, or not this thread */
};

/* gap.bpf.c: global functions, verified once. */
int loop_hist_add(struct thread_state *t, __u32 which, __u64 ns);
int loop_wait_add(__u32 tid, struct loop_wait *wait);

/* Four seconds and more are all alike. */
static __always_inline __u32 gap_u32(__u64 ns)
{
	return ns < ~0u ? ns : ~0u;
}

/* It has nothing to do since; if it had nothing to do before, that stands. */
static __always_inline void gap_dry(struct thread_state *t, __u64 since_ns)
{
	if (!t->dry_ns)
		t->dry_ns = since_ns;
}

/* It was asleep. Whatever woke it: when it sleeps again, that is another wait. */
static __always_inline void gap_woken(struct thread_state *t)
{
	t->wait_ns = t->dry_ns;
	t->dry_ns = 0;
}

/* It has consumed that; woken by it, or, before it had slept, dry still. */
static __always_inline void gap_arrived(struct thread_state *t, const struct window *w, bool woken,
					__u64 now)
{
	__u64 from = woken && t->wait_ns ? t->wait_ns : t->dry_ns, arrival_ns = w->first_ns;
	struct loop_wait wait = { .arrival_ns = arrival_ns };

	t->wait_ns = 0;
	t->dry_ns = 0;
	if (!from || arrival_ns <= from)
		return;
	wait.gap_ns = gap_u32(arrival_ns - from);
	if (w->back_ns > from && w->back_ns < arrival_ns)
		wait.held_ns = gap_u32(w->back_ns - from);
	if (w->left_ns && w->left_ns < arrival_ns)
		wait.exit_ns = gap_u32(arrival_ns - w->left_ns);
	loop_hist_add(t, LOOP_GAP, arrival_ns - from);
	if (woken) {
		wait.wake_ns = gap_u32(since(arrival_ns, now));
		loop_hist_add(t, LOOP_WAKE, since(arrival_ns, now));
	}
	if (config.waits)
		loop_wait_add(t->row.tid, &wait);
}

/* A spin found work, which nothing tells of but the interrupt that ends it. */
static __always_inline void gap_spun(struct thread_state *t, __u64 now)
{
	__u64 ns = t->dry_ns ? since(t->dry_ns, now) : 0;

	if (ns)
		loop_hist_add(t, LOOP_GAP_SPUN, ns > t->service_ns ? ns - t->service_ns : 0);
}

/* What serving takes, of late. */
static __always_inline void gap_served(struct thread_state *t, __u64 ns)
{
	t->service_ns = t->service_ns ? t->service_ns - (t->service_ns >> 3) + (ns >> 3) : ns;
}

#endif
