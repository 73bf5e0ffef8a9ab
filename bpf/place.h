/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whose an address and a message is: what place.bpf.c (our VMM tells) and bind.bpf.c (the tracer
 * found out) share. Process context, one at a time. */
#ifndef HANDOFF_BPF_PLACE_H
#define HANDOFF_BPF_PLACE_H

#include "state.h"

/*
 * What was counted at an address that another queue has now stays with whom it was counted for. The
 * element itself is cleared, not replaced: a vCPU that holds it would add to whatever key it is
 * used for next.
 */
static __always_inline void address_leave(const struct kick_key *key, struct kick_state *state)
{
	const struct kick_state empty = { .by_value = state->by_value };
	struct kick_key past = *key;

	past.past = ADD(pasts, 1) + 1;
	if (bpf_map_update_elem(&kicks, &past, state, BPF_NOEXIST))
		lost(LOSS_MAPS);
	*state = empty;
}

static __always_inline void message_leave(__u32 row, const struct irq_key *msi)
{
	__u64 *rows = bpf_map_lookup_elem(&messages, msi);

	if (!rows)
		return;
	*rows &= ~(1ull << row);
	if (!*rows)
		bpf_map_delete_elem(&messages, msi);
}

static __always_inline void message_take(__u32 row, const struct irq_key *msi)
{
	__u64 *rows = bpf_map_lookup_elem(&messages, msi), only = 1ull << row;

	if (rows)
		*rows |= only;
	else if (bpf_map_update_elem(&messages, msi, &only, BPF_NOEXIST))
		lost(LOSS_MAPS);
}

#endif
