// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Adding to the histograms of maps.h, which several vCPUs and loops may do at once: the arithmetic
 * is abi/hist.h's, the additions are atomic. Global functions: each is verified once, with nothing
 * known of its arguments, and called from all programs.
 */
#include "state.h"

#define RACES 4

/* min_ns holds the minimum + 1 while it is shared, so that 0 is "none yet". One that loses four
 * races is left to the next sample. */
static __always_inline void hist_add_shared(struct hist *h, __u64 ns)
{
	__u32 index = hist_index(ns), i;
	__u64 seen;

	if (index >= HIST_BUCKETS)
		index = HIST_BUCKETS - 1;
	ADD(h->bucket[index], 1);
	ADD(h->sum_ns, ns);
	for (i = 0; i < RACES; i++) {
		seen = h->min_ns;
		if (seen && seen <= ns + 1)
			break;
		if (__sync_val_compare_and_swap(&h->min_ns, seen, ns + 1) == seen)
			break;
	}
	for (i = 0; i < RACES; i++) {
		seen = h->max_ns;
		if (seen >= ns || __sync_val_compare_and_swap(&h->max_ns, seen, ns) == seen)
			break;
	}
	ADD(h->count, 1);
}

__attribute__((noinline)) int stage_hist_add(__u32 slot, __u32 stage, __u64 ns)
{
	__u32 index = slot * KICK_STAGES + stage;
	struct hist *h;

	if (stage >= KICK_STAGES)
		return 0;
	h = bpf_map_lookup_elem(&stage_hists, &index);
	if (h)
		hist_add_shared(h, ns);
	else
		lost(LOSS_LOOKUPS);
	return 0;
}

__attribute__((noinline)) int irq_hist_add(const struct irq_key *key, __u32 stage, __u64 ns)
{
	struct irq_state *irq;

	if (!key)
		return 0;
	irq = bpf_map_lookup_elem(&irqs, key);
	if (irq)
		hist_add_shared(stage == STAGE_INJECT ? &irq->inject : &irq->enter, ns);
	else
		lost(LOSS_LOOKUPS);
	return 0;
}
