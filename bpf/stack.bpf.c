// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * One thread's stacks without stopping it, told by want_tid, whatever it does: an object of its
 * own, loaded when it is needed (user/trace/stack.c).
 */
#include "stack_regs.h"

/* Beside those of kernel_types.h: `flavours' of the same types. */
struct seq_file;

struct task_struct___stack {
	int on_cpu;
} KERNEL_TYPE;

__u32 want_tid = 0;
struct stack_record record = {};

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
	record.regs_bytes = stack_take_regs(task, record.regs);
	record.tid = task->pid;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
