// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The vCPU's side of a kick: exit, decoding, and what became of it. A write to a guest address arms
 * the vCPU; the next event of this vCPU disarms it; what the thread does in between (wake somebody,
 * signal an eventfd, leave to user space) is due to the write. Raw tracepoints: KVM is a module on
 * stock kernels, whose types ask for CAP_SYS_ADMIN; and we only need plain arguments.
 */
#include "state.h"

/* KVM_EXIT_* of <linux/kvm.h>. */
#define USER_EXIT_IO   2
#define USER_EXIT_MMIO 6

#define MMIO_WRITE 2

/* The thread becomes known at its first exit: process context. */
static __always_inline struct thread_state *vcpu(void)
{
	return thread_make(current_task());
}

static __always_inline void disarm(struct thread_state *t)
{
	t->armed = 0;
	t->kick_signal_ns = 0;
	t->early_woke_ns = 0;
	t->msi_ns = 0;
}

static __always_inline void vcpu_kick(struct thread_state *t, __u64 gpa, __u32 bus, __u64 now)
{
	struct kick_key key = { .gpa = gpa, .bus = bus };
	struct kick_state *state = kick_find_or_make(&key);

	if (!state)
		return;
	ADD(state->kicks, 1);
	if (!ADD(state->pending, 1))
		state->first_ns = now;
	state->last_ns = now;
	t->key = key;
	t->kick_ns = now;
	t->armed = 1;
	if (t->in_exit)
		kick_add(state, STAGE_EXIT, since(t->exit_ns, now));
}

SEC("?raw_tp/kvm_exit")
int ho_kvm_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t;
	struct thread_row *row;

	if (!ours())
		return 0;
	t = vcpu();
	if (!t)
		return 0;
	disarm(t);
	t->exit_ns = bpf_ktime_get_ns();
	t->in_exit = 1;
	row = thread_row(t);
	if (row)
		row->vcpu.exits++;
	return 0;
}

static __always_inline void enter_guest(__u32 vcpu_id)
{
	struct accepted_irq *accepted = bpf_map_lookup_elem(&accepted_irqs, &vcpu_id);
	struct irq_key key;
	__u64 t_ns;

	if (!accepted || !accepted->t_ns)
		return;
	t_ns = accepted->t_ns;
	key = accepted->key;
	accepted->t_ns = 0;
	irq_hist_add(key.address, key.data, STAGE_ENTER, since(t_ns, bpf_ktime_get_ns()));
}

/* (vcpu) up to 6.0, (vcpu, force_immediate_exit) later. */
SEC("?raw_tp/kvm_entry")
int ho_kvm_entry(struct bpf_raw_tracepoint_args *ctx)
{
	struct kvm_vcpu *v = (void *)ctx->args[0];
	struct thread_state *t;
	struct thread_row *row;

	if (!ours())
		return 0;
	t = vcpu();
	if (!t)
		return 0;
	disarm(t);
	t->in_exit = 0;
	row = thread_row(t);
	if (row)
		row->vcpu.entries++;
	/* x86: the local APIC's id is the vCPU's unless the guest renumbers it, which nobody does.
	 */
	enter_guest(BPF_CORE_READ(v, vcpu_id));
	return 0;
}

/* (type, len, gpa, val). A write is traced before its device is called; a read after. */
SEC("?raw_tp/kvm_mmio")
int ho_kvm_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t;
	struct thread_row *row;

	if (!ours())
		return 0;
	t = vcpu();
	if (!t)
		return 0;
	disarm(t);
	row = thread_row(t);
	if ((int)ctx->args[0] == MMIO_WRITE) {
		if (row)
			row->vcpu.mmio_writes++;
		vcpu_kick(t, ctx->args[2], BUS_MMIO, bpf_ktime_get_ns());
	} else if (row) {
		row->vcpu.mmio_reads++;
	}
	return 0;
}

/* (gpa), told after the eventfd was signalled: what this exit did so far belongs to this address.
 */
SEC("?raw_tp/kvm_fast_mmio")
int ho_fast_mmio(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 signal_ns, woke_ns;
	struct kick_state *state;
	struct thread_state *t;
	struct thread_row *row;

	if (!ours())
		return 0;
	t = vcpu();
	if (!t)
		return 0;
	signal_ns = t->kick_signal_ns;
	woke_ns = t->early_woke_ns;
	disarm(t);
	row = thread_row(t);
	if (row)
		row->vcpu.mmio_writes++;
	vcpu_kick(t, ctx->args[0], BUS_MMIO, bpf_ktime_get_ns());
	t->armed = 0;
	state = bpf_map_lookup_elem(&kicks, &t->key);
	if (!state)
		return 0;
	kick_take_slot(state);
	if (signal_ns && !state->signal_ns)
		state->signal_ns = signal_ns;
	if (woke_ns) {
		ADD(state->woke, 1);
		state->woke_ns = woke_ns;
		state->woke_tid = t->early_tid;
	}
	return 0;
}

/* (rw, port, size, count, data), rw 1 = out. Before the bus is written. */
SEC("?raw_tp/kvm_pio")
int ho_kvm_pio(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t;
	struct thread_row *row;

	if (!ours())
		return 0;
	t = vcpu();
	if (!t)
		return 0;
	disarm(t);
	row = thread_row(t);
	if (row)
		row->vcpu.pio++;
	if ((__u32)ctx->args[0] == 1)
		vcpu_kick(t, ctx->args[1] & 0xffff, BUS_PIO, bpf_ktime_get_ns());
	return 0;
}

/* No ioeventfd took it: the eventfd's window does not hold this kick. */
static __always_inline void kick_left(struct thread_state *t)
{
	struct kick_state *state = bpf_map_lookup_elem(&kicks, &t->key);

	if (!state) {
		lost(LOSS_LOOKUPS);
		return;
	}
	ADD(state->user_exits, 1);
	/* The loop may have closed the window meanwhile. */
	if (state->pending && ADD(state->pending, -1) == 1)
		state->first_ns = 0;
}

/* (reason, errno): KVM_RUN returns. */
SEC("?raw_tp/kvm_userspace_exit")
int ho_user_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 reason = ctx->args[0];
	struct thread_state *t;
	struct thread_row *row;

	if (!ours())
		return 0;
	t = vcpu();
	if (!t)
		return 0;
	if (t->armed && !(int)ctx->args[1] && (reason == USER_EXIT_MMIO || reason == USER_EXIT_IO))
		kick_left(t);
	disarm(t);
	row = thread_row(t);
	if (row)
		row->vcpu.user_exits++;
	return 0;
}
