/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What bpf/stack.bpf.c tells user/trace/stack.c of one thread, and bpf/fold.bpf.c tells
 * user/trace/folded.c of the stacks of those who woke a loop and of the loop itself.
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

#define FOLD_WAKES	 4096 /* different wakers of loops */
#define FOLD_THREADS	 256  /* loops that are followed */
#define FOLD_COMM	 16
#define FOLD_HZ		 99 /* samples of a running loop; not in step with other timers */
#define FOLD_SAMPLE_NS	 (1000000000 / FOLD_HZ)
#define FOLD_STACK_BYTES 8192 /* of a user stack, from its innermost frame on */
#define FOLD_CHUNK	 512
#define FOLD_RING_BYTES	 (4 << 20)

/* A loop that is followed. Since when, 0 = it is not so; CLOCK_MONOTONIC, ns. */
struct fold_thread {
	__u64 asleep_ns;
	__u64 runnable_ns; /* on a run queue: woken, or preempted */
	__u64 waited_ns;   /* there, until now */
};

struct fold_wake_key {
	__u32 tid; /* of the loop */
	__u32 by;  /* thread of the waker; 0 = an interrupt did it on an idle CPU */
};

struct fold_wake {
	__u64 n, ns;   /* wakes, and the time asleep before them, that no record has told of yet */
	__u64 told_ns; /* the last record; 0 = none */
};

enum fold_kind { FOLD_RUNNING = 1, FOLD_WOKEN = 2 };

/* Where a loop is on its CPU, or who woke it. */
struct fold_record {
	__u32 kind;		  /* enum fold_kind */
	__u32 by_pid;		  /* process of the thread whose stacks these are */
	struct fold_wake_key key; /* FOLD_RUNNING: `by` is the loop itself */
	char comm[FOLD_COMM];	  /* of that thread; "" = none */
	__u64 n, ns;		  /* FOLD_WOKEN: as in fold_wake */
	__s32 kernel_bytes;	  /* as in stack_record */
	__s32 regs_bytes;	  /* as in stack_record; 0 = a thread of the kernel's */
	__u32 stack_bytes;	  /* of stack[], from the stack pointer up */
	__u32 pad;
	__u64 kernel[STACK_FRAMES];
	__u64 regs[STACK_REGS_MAX];
	__u8 stack[FOLD_STACK_BYTES];
};

/* Time that no record tells of, ns. */
enum fold_loss {
	FOLD_LOSS_WAKES,   /* asleep: more wakers than there is room for */
	FOLD_LOSS_SAMPLES, /* running: the ring was full */
	FOLD_LOSSES
};

_Static_assert(sizeof(struct stack_record) == 32 + 8 * (STACK_FRAMES + STACK_REGS_MAX),
	       "map layout is ABI");
_Static_assert(sizeof(struct fold_thread) == 24, "map layout is ABI");
_Static_assert(sizeof(struct fold_wake_key) == 8, "map layout is ABI");
_Static_assert(sizeof(struct fold_record) ==
		       64 + 8 * (STACK_FRAMES + STACK_REGS_MAX) + FOLD_STACK_BYTES,
	       "record layout is ABI");

#endif
