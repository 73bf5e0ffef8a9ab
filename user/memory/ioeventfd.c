// SPDX-License-Identifier: BSD-2-Clause
/*
 * ioeventfds: kept sorted in their region, computed for each address space from the ranges it
 * shows, told to the listener that claims them as the difference to before. All under the BQL.
 */
#include "space.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/event_notifier.h>
#include "array.h"
#include "flatview.h"

#define COMPARE(a, b) (((a) > (b)) - ((a) < (b)))

/* Everything but the address, which the caller compares first. */
static int compare_rest(const struct MemoryRegionIoeventfd *a,
			const struct MemoryRegionIoeventfd *b)
{
	int order;

	order = COMPARE(a->size, b->size);
	if (!order)
		order = COMPARE(a->match_data, b->match_data);
	if (!order && a->match_data)
		order = COMPARE(a->data, b->data);
	if (!order)
		order = COMPARE((uintptr_t)a->e, (uintptr_t)b->e);
	return order;
}

static int compare_in_region(const struct MemoryRegionIoeventfd *a,
			     const struct MemoryRegionIoeventfd *b)
{
	int order = COMPARE(a->addr, b->addr);

	return order ? order : compare_rest(a, b);
}

static int compare_in_space(const void *left, const void *right)
{
	const struct space_ioeventfd *a = left, *b = right;
	int order = COMPARE(a->gpa, b->gpa);

	return order ? order : compare_rest(&a->fd, &b->fd);
}

/*
 * --- the region's list -------------------------------------------------------------------------
 */

void memory_region_add_eventfd(struct MemoryRegion *mr, uint64_t addr, uint32_t size,
			       bool match_data, uint64_t data, struct EventNotifier *e)
{
	struct MemoryRegionIoeventfd fd = {
		.addr = addr,
		.size = size,
		.match_data = match_data,
		.data = data,
		.e = e,
	};
	unsigned int at = 0;

	assert(!size || size == 1 || size == 2 || size == 4 || size == 8);
	memory_region_transaction_begin();
	while (at < mr->n_ioeventfds && compare_in_region(&mr->ioeventfds[at], &fd) < 0)
		at++;
	mr->ioeventfds = array_resize(mr->ioeventfds, mr->n_ioeventfds + 1, sizeof(fd));
	memmove(&mr->ioeventfds[at + 1], &mr->ioeventfds[at], (mr->n_ioeventfds - at) * sizeof(fd));
	mr->ioeventfds[at] = fd;
	mr->n_ioeventfds++;
	transaction_ioeventfds_changed();
	memory_region_transaction_commit();
}

void memory_region_del_eventfd(struct MemoryRegion *mr, uint64_t addr, uint32_t size,
			       bool match_data, uint64_t data, struct EventNotifier *e)
{
	struct MemoryRegionIoeventfd fd = {
		.addr = addr,
		.size = size,
		.match_data = match_data,
		.data = data,
		.e = e,
	};
	unsigned int at = 0;

	memory_region_transaction_begin();
	while (at < mr->n_ioeventfds && compare_in_region(&mr->ioeventfds[at], &fd))
		at++;
	assert(at < mr->n_ioeventfds);
	mr->n_ioeventfds--;
	memmove(&mr->ioeventfds[at], &mr->ioeventfds[at + 1], (mr->n_ioeventfds - at) * sizeof(fd));
	transaction_ioeventfds_changed();
	memory_region_transaction_commit();
}

bool ioeventfd_match(struct MemoryRegion *mr, uint64_t addr, uint64_t value, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < mr->n_ioeventfds; i++) {
		const struct MemoryRegionIoeventfd *fd = &mr->ioeventfds[i];

		if (fd->addr != addr || (fd->size && fd->size != size) ||
		    (fd->match_data && fd->data != value))
			continue;
		event_notifier_set(fd->e);
		return true;
	}
	return false;
}

/*
 * --- the address space's list ------------------------------------------------------------------
 */

static void collect_range(const struct FlatRange *range, struct space_ioeventfd **fds,
			  unsigned int *n_fds)
{
	const struct MemoryRegion *mr = range->mr;
	unsigned int i;

	for (i = 0; i < mr->n_ioeventfds; i++) {
		const struct MemoryRegionIoeventfd *fd = &mr->ioeventfds[i];
		uint64_t offset = fd->addr - range->offset_in_region;

		/* Wholly visible, or the guest's write would not reach the region as one access. */
		if (offset >= range->size || MAX(fd->size, 1) > range->size - offset)
			continue;
		*fds = array_resize(*fds, *n_fds + 1, sizeof(**fds));
		(*fds)[(*n_fds)++] = (struct space_ioeventfd){
			.gpa = range->gpa + offset,
			.fd = *fd,
		};
	}
}

static void offer(struct space *space, struct space_ioeventfd *entry)
{
	struct MemoryListener *claimer = space->claimer;

	if (!claimer)
		return;
	entry->error = claimer->eventfd_add(claimer, entry->gpa, &entry->fd);
	entry->held = !entry->error;
}

static void withdraw(struct space *space, struct space_ioeventfd *entry)
{
	struct MemoryListener *claimer = space->claimer;

	if (entry->held && claimer->eventfd_del)
		claimer->eventfd_del(claimer, entry->gpa, &entry->fd);
	entry->held = false;
	entry->error = 0;
}

static struct space_ioeventfd *find(struct space_ioeventfd *fds, unsigned int n_fds,
				    const struct space_ioeventfd *entry)
{
	return n_fds ? bsearch(entry, fds, n_fds, sizeof(*fds), compare_in_space) : NULL;
}

void space_update_ioeventfds(struct AddressSpace *as)
{
	struct FlatView *view = atomic_load_explicit(&as->view, memory_order_relaxed);
	struct space *space = as->private;
	struct space_ioeventfd *fds = NULL;
	unsigned int i, n_fds = 0;

	for (i = 0; i < view->n_ranges; i++)
		collect_range(&view->ranges[i], &fds, &n_fds);
	if (n_fds)
		qsort(fds, n_fds, sizeof(*fds), compare_in_space);

	/* All that go before any that come: a moved BAR may land where another one's was. */
	for (i = 0; i < space->n_fds; i++)
		if (!find(fds, n_fds, &space->fds[i]))
			withdraw(space, &space->fds[i]);
	for (i = 0; i < n_fds; i++) {
		const struct space_ioeventfd *old = find(space->fds, space->n_fds, &fds[i]);

		if (old)
			fds[i] = *old;
		else
			offer(space, &fds[i]);
	}
	free(space->fds);
	space->fds = fds;
	space->n_fds = n_fds;
}

void space_offer_ioeventfds(struct AddressSpace *as, struct MemoryListener *claimer)
{
	struct space *space = as->private;
	unsigned int i;

	assert(!space->claimer);
	space->claimer = claimer;
	transaction_add_claimers(1);
	for (i = 0; i < space->n_fds; i++)
		offer(space, &space->fds[i]);
}

void space_withdraw_ioeventfds(struct AddressSpace *as)
{
	struct space *space = as->private;
	unsigned int i;

	for (i = 0; i < space->n_fds; i++)
		withdraw(space, &space->fds[i]);
	space->claimer = NULL;
	transaction_add_claimers(-1);
}

int memory_region_eventfd_error(struct EventNotifier *e)
{
	struct AddressSpace *as;
	int ret = -ENXIO;
	unsigned int i;

	list_for_each_entry(as, transaction_spaces(), node) {
		const struct space *space = as->private;

		for (i = 0; i < space->n_fds; i++) {
			if (space->fds[i].fd.e != e)
				continue;
			if (space->fds[i].error)
				return space->fds[i].error;
			ret = 0;
		}
	}
	return ret;
}
