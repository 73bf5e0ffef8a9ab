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

/* `regs` is the kernel's: not every program may look at it directly. */
static __always_inline __u64 call_register(const void *at)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), at);
	return value;
}

static __always_inline __u64 call_nr(struct pt_regs *regs)
{
	return call_register(&REGISTER_NR(regs));
}

static __always_inline __u64 call_first(struct pt_regs *regs)
{
	return call_register(&PT_REGS_PARM1(regs));
}

static __always_inline __u64 call_second(struct pt_regs *regs)
{
	return call_register(&PT_REGS_PARM2(regs));
}

static __always_inline __u64 call_third(struct pt_regs *regs)
{
	return call_register(&PT_REGS_PARM3(regs));
}

static __always_inline struct pt_regs *call_current(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

#endif
