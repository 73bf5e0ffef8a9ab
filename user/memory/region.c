// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tree of MemoryRegions. Changing it only notes that it changed: the outermost commit renders
 * it. All under the BQL.
 */
#include <handoff/memory.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "space.h"

void memory_region_init(struct MemoryRegion *mr, const char *name, uint64_t size)
{
	memset(mr, 0, sizeof(*mr));
	mr->name = name;
	mr->size = size;
	mr->enabled = true;
	list_init(&mr->subregions);
	list_init(&mr->subregions_link);
}

void memory_region_init_io(struct MemoryRegion *mr, const struct MemoryRegionOps *ops, void *opaque,
			   const char *name, uint64_t size)
{
	memory_region_init(mr, name, size);
	mr->ops = ops;
	mr->opaque = opaque;
}

void memory_region_init_ram_ptr(struct MemoryRegion *mr, const char *name, uint64_t size, void *hva)
{
	memory_region_init(mr, name, size);
	mr->ram = hva;
}

void memory_region_init_alias(struct MemoryRegion *mr, const char *name,
			      struct MemoryRegion *target, uint64_t offset, uint64_t size)
{
	memory_region_init(mr, name, size);
	mr->alias = target;
	mr->alias_offset = offset;
}

void memory_region_release(struct MemoryRegion *mr)
{
	assert(!mr->container && list_empty(&mr->subregions));
	assert(!mr->engaged_in_io);
	free(mr->ioeventfds);
	mr->ioeventfds = NULL;
	mr->n_ioeventfds = 0;
}

/* In front of those it hides: of equal priority, the later one wins. */
static void link_by_priority(struct MemoryRegion *container, struct MemoryRegion *sub)
{
	struct MemoryRegion *other;

	list_for_each_entry(other, &container->subregions, subregions_link)
		if (other->priority <= sub->priority)
			break;
	/* When none is, `other` stands for the head, and before the head is the end. */
	list_add_tail(&sub->subregions_link, &other->subregions_link);
}

static void note_change(const struct MemoryRegion *container, const struct MemoryRegion *sub)
{
	/* What a disabled region contains is not visible. */
	if (container->enabled && sub->enabled)
		transaction_topology_changed();
}

void memory_region_add_subregion_overlap(struct MemoryRegion *container, uint64_t offset,
					 struct MemoryRegion *sub, int32_t priority)
{
	assert(!sub->container && !container->alias);
	memory_region_transaction_begin();
	sub->container = container;
	sub->addr = offset;
	sub->priority = priority;
	link_by_priority(container, sub);
	note_change(container, sub);
	memory_region_transaction_commit();
}

void memory_region_add_subregion(struct MemoryRegion *container, uint64_t offset,
				 struct MemoryRegion *sub)
{
	memory_region_add_subregion_overlap(container, offset, sub, 0);
}

void memory_region_del_subregion(struct MemoryRegion *container, struct MemoryRegion *sub)
{
	assert(sub->container == container);
	memory_region_transaction_begin();
	list_del(&sub->subregions_link);
	sub->container = NULL;
	note_change(container, sub);
	memory_region_transaction_commit();
}

void memory_region_set_address(struct MemoryRegion *mr, uint64_t addr)
{
	struct MemoryRegion *container = mr->container;

	if (mr->addr == addr)
		return;
	memory_region_transaction_begin();
	mr->addr = addr;
	if (container) {
		list_del(&mr->subregions_link);
		link_by_priority(container, mr);
		note_change(container, mr);
	}
	memory_region_transaction_commit();
}

void memory_region_set_enabled(struct MemoryRegion *mr, bool enabled)
{
	if (mr->enabled == enabled)
		return;
	memory_region_transaction_begin();
	mr->enabled = enabled;
	transaction_topology_changed();
	memory_region_transaction_commit();
}

void memory_region_set_readonly(struct MemoryRegion *mr, bool readonly)
{
	if (mr->readonly == readonly)
		return;
	memory_region_transaction_begin();
	mr->readonly = readonly;
	transaction_topology_changed();
	memory_region_transaction_commit();
}
