/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Finding and making the states of maps.h, and adding to their histograms. Inlined into every
 * program. */
#ifndef HANDOFF_BPF_STATE_H
#define HANDOFF_BPF_STATE_H

#include "maps.h"

/* hist.bpf.c. Functions of their own, which the verifier looks at once and not at every call. */
int stage_hist_count(__u32 row, __u32 stage, __u64 ns, __s64 n);
int stage_hist_add_alone(__u32 row, __u32 stage, __u64 ns);
int irq_hist_add(__u64 rows, __u64 message, __u32 stage, __u64 ns);

static __always_inline void stage_hist_add(__u32 row, __u32 stage, __u64 ns)
{
	stage_hist_count(row, stage, ns, 1);
}

static __always_inline void irq_add(const struct irq_set *set, enum stage stage, __u64 ns)
{
	irq_hist_add(set->rows, (__u64)set->msi.data << 32 | set->msi.address, stage, ns);
}

/* Not among what each kick runs, which is read from far away each time: a guest has run since. */
#define RARE __attribute__((noinline, unused))

/* Any context. NULL: this thread is not known. */
static __always_inline struct thread_state *thread_find(__u32 tid)
{
	return bpf_map_lookup_elem(&thread_states, &tid);
}

/*
 * Process context only: the map's lock of a bucket is not to be waited for under a run queue's. A
 * state that is there under this number belonged to a thread that has ended; it is cleared, not
 * replaced: who holds it still would write into whatever it is used for next.
 */
static RARE struct thread_state *thread_new(__u32 tid)
{
	struct thread_state *t = thread_find(tid);

	if (t)
		*t = empty_thread;
	else if (!bpf_map_update_elem(&thread_states, &tid, &empty_thread, BPF_NOEXIST))
		ADD(threads_used, 1);
	t = thread_find(tid);
	if (!t) {
		lost(LOSS_MAPS);
		return NULL;
	}
	t->row.loop.cpu = -1;
	t->row.tid = tid;
	return t;
}

/* The current thread's, which the report will tell of: a vCPU's or a loop's. Process context. */
static __always_inline struct thread_state *thread_keep(__u32 tid)
{
	struct thread_state *t = thread_find(tid) ?: thread_new(tid);

	if (t)
		t->keep = 1;
	return t;
}

/* The thread has ended. What nobody asks for goes when room is getting scarce. */
static __always_inline void thread_end(struct thread_state *t, __u32 tid)
{
	t->row.loop.exit_ns = bpf_ktime_get_ns();
	if (t->keep || threads_used < MODEL_MAX_THREADS / 2)
		return;
	if (!bpf_map_delete_elem(&thread_states, &tid))
		ADD(threads_used, -1);
}

static RARE struct kick_state *kick_make(const struct kick_key *key, bool queue)
{
	struct kick_state *state;

	if (!queue && kicks_used >= MODEL_MAX_KICK_KEYS - MODEL_KICK_RESERVE)
		return NULL;
	/* Two vCPUs at once: one makes it, both find it. */
	if (!bpf_map_update_elem(&kicks, key, &empty_kick, BPF_NOEXIST))
		ADD(kicks_used, 1);
	state = bpf_map_lookup_elem(&kicks, key);
	if (!state)
		lost(LOSS_MAPS);
	return state;
}

/*
 * An address that is a queue's always finds room; any other only outside the reserve: then NULL,
 * and nothing is lost, since the caller counts it in another way.
 */
static __always_inline struct kick_state *kick_find_or_make(const struct kick_key *key, bool queue)
{
	return bpf_map_lookup_elem(&kicks, key) ?: kick_make(key, queue);
}

/* Only a queue has stages. */
static __always_inline void kick_add(const struct kick_state *state, enum stage stage, __u64 ns)
{
	if (state->row)
		stage_hist_add(state->row - 1, stage, ns);
}

/* The same by the loop that serves the queue, of a stage that only it adds to. */
static __always_inline void kick_add_alone(const struct kick_state *state, enum stage stage,
					   __u64 ns)
{
	if (state->row)
		stage_hist_add_alone(state->row - 1, stage, ns);
}

#endif
