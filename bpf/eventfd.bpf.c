// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The eventfd's signal, where the kernel lets functions be hooked: the exact end of `signal`. Where
 * it does not, loop.bpf.c infers the signal from the wake it causes. User space loads one of the
 * two: eventfd_signal_mask() wherever it exists (6.8 made eventfd_signal() inline, before that it
 * calls the other), eventfd_signal() on 5.15.
 */
#include "state.h"

static __always_inline int signalled(void)
{
	struct kick_state *state;
	struct thread_state *t;
	__u64 now;

	if (!ours())
		return 0;
	t = thread_find(current_task());
	if (!t || t->kick_signal_ns || (!t->armed && !t->in_exit))
		return 0;
	now = bpf_ktime_get_ns();
	t->kick_signal_ns = now;
	if (!t->armed)
		return 0;
	state = bpf_map_lookup_elem(&kicks, &t->key);
	if (!state) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	kick_take_slot(state);
	kick_add(state, STAGE_SIGNAL, since(t->kick_ns, now));
	if (!state->signal_ns)
		state->signal_ns = now;
	return 0;
}

SEC("?fentry/eventfd_signal_mask")
int ho_signal_mask(void *ctx)
{
	return signalled();
}

SEC("?fentry/eventfd_signal")
int ho_signal(void *ctx)
{
	return signalled();
}
