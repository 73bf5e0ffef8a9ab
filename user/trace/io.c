// SPDX-License-Identifier: BSD-2-Clause
/* What the guest touched outside its memory: kicks, and everything else by address. */
#include "tracer.h"

#include <string.h>

/* Keeps the most frequent, in order; the list is short. */
static void add_address(struct report_io *io, const struct report_address *a)
{
	uint32_t i = io->n_address;

	io->addresses++;
	while (i > 0 && io->address[i - 1].count < a->count)
		i--;
	if (i == REPORT_ADDRESSES)
		return;
	if (io->n_address < REPORT_ADDRESSES)
		io->n_address++;
	memmove(&io->address[i + 1], &io->address[i],
		(io->n_address - 1 - i) * sizeof(io->address[0]));
	io->address[i] = *a;
}

void join_io(struct tracer *t, struct report *r)
{
	struct report_io *io = &r->io;
	uint32_t i;

	for (i = 0; i < t->view.n_threads; i++) {
		const struct vcpu_state *v = &t->view.thread[i].vcpu;

		io->mmio_writes += v->mmio_writes;
		io->mmio_reads += v->mmio_reads;
		io->pio_writes += v->pio_writes;
		io->pio_reads += v->pio_reads;
		io->untracked += v->untracked;
	}
	for (i = 0; i < t->view.n_kicks; i++) {
		const struct kick_key *key = &t->view.kick[i].key;
		const struct kick_state *state = &t->view.kick[i].state;
		const struct report_address a = {
			.gpa = key->gpa,
			.pio = key->bus == BUS_PIO || key->bus == BUS_PIO_READ,
			.write = key->bus == BUS_PIO || key->bus == BUS_MMIO,
			.count = state->kicks,
			.left = state->user_exits,
		};

		if (state->row)
			io->kicks += state->kicks;
		else if (state->kicks)
			add_address(io, &a);
	}
}
