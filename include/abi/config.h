/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What user space tells the BPF programs before they are loaded: constants to the verifier, so a
 * branch on one costs nothing and code for another kernel is never looked at. One object in
 * read-only data, `config` in bpf/maps.bpf.c.
 */
#ifndef HANDOFF_ABI_CONFIG_H
#define HANDOFF_ABI_CONFIG_H

#include <abi/hist.h>

/* What kvm_exit's first arguments are, by the kernel's BTF. */
enum exit_args {
	EXIT_ARGS_UNKNOWN = 0, /* its BTF cannot be read: told by the value */
	EXIT_ARGS_VCPU = 1,    /* (vcpu, isa), x86 since 5.16 */
	EXIT_ARGS_REASON = 2,  /* (reason, vcpu, isa), x86 before */
	EXIT_ARGS_NO_ISA = 3,  /* (reason, ...), arm64 */
};

/* What io_uring_complete's arguments are, after the ring. */
enum ring_args {
	RING_ARGS_NONE = 0, /* no request: 5.15 */
	RING_ARGS_RES = 1,  /* (request, user data, result, ...) */
	RING_ARGS_CQE = 2,  /* (request, completion entry) */
};

struct trace_config {
	__u32 tgid; /* the VMM, in the initial pid namespace; every program looks at nothing else */
	__u32 switch_has_state; /* sched_switch carries the previous task's state (kernel 5.18) */
	__u32 exit_args;	/* enum exit_args */
	__u32 entry_has_vcpu;	/* kvm_entry's first argument is the vCPU (not on arm64) */
	__u64 lost_after_ns;
	__u32 foreign;	 /* not our VMM: nothing but the kernel tells of it */
	__u32 ring_args; /* enum ring_args */
	__u32 uprobes;	 /* 1 = functions of the VMM are hooked too */
	__u32 waits;	 /* 1 = each wait of a loop is kept */
};

_Static_assert(sizeof(struct trace_config) == 40, "read-only data is ABI");

#endif
