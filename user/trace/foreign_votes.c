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
	bool seen = evidence == EVIDENCE_EXACT;

	row->msi_evidence = evidence;
	if (same_message(&row->to_tell.msi, msi) && row->to_tell.msi_seen == seen)
		return;
	row->to_tell.msi = *msi;
	row->to_tell.msi_seen = seen;
	row->stale = true;
}

/* The only irqfd that carries its message becomes the row's; with queues that share it there is
 * none; if none carries it, all stays. */
static void take_carrier(struct foreign_row *row, const struct vm *vm)
{
	uint32_t i, carriers = 0;

	for (i = 0; i < vm->n_irqfds; i++) {
		const struct vm_irqfd *irqfd = &vm->irqfd[i];

		if (!irqfd->is_msi || !same_message(&irqfd->message, &row->to_tell.msi))
			continue;
		row->msi_ctx = carriers++ ? 0 : irqfd->eventfd.ctx;
		row->msi_id = irqfd->eventfd.id;
	}
}

static const struct vm_irqfd *carrier_of(const struct foreign_row *row, const struct vm *vm)
{
	uint32_t i;

	for (i = 0; row->msi_ctx && i < vm->n_irqfds; i++)
		if (vm->irqfd[i].eventfd.ctx == row->msi_ctx &&
		    vm->irqfd[i].eventfd.id == row->msi_id)
			return &vm->irqfd[i];
	return NULL;
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

static void take_voted(struct foreign_row *row, const struct vm *vm, const struct irq_key *msi)
{
	/* Votes of before it was moved. */
	if (same_message(msi, &row->msi_was))
		return;
	if (!same_message(msi, &row->to_tell.msi))
		row->msi_ctx = 0;
	/* A queue that is not known yet takes interrupts too: they may have voted for this one. */
	set_message(row, msi, vm->evidence == EVIDENCE_EXACT ? EVIDENCE_EXACT : EVIDENCE_INFERRED);
	if (!row->msi_ctx)
		take_carrier(row, vm);
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
	take_voted(&f->row[row], f->vm, &view->vote[best].vote.msi);
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

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		if (f->row[i].present)
			decide_row(f, view, i);
		f->row[i].msi_was = (struct irq_key){ 0 };
	}
}

/* --- the irqfd ----------------------------------------------------------------------------------
 */

/*
 * A guest that moves a vector (to another CPU, say) gives its irqfd another message; votes for that
 * would need kicks, and where a loop polls there are none. While the vector is masked there is no
 * irqfd, and none of its interrupts either: what was known stands.
 */
static void follow_message(struct foreign_row *row, const struct vm *vm)
{
	const struct vm_irqfd *irqfd = carrier_of(row, vm);
	const struct irq_key was = row->to_tell.msi;

	/* A device that was reset has a new eventfd, and may have the same message. */
	if (!irqfd)
		take_carrier(row, vm);
	if (!irqfd || !irqfd->is_msi || same_message(&irqfd->message, &was))
		return;
	set_message(row, &irqfd->message, EVIDENCE_EXACT);
	row->msi_was = was;
}

void foreign_follow_messages(struct foreign *f)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (f->row[i].present && f->row[i].msi_evidence == EVIDENCE_EXACT)
			follow_message(&f->row[i], f->vm);
}

/* --- the guess ----------------------------------------------------------------------------------
 */

/* MSI irqfds whose eventfds' ids are in [from, to). */
static uint32_t irqfds_between(const struct vm *vm, uint64_t from, uint64_t to)
{
	uint32_t i, n = 0;

	for (i = 0; i < vm->n_irqfds; i++)
		n += vm->irqfd[i].is_msi && vm->irqfd[i].eventfd.id >= from &&
		     vm->irqfd[i].eventfd.id < to;
	return n;
}

/* That of them with so many below it; NULL if there are not so many. */
static const struct vm_irqfd *nth_irqfd(const struct vm *vm, uint64_t from, uint64_t to,
					uint32_t nth)
{
	uint32_t i;

	for (i = 0; i < vm->n_irqfds; i++) {
		uint32_t id = vm->irqfd[i].eventfd.id;

		if (vm->irqfd[i].is_msi && id >= from && id < to &&
		    irqfds_between(vm, from, id) == nth)
			return &vm->irqfd[i];
	}
	return NULL;
}

/* A device: its queues in number, its oldest eventfd, and the newest of any other device's that is
 * older than that (plus one; 0 = none is). */
struct device_ids {
	uint32_t n_queues, oldest;
	uint64_t older;
};

static struct device_ids device_ids(const struct vm *vm, const char *device)
{
	struct device_ids ids = { .oldest = ~0u };
	uint32_t i;

	for (i = 0; i < vm->n_queues; i++) {
		if (strcmp(vm->queue[i].device, device))
			continue;
		ids.n_queues++;
		ids.oldest = MIN(ids.oldest, vm->queue[i].eventfd.id);
	}
	for (i = 0; i < vm->n_queues; i++)
		if (vm->queue[i].eventfd.id < ids.oldest)
			ids.older = MAX(ids.older, vm->queue[i].eventfd.id + 1ull);
	return ids;
}

static uint32_t position_in_device(const struct vm *vm, const struct vm_queue *q)
{
	uint32_t i, n = 0;

	for (i = 0; i < vm->n_queues; i++)
		n += !strcmp(vm->queue[i].device, q->device) && vm->queue[i].queue < q->queue;
	return n;
}

/*
 * A VMM that starts a device makes the eventfds of its interrupts, then those of its queues, each
 * in order. Ids that were free before are used again, lowest first: then they may lie elsewhere,
 * which a VM with one device does not mind.
 */
static const struct vm_irqfd *guess_irqfd(const struct vm *vm, const struct vm_queue *q)
{
	struct device_ids ids = device_ids(vm, q->device);
	uint32_t nth = position_in_device(vm, q);

	if (irqfds_between(vm, ids.older, ids.oldest) == ids.n_queues)
		return nth_irqfd(vm, ids.older, ids.oldest, nth);
	if (ids.n_queues == vm->n_queues && irqfds_between(vm, 0, ~0ull) == ids.n_queues)
		return nth_irqfd(vm, 0, ~0ull, nth);
	return NULL;
}

void foreign_guess_messages(struct foreign *f)
{
	const struct vm_irqfd *irqfd;
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		if (!f->row[i].present || f->row[i].msi_evidence == EVIDENCE_EXACT)
			continue;
		irqfd = guess_irqfd(f->vm, foreign_queue(f, i));
		if (irqfd)
			set_message(&f->row[i], &irqfd->message, EVIDENCE_INFERRED);
	}
}
