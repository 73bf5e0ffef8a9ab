/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every difference between kernels that the programs meet, with its version. Decided by CO-RE or by
 * read-only data that user space filled from the kernel's own BTF: never by a version number, since
 * stable trees take changes back.
 */
#ifndef HANDOFF_BPF_DRIFT_H
#define HANDOFF_BPF_DRIFT_H

#include <stdbool.h>
#include "maps.h"

/*
 * Was `prev` still runnable when it was switched out? The argument came with 5.18 (9c2136be0878);
 * before that it has not been changed yet. task_struct.state became __state in 5.14.
 */
static __always_inline bool drift_switched_out_runnable(bool preempt,
							const struct task_struct *prev,
							bool has_state, unsigned int prev_state)
{
	const struct task_struct___old *old = (const void *)prev;

	if (preempt)
		return true;
	if (has_state)
		return prev_state == 0;
	if (bpf_core_field_exists(prev->__state))
		return prev->__state == 0;
	return bpf_core_field_exists(old->state) && BPF_CORE_READ(old, state) == 0;
}

/*
 * Up to 6.4 a worker of io_uring's that ends takes PF_IO_WORKER off before it gets PF_EXITING, and
 * may be preempted between (fd37b884003c, 6.5, mends it); what it points to stays. From 6.5 on the
 * flag stays, and the pointer goes (adeaa3f290ec).
 */
static __always_inline bool drift_is_io_worker(const struct task_struct *p)
{
	const struct task_struct___old *old = (const void *)p;

	if (p->flags & PF_IO_WORKER)
		return true;
	if (bpf_core_field_exists(p->worker_private))
		return p->worker_private;
	return bpf_core_field_exists(old->pf_io_worker) && BPF_CORE_READ(old, pf_io_worker);
}

/*
 * May a thread of the VMM be without a state? Those the kernel makes inside a process are announced
 * by no fork event and run no event loop. One that ends may have lost its state before its last
 * switch (seen on 6.1: the leader, when its parent has already waited for it).
 */
static __always_inline bool drift_may_be_unknown(const struct task_struct *p)
{
	return p->flags & (PF_EXITING | PF_USER_WORKER) || drift_is_io_worker(p);
}

/* The TDX series (6.16) moved it into vcpu_vt. */
static __always_inline __u32 drift_vmx_reason(void *vcpu)
{
	struct vcpu_vmx___old *old = vcpu;
	struct vcpu_vmx *vmx = vcpu;

	if (bpf_core_field_exists(old->exit_reason))
		return BPF_CORE_READ(old, exit_reason.full);
	if (bpf_core_field_exists(vmx->vt))
		return BPF_CORE_READ(vmx, vt.exit_reason.full);
	return 0;
}

/*
 * kvm_exit is (vcpu, isa) since 5.16 (0a62a0319abb) and its reason lies in the vCPU, first member
 * of vcpu_vmx and vcpu_svm; before, it is (reason, vcpu, isa), and on arm64 the reason comes first
 * too. Where the kernel's BTF could not be asked the value tells: a pointer of the kernel is never
 * that small. False: this kernel does not say.
 */
static __always_inline bool drift_exit_reason(struct bpf_raw_tracepoint_args *ctx,
					      struct exit_key *key)
{
	void *vcpu = (void *)ctx->args[0];
	struct vcpu_svm *svm = vcpu;

	if (config.exit_args == EXIT_ARGS_REASON || config.exit_args == EXIT_ARGS_NO_ISA ||
	    (config.exit_args == EXIT_ARGS_UNKNOWN && !(ctx->args[0] >> 32))) {
		key->reason = (__u32)ctx->args[0];
		/* An argument the kernel does not have must not even be named. */
		if (config.exit_args == EXIT_ARGS_REASON)
			key->isa = ctx->args[2];
		return true;
	}
	key->isa = ctx->args[1];
	if (key->isa == EXIT_ISA_VMX && bpf_core_type_exists(struct vcpu_vmx))
		key->reason = drift_vmx_reason(vcpu);
	else if (key->isa == EXIT_ISA_SVM && bpf_core_type_exists(struct vcpu_svm))
		key->reason = (__u32)BPF_CORE_READ(svm, vmcb, control.exit_code);
	else
		return false;
	return true;
}

/*
 * The request came with 5.16 (at argument 1), the completion entry in place of its parts later. 0
 * where there is none.
 */
static __always_inline int drift_ring_result(struct bpf_raw_tracepoint_args *ctx)
{
	struct io_uring_cqe___kernel *cqe;

	if (config.ring_args == RING_ARGS_RES)
		return ctx->args[1] ? (int)ctx->args[3] : 0;
	if (config.ring_args != RING_ARGS_CQE || !ctx->args[1])
		return 0;
	cqe = (void *)ctx->args[2];
	return BPF_CORE_READ(cqe, res);
}

#endif
