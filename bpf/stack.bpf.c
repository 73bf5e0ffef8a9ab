// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Stacks without stopping anybody: an object of its own, loaded when it is needed. ho_stack takes
 * one thread, told by want_tid, whatever it does (user/trace/stack.c). The others follow the
 * threads of fold_threads for --folded (user/trace/folded.c):
 *
 *   ho_fold_switch  the loop goes to sleep -- ho_fold_waking  somebody wakes it: whose stacks, how
 *                                             long it slept
 *   ho_fold_sample  every tick of a CPU clock: where a loop is while it runs
 */
#include <stdbool.h>
#include "kernel_types.h"
#include <abi/stack.h>
#include <bpf/bpf_tracing.h>

#define PF_KTHREAD 0x00200000
#define ADD(x, n)  __sync_fetch_and_add(&(x), n)

/* Beside those of kernel_types.h: `flavours' of the same types. */
struct seq_file;

struct task_struct___stack {
	int on_cpu;
} KERNEL_TYPE;

__u32 want_tid = 0;
struct stack_record record = {};

/* The registers lie as the kernel's entry code pushed them: the layout is the signal frame's. */
#if defined(__TARGET_ARCH_x86)
#define REGS_BYTES (21 * 8)
#elif defined(__TARGET_ARCH_arm64)
#define REGS_BYTES (36 * 8)
#else
#define REGS_BYTES 0
#endif

static __always_inline void take_regs(struct task_struct *task)
{
	const void *regs;

	/* Threads of the kernel's own have never been in user space: what lies there is no one's.
	 */
	if (!REGS_BYTES || (task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER))) {
		record.regs_bytes = 0;
		return;
	}
	regs = (const void *)bpf_task_pt_regs(task);
	record.regs_bytes = bpf_probe_read_kernel(record.regs, REGS_BYTES, regs);
	if (!record.regs_bytes)
		record.regs_bytes = REGS_BYTES;
}

/* Run in the tracer's own context, as it reads the iterator: nobody else writes `record`. */
SEC("?iter/task")
int ho_stack(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_struct___stack *more = (void *)task;

	if (!task || task->pid != (int)want_tid || !want_tid)
		return 0;
	record.tgid = task->tgid;
	record.flags = task->flags;
	record.state = task->__state;
	record.on_cpu = bpf_core_field_exists(more->on_cpu) ? BPF_CORE_READ(more, on_cpu) : 0;
	record.kernel_bytes = bpf_get_task_stack(task, record.kernel, sizeof(record.kernel), 0);
	take_regs(task);
	record.tid = task->pid;
	return 0;
}

/* --- folded --------------------------------------------------------------------------------------
 */

/* Its value: since when the thread sleeps; 0 = it does not. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOLD_THREADS);
	__type(key, __u32);
	__type(value, __u64);
} fold_threads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, FOLD_STACKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, STACK_FRAMES * sizeof(__u64));
} fold_stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOLD_WAKES);
	__type(key, struct fold_wake_key);
	__type(value, struct fold_count);
} fold_wakes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FOLD_SAMPLES);
	__type(key, struct fold_sample_key);
	__type(value, struct fold_count);
} fold_samples SEC(".maps");

const volatile __u32 fold_switch_has_state = 0; /* the argument came with 5.18 */
__u64 fold_losses[FOLD_LOSSES] = {};

static __always_inline void count(void *map, const void *key, __u64 ns)
{
	const struct fold_count none = {};
	struct fold_count *c = bpf_map_lookup_elem(map, key);

	if (!c) {
		bpf_map_update_elem(map, key, &none, BPF_NOEXIST);
		c = bpf_map_lookup_elem(map, key);
	}
	if (!c) {
		ADD(fold_losses[FOLD_LOSS_MAPS], 1);
		return;
	}
	ADD(c->n, 1);
	ADD(c->ns, ns);
}

/*
 * Current's stacks. Two different ones that hash to one place keep the first; the other is lost. No
 * user stack is no loss: not everyone has one.
 */
static __always_inline void stacks(void *ctx, __s32 *kernel, __s32 *user)
{
	*kernel = bpf_get_stackid(ctx, &fold_stacks, BPF_F_FAST_STACK_CMP);
	if (*kernel == -17 || *kernel == -12)
		ADD(fold_losses[FOLD_LOSS_KERNEL], 1);
	*user = bpf_get_stackid(ctx, &fold_stacks, BPF_F_FAST_STACK_CMP | BPF_F_USER_STACK);
	if (*user == -17 || *user == -12)
		ADD(fold_losses[FOLD_LOSS_USER], 1);
}

static __always_inline void switched_out(struct task_struct *prev, bool preempt, __u32 state)
{
	__u32 tid = prev->pid;
	__u64 *since = bpf_map_lookup_elem(&fold_threads, &tid);

	if (since && !preempt && state)
		*since = bpf_ktime_get_ns();
}

SEC("?tp_btf/sched_switch")
int ho_fold_switch(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1];

	/* A read of an argument the kernel does not have is refused; the verifier never sees the
	 * dead one. */
	if (fold_switch_has_state)
		switched_out(prev, ctx[0], ctx[3]);
	else
		switched_out(prev, ctx[0], prev->__state);
	return 0;
}

/* In the waker's context: a thread, or an interrupt that borrows one. */
SEC("?tp_btf/sched_waking")
int BPF_PROG(ho_fold_waking, struct task_struct *p)
{
	struct fold_wake_key key = { .tid = p->pid };
	__u64 *since = bpf_map_lookup_elem(&fold_threads, &key.tid);
	__u64 now, begin = since ? *since : 0;

	if (!begin)
		return 0;
	*since = 0;
	now = bpf_ktime_get_ns();
	if ((__u32)bpf_get_current_pid_tgid())
		bpf_get_current_comm(key.comm, sizeof(key.comm));
	stacks(ctx, &key.kernel, &key.user);
	count(&fold_wakes, &key, now > begin ? now - begin : 0);
	return 0;
}

SEC("?perf_event")
int ho_fold_sample(void *ctx)
{
	struct fold_sample_key key = { .tid = (__u32)bpf_get_current_pid_tgid() };

	if (!key.tid || !bpf_map_lookup_elem(&fold_threads, &key.tid))
		return 0;
	stacks(ctx, &key.kernel, &key.user);
	count(&fold_samples, &key, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
