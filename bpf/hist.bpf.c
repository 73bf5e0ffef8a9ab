// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Adding to the histograms of maps.h, which several vCPUs may do at once; to those of a loop's side
 * only the loop that serves the queue. The arithmetic is abi/hist.h's. Global functions: each is
 * verified once, with nothing known of its arguments, and called from all programs. Arguments are
 * plain numbers: 6.1 refuses pointers to a caller's stack.
 */
#include "state.h"

/* NULL: there is no such row, which is counted, or no such stage. */
static __always_inline struct hist *stage_hist(__u32 row, __u32 stage)
{
	__u32 index = row * KICK_STAGES + stage;
	struct hist *h;

	if (stage >= KICK_STAGES)
		return NULL;
	h = bpf_map_lookup_elem(&stage_hists, &index);
	if (!h)
		lost(LOSS_LOOKUPS);
	return h;
}

__attribute__((noinline)) int stage_hist_count(__u32 row, __u32 stage, __u64 ns, __s64 n)
{
	struct hist *h = stage_hist(row, stage);

	if (h)
		hist_count_shared(h, ns, n);
	return 0;
}

__attribute__((noinline)) int stage_hist_add_alone(__u32 row, __u32 stage, __u64 ns)
{
	struct hist *h = stage_hist(row, stage);

	if (h)
		hist_add_alone(h, ns);
	return 0;
}

__attribute__((noinline)) int irq_hist_add(__u64 rows, __u64 message, __u32 stage, __u64 ns)
{
	struct irq_set set = { .rows = rows, .msi = { message, message >> 32 } };
	struct irq_state *irq = bpf_map_lookup_elem(&irqs, &set);

	if (irq)
		hist_add_shared(stage == STAGE_INJECT ? &irq->inject : &irq->enter, ns);
	else
		lost(LOSS_LOOKUPS);
	return 0;
}
