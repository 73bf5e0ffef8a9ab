/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What uprobe.bpf.c remembers, and what it has to be told of by the programs that see eventfds read
 * and interrupts sent. All of it is nothing unless config.uprobes.
 */
#ifndef HANDOFF_BPF_UPROBE_H
#define HANDOFF_BPF_UPROBE_H

#include "state.h"

#define UPROBE_REQUESTS 4096 /* in flight at once */

/* A thread of the VMM's that serves queues. Rows are 1 + row; 0 = none. */
struct uprobe_thread {
	__u64 read_ns;	    /* it read the eventfd of read_row, and entered no handler since */
	__u64 handler_ns;   /* it entered the handler of handler_row; 0 = it has left it */
	__u64 completed_ns; /* of the interrupt it is about to send for notify_row; 0 = none */
	__u64 notify_ns;    /* when it said so */
	__u64 handler_vq;   /* that handler's VirtQueue */
	__u32 read_row, handler_row, notify_row;
	__u16 polled; /* no kick was consumed before it entered the handler it is in */
	__u16 found;  /* and it has found a request there */
};

/* Whose a VMM's object (VirtQueue) is. Until that is known, what it did waits here for its row. */
struct uprobe_owner {
	__u32 row;   /* UPROBE_NOBODY = not known yet */
	__u32 votes; /* how often it has proved right, up to UPROBE_SURE */
	/* As in queue_state. Nobody has read its eventfd: each was found by a spin. */
	__u64 handled, submitted, completed;
};

#define UPROBE_SURE   16
#define UPROBE_NOBODY 0xffffffff

/* Between two steps of one thread there is nothing but a preemption; what is older is stale. */
#define UPROBE_STEP_NS 10000000

struct uprobe_begin {
	__u64 t_ns;
	__u32 row; /* UPROBE_NOBODY = not known yet */
	__u32 pad;
};

struct uprobe_threads_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_THREADS);
	__type(key, __u32);
	__type(value, struct uprobe_thread);
};

/* By address in the VMM. */
struct uprobe_owners_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4 * MODEL_MAX_QUEUES);
	__type(key, __u64);
	__type(value, struct uprobe_owner);
};

struct uprobe_begins_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UPROBE_REQUESTS);
	__type(key, __u64);
	__type(value, struct uprobe_begin);
};

/* By row: the first completion since the last interrupt, ns; 0 = none. */
struct uprobe_completed_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MODEL_MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u64);
};

extern struct uprobe_threads_map uprobe_threads SEC(".maps");
extern struct uprobe_owners_map uprobe_owners SEC(".maps");
extern struct uprobe_begins_map uprobe_begins SEC(".maps");
extern struct uprobe_completed_map uprobe_completed SEC(".maps");

static __always_inline struct uprobe_thread *uprobe_thread_find(void)
{
	__u32 tid = current_tid();

	return bpf_map_lookup_elem(&uprobe_threads, &tid);
}

/* The current thread's; it serves queues. Process context. */
static __always_inline struct uprobe_thread *uprobe_thread_make(void)
{
	const struct uprobe_thread empty = {};
	struct uprobe_thread *u = uprobe_thread_find();
	__u32 tid = current_tid();

	if (u)
		return u;
	bpf_map_update_elem(&uprobe_threads, &tid, &empty, BPF_NOEXIST);
	u = uprobe_thread_find();
	if (!u)
		lost(LOSS_MAPS);
	return u;
}

/* The current thread has read something from the eventfd of a queue. Process context. */
static __always_inline void uprobe_consumed(__u32 row, __u64 now)
{
	struct uprobe_thread *u;

	if (!config.uprobes)
		return;
	u = uprobe_thread_make();
	if (!u)
		return;
	u->read_ns = now;
	u->read_row = row + 1;
}

/*
 * The current thread sends an interrupt. 1 + row of the queue it is for, if it said so; else 0. The
 * end of stage irq.
 */
static __always_inline __u32 uprobe_interrupt(__u64 now)
{
	struct uprobe_thread *u;
	__u32 row;

	if (!config.uprobes)
		return 0;
	u = uprobe_thread_find();
	if (!u || !u->notify_row)
		return 0;
	row = u->notify_row;
	u->notify_row = 0;
	/* It found that the guest wants none, and this is another device's. */
	if (now - u->notify_ns > config.lost_after_ns)
		return 0;
	if (u->completed_ns)
		stage_hist_add(row - 1, STAGE_IRQ, since(u->completed_ns, now));
	return row;
}

#endif
