// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which interrupt is whose. The programs vote: each interrupt that came after the kicks of one
 * queue alone were consumed speaks for that queue. Two thirds of a queue's votes decide. Before
 * that, a guess: a VMM makes the eventfds of a device's interrupts in the order of its queues.
 */
#include "foreign.h"

#include <string.h>
#include <handoff/compiler.h>

#define VOTES_ENOUGH 3

static bool same_message(const struct irq_key *a, const struct irq_key *b)
{
	return a->address == b->address && a->data == b->data;
}

static void set_message(struct foreign_row *row, const struct irq_key *msi, enum evidence evidence)
{
	row->msi_evidence = evidence;
	if (same_message(&row->to_tell.msi, msi))
		return;
	row->to_tell.msi = *msi;
	row->stale = true;
}

/* Where votes of this kind are remembered; NULL: there is no room, and they count anew. */
static uint64_t *seen_votes(struct foreign_votes *votes, const struct irq_vote *vote, bool make)
{
	uint32_t i;

	for (i = 0; i < votes->n; i++)
		if (votes->seen[i].vote.row == vote->row &&
		    same_message(&votes->seen[i].vote.msi, &vote->msi))
			return &votes->seen[i].count;
	if (!make || votes->n == MODEL_MAX_VOTES)
		return NULL;
	votes->seen[votes->n].vote = *vote;
	votes->seen[votes->n].count = 0;
	return &votes->seen[votes->n++].count;
}

/* Votes of this kind since the row was decided last. */
static uint64_t fresh_votes(struct foreign *f, const struct kernel_view *view, uint32_t i)
{
	const uint64_t *seen = seen_votes(&f->votes, &view->vote[i].vote, false);
	uint64_t count = view->vote[i].count;

	return seen && *seen <= count ? count - *seen : count;
}

/* Four times as many speak for another: then these are strays, of a queue that is kicked at the
 * same time and takes no interrupts itself. */
static bool is_anothers(struct foreign *f, const struct kernel_view *view, uint32_t best)
{
	uint32_t i;

	for (i = 0; i < view->n_votes; i++)
		if (view->vote[i].vote.row != view->vote[best].vote.row &&
		    same_message(&view->vote[i].vote.msi, &view->vote[best].vote.msi) &&
		    view->vote[i].count / 4 > view->vote[best].count)
			return true;
	return false;
}

static void decide_row(struct foreign *f, const struct kernel_view *view, uint32_t row)
{
	uint64_t total = 0, most = 0, n;
	uint32_t best = 0, i;

	for (i = 0; i < view->n_votes; i++) {
		if (view->vote[i].vote.row != row)
			continue;
		n = fresh_votes(f, view, i);
		total += n;
		if (n <= most)
			continue;
		most = n;
		best = i;
	}
	if (most < VOTES_ENOUGH || most * 3 < total * 2 || is_anothers(f, view, best))
		return;
	set_message(&f->row[row], &view->vote[best].vote.msi, EVIDENCE_EXACT);
	for (i = 0; i < view->n_votes; i++) {
		uint64_t *seen;

		if (view->vote[i].vote.row != row)
			continue;
		seen = seen_votes(&f->votes, &view->vote[i].vote, true);
		if (seen)
			*seen = view->vote[i].count;
	}
}

void foreign_take_votes(struct foreign *f, const struct kernel_view *view)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (f->row[i].present)
			decide_row(f, view, i);
}

/* --- the guess ----------------------------------------------------------------------------------
 */

/* The nth smallest eventfd id of the VM's MSI irqfds; NULL if there are not so many. */
static const struct vm_irqfd *nth_irqfd(const struct vm *vm, uint32_t nth)
{
	uint32_t i, k, smaller;

	for (i = 0; i < vm->n_irqfds; i++) {
		if (!vm->irqfd[i].is_msi)
			continue;
		for (k = 0, smaller = 0; k < vm->n_irqfds; k++)
			smaller += vm->irqfd[k].is_msi &&
				   (vm->irqfd[k].eventfd.id < vm->irqfd[i].eventfd.id ||
				    (vm->irqfd[k].eventfd.id == vm->irqfd[i].eventfd.id && k < i));
		if (smaller == nth)
			return &vm->irqfd[i];
	}
	return NULL;
}

/* The oldest eventfd of a device: devices that were started earlier have the lower ones. */
static uint32_t device_age(const struct vm *vm, const char *device)
{
	uint32_t i, id = ~0u;

	for (i = 0; i < vm->n_queues; i++)
		if (!strcmp(vm->queue[i].device, device))
			id = MIN(id, vm->queue[i].eventfd.id);
	return id;
}

/* How many of the VM's queues come before this one: by device in order of age, then by number. */
static uint32_t queue_position(const struct vm *vm, const struct vm_queue *q)
{
	uint32_t age = device_age(vm, q->device), before = 0, i;

	for (i = 0; i < vm->n_queues; i++) {
		const struct vm_queue *other = &vm->queue[i];

		if (!strcmp(other->device, q->device))
			before += other->queue < q->queue;
		else
			before += device_age(vm, other->device) < age;
	}
	return before;
}

static uint32_t msi_irqfds(const struct vm *vm)
{
	uint32_t i, n = 0;

	for (i = 0; i < vm->n_irqfds; i++)
		n += vm->irqfd[i].is_msi;
	return n;
}

void foreign_guess_messages(struct foreign *f)
{
	const struct vm_irqfd *irqfd;
	uint32_t i;

	if (!f->vm->n_queues || msi_irqfds(f->vm) != f->vm->n_queues)
		return;
	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		if (!f->row[i].present || f->row[i].msi_evidence == EVIDENCE_EXACT)
			continue;
		irqfd = nth_irqfd(f->vm, queue_position(f->vm, foreign_queue(f, i)));
		if (irqfd)
			set_message(&f->row[i], &irqfd->message, EVIDENCE_INFERRED);
	}
}
