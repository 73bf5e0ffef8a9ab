// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The eventfd's signal, where the kernel lets functions be hooked: the exact end of `signal`. Where
 * it does not, loop.bpf.c infers the signal from the wake it causes.
 *
 *   vCPU  kvm_exit -- kvm_mmio -- ioeventfd_write -- eventfd_signal -- sched_waking
 *         kvm_exit -------------- ioeventfd_write -- eventfd_signal -- sched_waking --
 * kvm_fast_mmio
 *
 * Both signal functions are hooked where both exist: eventfd_signal() calls eventfd_signal_mask()
 * on kernels that have the two (unless it was inlined), 5.15 may have the first alone, 6.8 made it
 * inline. Each has a variant for kernels that refuse fentry and take kprobes.
 */
#include <linux/ptrace.h>
#include "vcpu.h"
#include <bpf/bpf_tracing.h>

/* Whatever it does is due to the guest, and may be to its last write. */
static __always_inline bool carries_out(const struct thread_state *t)
{
	return t->armed || t->in_exit || t->inferred_ns;
}

/* KVM looks whether this write is an ioeventfd's. On the fast path nothing was told before: this is
 * where the kick is decoded. */
static __always_inline int looked_for(__u64 gpa)
{
	struct thread_state *t;

	if (!ours())
		return 0;
	t = thread_find(current_tid());
	if (!t || !carries_out(t))
		return 0;
	seen.ioeventfd = 1;
	if (!t->told)
		vcpu_kick(t, gpa, BUS_MMIO, NULL, 0, bpf_ktime_get_ns());
	t->at_ioeventfd = 1;
	return 0;
}

/*
 * The first signal that is seen at all. Until then a wake is taken for the signal (loop.bpf.c), but
 * this one came before it: an interrupt's, which borrowed the vCPU's thread.
 */
static __always_inline void take_back_wake(struct thread_state *t, struct kick_state *state)
{
	stage_hist_count(state->row - 1, STAGE_SIGNAL, since(t->kick_ns, t->inferred_ns), -1);
	ADD(seen.signals_inferred, -1);
	ADD(state->woke, -1);
	if (state->woke_ns == t->inferred_ns)
		state->woke_ns = 0;
	t->inferred_ns = 0;
	t->armed = 1;
}

/* Other eventfds than the kick's may be signalled by an interrupt that borrows the vCPU's thread:
 * hardly ever between looking for the ioeventfd and its signal. */
static __always_inline int signalled(void)
{
	struct kick_state *state;
	struct thread_state *t;
	__u64 now;

	if (!ours())
		return 0;
	t = thread_find(current_tid());
	if (!t || t->kick_signal_ns || !carries_out(t) || (seen.ioeventfd && !t->at_ioeventfd))
		return 0;
	now = bpf_ktime_get_ns();
	t->kick_signal_ns = now;
	if (!t->armed && !t->inferred_ns)
		return 0;
	state = vcpu_kick_state(t);
	if (!state) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	if (!state->row)
		return 0;
	if (t->inferred_ns)
		take_back_wake(t, state);
	seen.signal = 1;
	kick_add(state, STAGE_SIGNAL, since(t->kick_ns, now));
	if (!state->signal_ns)
		state->signal_ns = now;
	return 0;
}

/* (vcpu, device, gpa, len, val) */
SEC("?fentry/ioeventfd_write")
int BPF_PROG(ho_ioeventfd, void *vcpu, void *device, __u64 gpa)
{
	return looked_for(gpa);
}

SEC("?kprobe/ioeventfd_write")
int BPF_KPROBE(ho_ioeventfd_kp, void *vcpu, void *device, __u64 gpa)
{
	return looked_for(gpa);
}

SEC("?fentry/eventfd_signal_mask")
int ho_signal_mask(void *ctx)
{
	return signalled();
}

SEC("?kprobe/eventfd_signal_mask")
int ho_sigmask_kp(void *ctx)
{
	return signalled();
}

SEC("?fentry/eventfd_signal")
int ho_signal(void *ctx)
{
	return signalled();
}

SEC("?kprobe/eventfd_signal")
int ho_signal_kp(void *ctx)
{
	return signalled();
}
