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
#include "state.h"
#include <bpf/bpf_tracing.h>

/* Between the hook and its message interrupts are off: what is older was a pin's. */
#define IRQFD_FRESH_NS 1000000

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

static __always_inline struct irq_state *irq_find_or_make(const struct irq_key *key)
{
	struct irq_state *state;

	state = bpf_map_lookup_elem(&irqs, key);
	if (state)
		return state;
	bpf_map_update_elem(&irqs, key, &empty_irq, BPF_NOEXIST);
	state = bpf_map_lookup_elem(&irqs, key);
	if (!state)
		lost(LOSS_MAPS);
	return state;
}

/* (address, data). Under the irqfd's lock: no state is made for an unknown thread. */
SEC("?raw_tp/kvm_msi_set_irq")
int ho_msi_set_irq(struct bpf_raw_tracepoint_args *ctx)
{
	struct irq_key key = { .address = ctx->args[0], .data = ctx->args[1] };
	struct irq_state *irq;
	struct thread_state *t;

	if (!ours())
		return 0;
	t = thread_find(current_tid());
	if (!t)
		return 0;
	irq = irq_find_or_make(&key);
	if (!irq)
		return 0;
	ADD(irq->signalled, 1);
	t->msi = key;
	t->msi_ns = bpf_ktime_get_ns();
	if (t->irqfd_ns && t->msi_ns - t->irqfd_ns < IRQFD_FRESH_NS)
		t->msi_ns = t->irqfd_ns;
	else
		ADD(seen.injects_inferred, 1);
	t->irqfd_ns = 0;
	return 0;
}

/* (apicid, delivery mode, trigger mode, vector) */
SEC("?raw_tp/kvm_apic_accept_irq")
int ho_accept_irq(struct bpf_raw_tracepoint_args *ctx)
{
	struct accepted_irq *accepted;
	struct thread_state *t;
	struct irq_state *irq;
	struct irq_key key;
	__u64 now, begin;
	__u32 apicid = ctx->args[0];

	if (!ours())
		return 0;
	t = thread_find(current_tid());
	if (!t || !t->msi_ns)
		return 0;
	begin = t->msi_ns;
	t->msi_ns = 0;
	now = bpf_ktime_get_ns();
	/* Never accepted (masked), and this is another interrupt of the same thread. */
	if (now - begin > config.lost_after_ns)
		return 0;
	key = t->msi;
	irq = bpf_map_lookup_elem(&irqs, &key);
	if (!irq) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	ADD(irq->accepted, 1);
	irq_hist_add(key.address, key.data, STAGE_INJECT, since(begin, now));
	accepted = bpf_map_lookup_elem(&accepted_irqs, &apicid);
	if (accepted && !accepted->t_ns) {
		accepted->key = key;
		accepted->t_ns = now;
	}
	return 0;
}
