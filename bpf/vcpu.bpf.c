// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The vCPU's side of a kick: exit, decoding, and what became of it (vcpu.h). Raw tracepoints: KVM
 * is a module on stock kernels, whose types ask for CAP_SYS_ADMIN; and we only need plain
 * arguments.
 */
#include "vcpu.h"
#include "drift.bpf.h"

/* KVM_EXIT_* of <linux/kvm.h>. */
#define USER_EXIT_IO   2
#define USER_EXIT_MMIO 6

/* kvm_mmio's types; 0 is a read that has to wait for user space, and comes again as 1. */
#define MMIO_READ  1
#define MMIO_WRITE 2

#define PIO_OUT 1

/* The current thread if it is the VMM's; it becomes known at its first exit. */
static __always_inline struct thread_state *vcpu(void)
{
	__u64 id = bpf_get_current_pid_tgid();

	return is_ours(id) ? thread_keep((__u32)id) : NULL;
}

/* A read: counted, by address. */
static __always_inline void vcpu_reads(struct thread_state *t, __u64 gpa, __u32 bus)
{
	struct kick_key key = { .gpa = gpa, .bus = bus };
	struct kick_state *state = kick_find_or_make(&key, false);

	if (state)
		ADD(state->kicks, 1);
	else
		t->row.vcpu.untracked++;
}

SEC("?raw_tp/kvm_exit")
int ho_kvm_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = vcpu();
	struct vcpu_irqs *v;
	__u32 index;

	if (!t)
		return 0;
	disarm(t);
	t->exit_ns = bpf_ktime_get_ns();
	t->in_exit = 1;
	t->row.vcpu.exits++;
	index = t->vcpu - 1;
	v = bpf_map_lookup_elem(&vcpus, &index);
	if (v)
		v->in_guest = 0;
	return 0;
}

static __always_inline void enter_guest(struct thread_state *t, __u32 index)
{
	struct vcpu_irqs *v = bpf_map_lookup_elem(&vcpus, &index);
	struct irq_set set;
	__u64 now, t_ns;
	int i;

	if (!v)
		return;
	t->vcpu = index + 1;
	v->in_guest = 1;
	v->enters = 1;
	if (!v->waiting)
		return;
	now = bpf_ktime_get_ns();
	for (i = 0; i < VCPU_IRQS; i++) {
		struct accepted_irq *irq = &v->irq[i];

		t_ns = irq->t_ns;
		/* Accepted this very moment: for the next entry. */
		if (t_ns <= 1 || t_ns > now)
			continue;
		set = irq->set;
		/* Whoever takes it out counts it: ho_posted_irq may do so at this very moment, and
		 * the place be another's already. */
		if (__sync_val_compare_and_swap(&irq->t_ns, t_ns, 0) != t_ns)
			continue;
		irq_add(&set, STAGE_ENTER, since(t_ns, now));
		ADD(v->waiting, -1);
	}
}

/* (vcpu) up to 6.0, (vcpu, force_immediate_exit) later. */
SEC("?raw_tp/kvm_entry")
int ho_kvm_entry(struct bpf_raw_tracepoint_args *ctx)
{
	struct kvm_vcpu *v = (void *)ctx->args[0];
	struct thread_state *t = vcpu();

	if (!t)
		return 0;
	disarm(t);
	vcpu_back(t);
	t->in_exit = 0;
	t->row.vcpu.entries++;
	/* x86: the local APIC's id is the vCPU's unless the guest renumbers it, which nobody does.
	 */
	if (config.entry_has_vcpu)
		enter_guest(t, BPF_CORE_READ(v, vcpu_id));
	return 0;
}

/* (type, len, gpa, val). A write is traced before its device is called; a read after. */
SEC("?raw_tp/kvm_mmio")
int ho_kvm_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = vcpu();

	if (!t)
		return 0;
	disarm(t);
	if ((int)ctx->args[0] == MMIO_WRITE) {
		t->row.vcpu.mmio_writes++;
		vcpu_kick(t, ctx->args[2], BUS_MMIO, (void *)ctx->args[3], ctx->args[1],
			  bpf_ktime_get_ns());
	} else if ((int)ctx->args[0] == MMIO_READ) {
		t->row.vcpu.mmio_reads++;
		vcpu_reads(t, ctx->args[2], BUS_MMIO_READ);
	}
	return 0;
}

/* A kick that nothing told of before: the signal of this exit, and its wake, were the kick's. */
static __always_inline void late_kick(struct thread_state *t, __u64 gpa)
{
	__u64 signal_ns = t->kick_signal_ns, woke_ns = t->early_woke_ns;
	struct kick_state *state;

	vcpu_kick(t, gpa, BUS_MMIO, NULL, 0, bpf_ktime_get_ns());
	state = vcpu_kick_state(t);
	ADD(seen.signals_untold, 1);
	if (!state) {
		lost(LOSS_LOOKUPS);
		return;
	}
	if (signal_ns && !state->signal_ns)
		state->signal_ns = signal_ns;
	if (woke_ns) {
		ADD(state->woke, 1);
		state->woke_ns = woke_ns;
		state->woke_tid = t->early_tid;
	}
}

/* (gpa), told after the eventfd was signalled. */
SEC("?raw_tp/kvm_fast_mmio")
int ho_fast_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = vcpu();

	if (!t)
		return 0;
	t->row.vcpu.mmio_writes++;
	/* ioeventfd_write told of it, which may have been disarmed by its wake since. */
	if (!t->at_ioeventfd || t->key.gpa != ctx->args[0])
		late_kick(t, ctx->args[0]);
	disarm(t);
	return 0;
}

/* (rw, port, size, count, data). An output is told before the bus is written, an input after. */
SEC("?raw_tp/kvm_pio")
int ho_kvm_pio(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = vcpu();

	if (!t)
		return 0;
	disarm(t);
	if ((__u32)ctx->args[0] == PIO_OUT) {
		t->row.vcpu.pio_writes++;
		vcpu_kick(t, ctx->args[1] & 0xffff, BUS_PIO, (void *)ctx->args[4], ctx->args[2],
			  bpf_ktime_get_ns());
	} else {
		t->row.vcpu.pio_reads++;
		vcpu_reads(t, ctx->args[1] & 0xffff, BUS_PIO_READ);
	}
	return 0;
}

/*
 * A kick that never was one: out of its window, and out of what it was counted as there. Of a
 * window with p kicks p - 1 are coalesced. Where the loop has closed it meanwhile this kick was
 * coalesced, or, being all there was, met.
 */
static __always_inline void kick_take_back(struct kick_state *state)
{
	__u64 pending;
	int i;

	for (i = 0; i < RACES; i++) {
		pending = state->pending;
		if (!pending ||
		    __sync_val_compare_and_swap(&state->pending, pending, pending - 1) == pending)
			break;
	}
	if (pending == 1)
		state->first_ns = 0;
	else if (pending || state->coalesced)
		ADD(state->coalesced, -1);
	else
		ADD(state->met_awake, -1);
}

/* No ioeventfd took it: the eventfd's window does not hold this kick. */
static __always_inline void kick_left(struct thread_state *t)
{
	struct kick_state *state;

	if (t->untracked)
		return;
	state = bpf_map_lookup_elem(&kicks, &t->key);
	if (!state) {
		lost(LOSS_LOOKUPS);
		return;
	}
	ADD(state->user_exits, 1);
	kick_take_back(state);
}

/* (reason, errno): KVM_RUN returns. */
SEC("?raw_tp/kvm_userspace_exit")
int ho_user_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 reason = ctx->args[0];
	struct thread_state *t = vcpu();

	if (!t)
		return 0;
	/* Not `armed`: an interrupt may have woken somebody in this thread on the way out. Where
	 * kvm_exit never fires the write is still the last thing told when the vCPU leaves for
	 * another reason: an input from a port is told of only after it. */
	if (t->told && !(int)ctx->args[1] &&
	    reason == ((t->key.bus & ~BUS_BY_VALUE) == BUS_PIO ? USER_EXIT_IO : USER_EXIT_MMIO))
		kick_left(t);
	disarm(t);
	t->in_exit = 0;
	t->row.vcpu.user_exits++;
	return 0;
}
