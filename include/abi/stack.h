/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What bpf/stack.bpf.c tells user/trace/stack.c of one thread, and user/trace/folded.c of the
 * stacks of those who woke a loop and of the loop itself.
 */
#ifndef HANDOFF_ABI_STACK_H
#define HANDOFF_ABI_STACK_H

#include <linux/types.h>

#define STACK_FRAMES   64
#define STACK_REGS_MAX 40 /* x86_64 has 21 in its pt_regs, arm64 36 */

struct stack_record {
	__u32 tid;   /* 0 = the thread was not met */
	__u32 tgid;  /* its process */
	__u32 flags; /* PF_* */
	__u32 state; /* task_struct.__state */
	__u32 on_cpu;
	__s32 kernel_bytes; /* of kernel[]; < 0: -errno */
	__s32 regs_bytes;   /* of regs[]; < 0: -errno */
	__u32 pad;
	__u64 kernel[STACK_FRAMES]; /* innermost first */
	/* struct pt_regs as it lies on the thread's kernel stack: of its last entry to the kernel
	 */
	__u64 regs[STACK_REGS_MAX];
};

#define FOLD_WAKES   8192 /* different ways to be woken */
#define FOLD_SAMPLES 8192 /* different places to be on a CPU */
#define FOLD_STACKS  16384
#define FOLD_THREADS 256 /* loops that are followed */
#define FOLD_COMM    16

/* Stacks by their number in the map of stacks; < 0: there is none, -errno of bpf_get_stackid. */
struct fold_wake_key {
	__u32 tid; /* of the loop */
	__u32 pad;
	char comm[FOLD_COMM]; /* of the waker; "" = an interrupt did it on an idle CPU */
	__s32 kernel, user;   /* the waker's stacks */
};

struct fold_sample_key {
	__u32 tid;
	__s32 kernel, user;
	__u32 pad;
};

struct fold_count {
	__u64 n, ns; /* how often; asleep (wakes only: samples have a fixed weight) */
};

enum fold_loss {
	FOLD_LOSS_KERNEL, /* a stack there was no room for */
	FOLD_LOSS_USER,
	FOLD_LOSS_MAPS, /* another way to be woken, or place, than there is room for */
	FOLD_LOSSES
};

_Static_assert(sizeof(struct stack_record) == 32 + 8 * (STACK_FRAMES + STACK_REGS_MAX),
	       "map layout is ABI");
_Static_assert(sizeof(struct fold_wake_key) == 32, "map layout is ABI");
_Static_assert(sizeof(struct fold_sample_key) == 16, "map layout is ABI");

#endif
