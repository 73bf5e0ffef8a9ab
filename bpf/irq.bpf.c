// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The way back. An irqfd's MSI is sent inside the write to the irqfd, in the writer's thread:
 * irqfd_wakeup() calls kvm_arch_set_irq_inatomic() (hooked where functions can be),
 * kvm_msi_set_irq, then kvm_apic_accept_irq once the local APIC has it; vcpu.bpf.c sees the guest
 * entered. Not the caller is hooked: Xen's privcmd has a function of that name too, and 6.12 has it
 * built in. kvm_set_irq is of no use here: it fires for pins only, in a kernel worker, and does not
 * say which VM.
 */
#include <linux/ptrace.h>
#include "served.h"
#include <bpf/bpf_tracing.h>

static __always_inline struct thread_state *sender(void)
{
	return ours_or_consumer() ? thread_find(current_tid()) : NULL;
}

static __always_inline int irqfd_signalled(void)
{
	struct thread_state *t;

	if (!ours())
		return 0;
	t = thread_find(current_tid());
	if (t)
		t->irqfd_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("?fentry/kvm_arch_set_irq_inatomic")
int ho_irqfd(void *ctx)
{
	return irqfd_signalled();
}

SEC("?kprobe/kvm_arch_set_irq_inatomic")
int ho_irqfd_kp(void *ctx)
{
	return irqfd_signalled();
}

static __always_inline struct irq_state *irq_find_or_make(struct irq_set *set)
{
	struct irq_state *state;

	state = bpf_map_lookup_elem(&irqs, set);
	if (state)
		return state;
	/* A guest may send any number of messages: those of nobody leave room for the others. */
	if (set->msi.address && unknown_used >= MODEL_MAX_UNKNOWN)
		set->msi = (struct irq_key){};
	else if (set->msi.address)
		ADD(unknown_used, 1);
	bpf_map_update_elem(&irqs, set, &empty_irq, BPF_NOEXIST);
	state = bpf_map_lookup_elem(&irqs, set);
	if (!state)
		lost(LOSS_MAPS);
	return state;
}

/* (address, data). Under the irqfd's lock: no state is made for an unknown thread. */
SEC("?raw_tp/kvm_msi_set_irq")
int ho_msi_set_irq(struct bpf_raw_tracepoint_args *ctx)
{
	struct irq_key key = { .address = ctx->args[0], .data = ctx->args[1] };
	struct thread_state *t = sender();
	struct irq_set set = {};
	struct irq_state *irq;
	__u64 *rows;

	if (!t)
		return 0;
	rows = bpf_map_lookup_elem(&messages, &key);
	set.rows = rows ? *rows : 0;
	if (config.foreign)
		set.rows = queue_interrupted(set.rows, key.address, key.data);
	if (config.foreign && !set.rows)
		set.msi = key;
	irq = irq_find_or_make(&set);
	if (!irq)
		return 0;
	t->msi = set;
	ADD(irq->signalled, 1);
	/* Taken last: what we do here is none of the injection's. */
	t->msi_ns = bpf_ktime_get_ns();
	/* What is older was a pin's: between the two interrupts are off (but for a hypervisor's
	 * whim).
	 */
	if (t->irqfd_ns && t->msi_ns - t->irqfd_ns < config.lost_after_ns)
		t->msi_ns = t->irqfd_ns;
	else if (set.rows)
		ADD(seen.injects_inferred, 1);
	t->irqfd_ns = 0;
	return 0;
}

static __always_inline bool same_set(const struct irq_set *a, const struct irq_set *b)
{
	return a->rows == b->rows && a->msi.address == b->msi.address && a->msi.data == b->msi.data;
}

static __always_inline void wait_for_entry(__u32 apicid, const struct irq_set *set, __u64 now)
{
	struct vcpu_irqs *v = bpf_map_lookup_elem(&vcpus, &apicid);
	int i;

	/* Its entry would not be found either. */
	if (!v && config.entry_has_vcpu)
		lost(LOSS_MAPS);
	if (!v || !v->enters)
		return;
	for (i = 0; i < VCPU_IRQS; i++) {
		struct accepted_irq *irq = &v->irq[i];

		if (irq->t_ns || __sync_val_compare_and_swap(&irq->t_ns, 0, 1))
			continue;
		irq->set = *set;
		/* Full barrier: who sees the time sees the set (vcpu.bpf.c, enter_guest). */
		__sync_val_compare_and_swap(&irq->t_ns, 1, now);
		ADD(v->waiting, 1);
		return;
	}
	lost(LOSS_RECORDS);
}

/* (apicid, delivery mode, trigger mode, vector) */
SEC("?raw_tp/kvm_apic_accept_irq")
int ho_accept_irq(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = sender();
	struct irq_state *irq;
	struct irq_set set;
	__u64 now, begin;

	if (!t)
		return 0;
	t->accept_ns = 0;
	begin = t->msi_ns;
	t->msi_ns = 0;
	if (!begin)
		return 0;
	now = bpf_ktime_get_ns();
	/* Never accepted (masked), and this is another interrupt of the same thread. */
	if (now - begin > config.lost_after_ns)
		return 0;
	set = t->msi;
	irq = bpf_map_lookup_elem(&irqs, &set);
	if (!irq) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	ADD(irq->accepted, 1);
	irq_add(&set, STAGE_INJECT, since(begin, now));
	t->accept_ns = now;
	wait_for_entry(ctx->args[0], &set, now);
	return 0;
}

/*
 * (apicid, ...), right after kvm_apic_accept_irq, where hardware delivers (APICv, AVIC): a vCPU
 * that is in the guest takes it there, without an entry.
 */
SEC("?raw_tp/kvm_apicv_accept_irq")
int ho_posted_irq(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = sender();
	__u32 apicid = ctx->args[0];
	struct irq_state *state;
	struct vcpu_irqs *v;
	struct irq_set set;
	int i;

	v = t && t->accept_ns ? bpf_map_lookup_elem(&vcpus, &apicid) : NULL;
	if (!v || !v->in_guest)
		return 0;
	set = t->msi;
	state = bpf_map_lookup_elem(&irqs, &set);
	for (i = 0; i < VCPU_IRQS; i++) {
		struct accepted_irq *irq = &v->irq[i];

		if (irq->t_ns != t->accept_ns || !same_set(&irq->set, &set))
			continue;
		/* The vCPU may have left and entered meanwhile: then it was taken there. */
		if (__sync_val_compare_and_swap(&irq->t_ns, t->accept_ns, 0) != t->accept_ns)
			break;
		ADD(v->waiting, -1);
		if (state)
			ADD(state->posted, 1);
		break;
	}
	t->accept_ns = 0;
	return 0;
}
