// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Who wakes the loops and what they do, for --folded: an object of its own, loaded when it is asked
 * for. It follows the threads of fold_threads:
 *
 *   ho_fold_switch  the loop goes to sleep -- ho_fold_waking  somebody wakes it: whose stacks, how
 *                                             long it slept
 *   ho_fold_switch  it gets a CPU at last: how long it was runnable
 *   ho_fold_sample  every tick of a CPU clock: where a loop is while it runs
 *
 * Few programs have frame pointers: a record brings a copy of the user stack, which
 * user/trace/folded.c walks. Every wake counts, its time goes to the next of the same waker whose
 * stacks are taken: that is dear, so it is done FOLD_HZ times a second at most for each pair.
 */
#include "stack_regs.h"
#include <stdbool.h>
#include <bpf/bpf_tracing.h>

#define ADD(x, n) __sync_fetch_and_add(&(x), n)

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOLD_THREADS);
	__type(key, __u32);
	__type(value, struct fold_thread);
} fold_threads SEC(".maps");

/* Threads come and go: the oldest make room, some milliseconds of theirs with them. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FOLD_WAKES);
	__type(key, struct fold_wake_key);
	__type(value, struct fold_wake);
} fold_wakes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, FOLD_RING_BYTES);
} fold_records SEC(".maps");

const volatile __u32 fold_switch_has_state = 0; /* the argument came with 5.18 */
__u64 fold_losses[FOLD_LOSSES] = {};

static const struct fold_wake no_wake;

/* As much of current's as is there. */
static __always_inline void copy_stack(struct fold_record *r)
{
	__u64 sp = r->regs[STACK_SP];
	int i;

	r->stack_bytes = 0;
	for (i = 0; i < FOLD_STACK_BYTES / FOLD_CHUNK; i++) {
		if (bpf_probe_read_user(r->stack + i * FOLD_CHUNK, FOLD_CHUNK,
					(const void *)(sp + i * FOLD_CHUNK)))
			break;
		r->stack_bytes += FOLD_CHUNK;
	}
}

/* A record of current's stacks, not sent yet; NULL: the ring is full. */
static __always_inline struct fold_record *record_new(void *ctx, __u32 kind,
						      const struct fold_wake_key *key)
{
	struct fold_record *r = bpf_ringbuf_reserve(&fold_records, sizeof(*r), 0);

	if (!r)
		return NULL;
	r->kind = kind;
	r->key = *key;
	r->by_pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	r->kernel_bytes = bpf_get_stack(ctx, r->kernel, sizeof(r->kernel), 0);
	r->regs_bytes = stack_take_regs(bpf_get_current_task_btf(), r->regs);
	r->stack_bytes = 0;
	if (r->regs_bytes > 0)
		copy_stack(r);
	return r;
}

/* The tracer looks at it each interval: it is woken when a quarter of the ring is full. */
static __always_inline void record_send(struct fold_record *r)
{
	bool full = bpf_ringbuf_query(&fold_records, BPF_RB_AVAIL_DATA) > FOLD_RING_BYTES / 4;

	bpf_ringbuf_submit(r, full ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline void switched_out(struct task_struct *prev, bool preempt, __u32 state,
					 __u64 now)
{
	__u32 tid = prev->pid;
	struct fold_thread *t = bpf_map_lookup_elem(&fold_threads, &tid);

	if (t && !preempt && state)
		t->asleep_ns = now;
	else if (t)
		t->runnable_ns = now;
}

static __always_inline void switched_in(struct task_struct *next, __u64 now)
{
	__u32 tid = next->pid;
	struct fold_thread *t = bpf_map_lookup_elem(&fold_threads, &tid);
	__u64 begin = t ? t->runnable_ns : 0;

	if (!begin)
		return;
	t->runnable_ns = 0;
	if (now > begin)
		t->waited_ns += now - begin;
}

SEC("?tp_btf/sched_switch")
int ho_fold_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	__u64 now = bpf_ktime_get_ns();

	switched_in(next, now);
	/* A read of an argument the kernel does not have is refused; the verifier never sees the
	 * dead one. */
	if (fold_switch_has_state)
		switched_out(prev, ctx[0], ctx[3], now);
	else
		switched_out(prev, ctx[0], prev->__state, now);
	return 0;
}

static __always_inline struct fold_wake *find_wake(const struct fold_wake_key *key)
{
	struct fold_wake *w = bpf_map_lookup_elem(&fold_wakes, key);

	if (w)
		return w;
	bpf_map_update_elem(&fold_wakes, key, &no_wake, BPF_NOEXIST);
	return bpf_map_lookup_elem(&fold_wakes, key);
}

/* Several wakers at once: one of them tells for all. If it cannot, the next one does. */
static __always_inline void tell_wake(void *ctx, struct fold_wake *w,
				      const struct fold_wake_key *key, __u64 now)
{
	__u64 told = w->told_ns;
	struct fold_record *r;

	if (now - told < FOLD_SAMPLE_NS ||
	    __sync_val_compare_and_swap(&w->told_ns, told, now) != told)
		return;
	r = record_new(ctx, FOLD_WOKEN, key);
	if (!r)
		return;
	r->n = __sync_lock_test_and_set(&w->n, 0);
	r->ns = __sync_lock_test_and_set(&w->ns, 0);
	record_send(r);
}

/* In the waker's context: a thread, or an interrupt that borrows one. */
SEC("?tp_btf/sched_waking")
int BPF_PROG(ho_fold_waking, struct task_struct *p)
{
	struct fold_wake_key key = { .tid = p->pid, .by = bpf_get_current_pid_tgid() };
	struct fold_thread *t = bpf_map_lookup_elem(&fold_threads, &key.tid);
	__u64 now, ns, begin = t ? t->asleep_ns : 0;
	struct fold_wake *w;

	if (!begin)
		return 0;
	now = bpf_ktime_get_ns();
	t->asleep_ns = 0;
	t->runnable_ns = now;
	ns = now > begin ? now - begin : 0;
	w = find_wake(&key);
	if (!w) {
		ADD(fold_losses[FOLD_LOSS_WAKES], ns);
		return 0;
	}
	ADD(w->n, 1);
	ADD(w->ns, ns);
	tell_wake(ctx, w, &key, now);
	return 0;
}

SEC("?perf_event")
int ho_fold_sample(void *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct fold_wake_key key = { .tid = tid, .by = tid };
	struct fold_record *r;

	if (!tid || !bpf_map_lookup_elem(&fold_threads, &tid))
		return 0;
	r = record_new(ctx, FOLD_RUNNING, &key);
	if (!r) {
		ADD(fold_losses[FOLD_LOSS_SAMPLES], FOLD_SAMPLE_NS);
		return 0;
	}
	r->n = 1;
	r->ns = FOLD_SAMPLE_NS;
	record_send(r);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
