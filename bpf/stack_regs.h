/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* A thread's registers in user space, as its last entry to the kernel saved them. Inlined. */
#ifndef HANDOFF_BPF_STACK_REGS_H
#define HANDOFF_BPF_STACK_REGS_H

#include "kernel_types.h"
#include <abi/stack.h>

#define PF_KTHREAD 0x00200000

/* They lie as the kernel's entry code pushed them: the layout is the signal frame's. */
#if defined(__TARGET_ARCH_x86)
#define STACK_REGS_BYTES (21 * 8)
#define STACK_SP	 19
#elif defined(__TARGET_ARCH_arm64)
#define STACK_REGS_BYTES (36 * 8)
#define STACK_SP	 31
#else
#define STACK_REGS_BYTES 0
#define STACK_SP	 0
#endif

/* Their size; 0: threads of the kernel's own have never been in user space, what lies there is no
 * one's. Or -errno. */
static __always_inline __s32 stack_take_regs(struct task_struct *task, __u64 regs[STACK_REGS_MAX])
{
	long ret;

	if (!STACK_REGS_BYTES || (task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER)))
		return 0;
	ret = bpf_probe_read_kernel(regs, STACK_REGS_BYTES, (const void *)bpf_task_pt_regs(task));
	return ret ? ret : STACK_REGS_BYTES;
}

#endif
