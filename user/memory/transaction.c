// SPDX-License-Identifier: BSD-2-Clause
/*
 * Transactions over all address spaces. They span them (a region may be seen by several), so their
 * state is the process's, under the BQL: the one exception to "no file-scope state" in this folder,
 * and the reason transaction_begin takes no argument.
 */
#include "space.h"

#include <assert.h>
#include <handoff/bql.h>

static struct {
	unsigned int depth, claimers;
	bool topology_changed, ioeventfds_changed, committing;
	struct list_head spaces;
} memory = { .spaces = LIST_HEAD_INIT(memory.spaces) };

void memory_region_transaction_begin(void)
{
	assert(bql_locked() && !memory.committing);
	memory.depth++;
}

static void tell_begin(struct AddressSpace *as)
{
	struct MemoryListener *l;

	list_for_each_entry(l, &as->listeners, node)
		if (l->begin)
			l->begin(l);
}

static void tell_commit(struct AddressSpace *as)
{
	struct MemoryListener *l;

	list_for_each_entry(l, &as->listeners, node)
		if (l->commit)
			l->commit(l);
}

void memory_region_transaction_commit(void)
{
	struct AddressSpace *as;

	assert(bql_locked() && !memory.committing && memory.depth);
	if (--memory.depth || !(memory.topology_changed || memory.ioeventfds_changed))
		return;

	memory.committing = true;
	list_for_each_entry(as, &memory.spaces, node)
		tell_begin(as);
	list_for_each_entry(as, &memory.spaces, node) {
		if (memory.topology_changed)
			space_update_view(as);
		space_update_ioeventfds(as);
	}
	list_for_each_entry(as, &memory.spaces, node)
		tell_commit(as);
	memory.topology_changed = memory.ioeventfds_changed = false;
	memory.committing = false;
}

void transaction_topology_changed(void)
{
	assert(memory.depth);
	memory.topology_changed = true;
}

void transaction_ioeventfds_changed(void)
{
	assert(memory.depth);
	memory.ioeventfds_changed = true;
}

void transaction_add_space(struct AddressSpace *as)
{
	assert(bql_locked() && !memory.committing);
	list_add_tail(&as->node, &memory.spaces);
}

void transaction_remove_space(struct AddressSpace *as)
{
	assert(bql_locked() && !memory.committing);
	list_del(&as->node);
}

struct list_head *transaction_spaces(void)
{
	return &memory.spaces;
}

unsigned int transaction_claimers(void)
{
	return memory.claimers;
}

void transaction_add_claimers(int n)
{
	memory.claimers += n;
}
