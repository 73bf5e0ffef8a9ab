/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The system call that a thread of the VMM is in: its registers are kept until it returns. */
#ifndef HANDOFF_BPF_CALL_H
#define HANDOFF_BPF_CALL_H

#include <linux/ptrace.h>
#include "maps.h"
#include <bpf/bpf_tracing.h>

#ifdef __TARGET_ARCH_x86
#define NR_READ	       0
#define NR_IOCTL       16
#define REGISTER_NR(r) ((r)->orig_rax)
#else /* arm64: what programs may name of the registers lacks the number */
#define NR_READ	       63
#define NR_IOCTL       29
#define REGISTER_NR(r) ((r)->pc)
#endif

struct call {
	__u64 nr;
	__u64 first, second, third; /* arguments */
};

/* `regs` is the kernel's: not every program may look at it directly. */
static __always_inline struct call call_read(struct pt_regs *regs)
{
	struct call call = {};

	bpf_probe_read_kernel(&call.nr, sizeof(call.nr), &REGISTER_NR(regs));
	bpf_probe_read_kernel(&call.first, sizeof(call.first), &PT_REGS_PARM1(regs));
	bpf_probe_read_kernel(&call.second, sizeof(call.second), &PT_REGS_PARM2(regs));
	bpf_probe_read_kernel(&call.third, sizeof(call.third), &PT_REGS_PARM3(regs));
	return call;
}

static __always_inline struct call call_current(void)
{
	return call_read((struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()));
}

#endif
