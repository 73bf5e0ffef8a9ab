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
	t->at_ioeventfd = 0;
	t->kick_signal_ns = 0;
	t->early_woke_ns = 0;
	t->irqfd_ns = 0;
	t->msi_ns = 0;
}

static __always_inline struct kick_state *vcpu_kick(struct thread_state *t, __u64 gpa, __u32 bus,
						    __u64 now)
{
	struct kick_key key = { .gpa = gpa, .bus = bus };
	struct kick_state *state = kick_find_or_make(&key);

	if (!state)
		return NULL;
	ADD(state->kicks, 1);
	if (!ADD(state->pending, 1))
		state->first_ns = now;
	state->last_ns = now;
	t->key = key;
	t->kick_ns = now;
	t->armed = 1;
	if (t->in_exit)
		kick_add(state, STAGE_EXIT, since(t->exit_ns, now));
	return state;
}

#endif
