/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the programs on the vCPU's side share (vcpu.bpf.c, eventfd.bpf.c). A write to a guest
 * address arms the vCPU; the next event of this vCPU disarms it; what the thread does in between
 * (wake somebody, signal an eventfd, leave to user space) is due to the write.
 */
#ifndef HANDOFF_BPF_VCPU_H
#define HANDOFF_BPF_VCPU_H

#include "state.h"

static __always_inline void disarm(struct thread_state *t)
{
	t->armed = 0;
	t->told = 0;
	t->at_ioeventfd = 0;
	t->kick_signal_ns = 0;
	t->inferred_ns = 0;
	t->early_woke_ns = 0;
	t->irqfd_ns = 0;
	t->msi_ns = 0;
}

/* A window that is open already: this kick's signal finds another's in the eventfd. */
static __always_inline void kick_count(struct kick_state *state, const struct thread_state *t,
				       __u64 now)
{
	ADD(state->kicks, 1);
	if (ADD(state->pending, 1)) {
		ADD(state->coalesced, 1);
	} else {
		state->first_ns = now;
		if (config.waits) { /* only a loop's waits have them */
			state->first_back_ns = t->back_ns;
			state->first_left_ns = t->in_exit ? t->exit_ns : t->left_ns;
		}
	}
	state->last_ns = now;
}

/* What a guest's write of 1 to 8 bytes carries; `at` is KVM's, little-endian as the guest. */
static __always_inline __u64 write_value(const void *at, __u64 len)
{
	__u64 value = 0;

	/* The bound in the register that the helper gets, which the compiler would lose. */
	asm volatile("if %0 <= 8 goto +1\n%0 = 8" : "+r"(len));
	if (bpf_probe_read_kernel(&value, len, at))
		lost(LOSS_LOOKUPS);
	return value;
}

/*
 * A write, of `len` bytes at `value` (NULL: not told). Which eventfd it is for, if any, shows in
 * what follows.
 */
static __always_inline void vcpu_kick(struct thread_state *t, __u64 gpa, __u32 bus,
				      const void *value, __u32 len, __u64 now)
{
	struct kick_key key = { .gpa = gpa, .bus = bus };
	struct kick_state *state = kick_find_or_make(&key, false);

	if (config.foreign && state && state->by_value && value) {
		key.bus |= BUS_BY_VALUE;
		key.value = write_value(value, len);
		state = kick_find_or_make(&key, false);
	}
	t->key = key;
	t->kick_ns = now;
	t->armed = 1;
	t->told = 1;
	t->untracked = !state;
	t->in_kick = 1;
	if (!state) {
		t->row.vcpu.untracked++;
		return;
	}
	kick_count(state, t, now);
	if (t->in_exit)
		kick_add(state, STAGE_EXIT, since(t->exit_ns, now));
}

/* It goes on in the guest, or is about to. */
static __always_inline void vcpu_back(struct thread_state *t)
{
	t->left_ns = 0;
	if (!config.waits || !t->in_kick)
		return;
	t->in_kick = 0;
	t->back_ns = bpf_ktime_get_ns();
}

/* The write signals an eventfd: a queue's, surely. Process context. */
static __always_inline struct kick_state *vcpu_kick_state(struct thread_state *t)
{
	struct kick_state *state;

	if (!t->untracked)
		return bpf_map_lookup_elem(&kicks, &t->key);
	state = kick_find_or_make(&t->key, true);
	if (!state)
		return NULL;
	t->untracked = 0;
	t->row.vcpu.untracked--;
	kick_count(state, t, t->kick_ns);
	return state;
}

#endif
