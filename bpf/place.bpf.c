// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Where queues are: whose an address and an MSI message is, at any moment. The VMM tells when a
 * queue is placed (handoff:queue_placed), the tracer at its start where they are already, by
 * running ho_place. A guest that moves BARs and vectors about while it works is followed so,
 * without looking at the stats page in time. One writer at a time: the VMM tells under its lock,
 * and the tracer passes over a row that the VMM has told of.
 */
#include <linux/ptrace.h>
#include "place.h"
#include <bpf/usdt.bpf.h>

static __always_inline void address_take(__u32 row, __u64 gpa)
{
	struct kick_key key = { .gpa = gpa, .bus = BUS_MMIO };
	struct kick_state *state = bpf_map_lookup_elem(&kicks, &key);

	if (state && state->row != row + 1 && state->kicks)
		address_leave(&key, state);
	state = kick_find_or_make(&key, true);
	if (state)
		state->row = row + 1;
}

static __always_inline void place(__u32 row, __u64 gpa, __u32 address, __u32 data, bool told)
{
	struct queue_place *p = bpf_map_lookup_elem(&places, &row);
	struct irq_key msi = { .address = address, .data = data }, old;

	if (!p || row >= MODEL_MAX_QUEUES || (p->known && !told))
		return;
	p->known = told;
	if (p->gpa != gpa) {
		p->gpa = gpa;
		if (gpa)
			address_take(row, gpa);
	}
	old = p->msi;
	if (old.address == msi.address && old.data == msi.data)
		return;
	p->msi = msi;
	if (old.address)
		message_leave(row, &old);
	if (msi.address)
		message_take(row, &msi);
}

/* (queue_row, gpa, msi_addr, msi_data) */
SEC("?usdt")
int ho_placed(struct pt_regs *ctx)
{
	long row = 0, gpa = 0, address = 0, data = 0;

	if (!ours())
		return 0;
	if (bpf_usdt_arg(ctx, 0, &row) || bpf_usdt_arg(ctx, 1, &gpa) ||
	    bpf_usdt_arg(ctx, 2, &address) || bpf_usdt_arg(ctx, 3, &data)) {
		lost(LOSS_LOOKUPS);
		return 0;
	}
	place(row, gpa, address, data, true);
	return 0;
}

/* The same arguments, from the tracer: BPF_PROG_RUN. */
SEC("?raw_tp/place")
int ho_place(struct bpf_raw_tracepoint_args *ctx)
{
	place(ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[3], false);
	return 0;
}
