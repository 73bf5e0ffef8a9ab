// SPDX-License-Identifier: BSD-2-Clause
/*
 * AddressSpace: the published view of a tree, and who is told of its changes. Under the BQL, but
 * for space_get_view.
 *
 * How readers and publisher meet: a view is immutable and counted; taking the pointer and a
 * reference to it happens under view_lock, as does replacing it. An uncontended lock is some 20 ns
 * beside the microseconds an exit to user space costs, so nothing cleverer is called for.
 */
#include "space.h"

#include <assert.h>
#include <stdlib.h>
#include <handoff/bql.h>
#include "array.h"
#include "flatview.h"

struct FlatView *space_get_view(struct AddressSpace *as)
{
	struct space *space = as->private;
	struct FlatView *view;

	pthread_mutex_lock(&space->view_lock);
	view = atomic_load_explicit(&as->view, memory_order_relaxed);
	atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&space->view_lock);
	return view;
}

static void publish(struct AddressSpace *as, struct FlatView *view)
{
	struct space *space = as->private;
	struct FlatView *old;

	pthread_mutex_lock(&space->view_lock);
	old = atomic_load_explicit(&as->view, memory_order_relaxed);
	atomic_store_explicit(&as->view, view, memory_order_relaxed);
	pthread_mutex_unlock(&space->view_lock);
	flatview_put(old);
}

static bool shows(const struct FlatView *view, const struct FlatRange *range)
{
	uint64_t left;
	const struct FlatRange *found = flatview_find(view, range->gpa, &left);

	return found && flatrange_equal(found, range);
}

static void tell_added(struct AddressSpace *as, const struct FlatRange *range)
{
	struct MemoryRegionSection section = flatrange_section(range);
	struct MemoryListener *l;

	list_for_each_entry(l, &as->listeners, node)
		if (l->region_add)
			l->region_add(l, &section);
}

static void tell_removed(struct AddressSpace *as, const struct FlatRange *range)
{
	struct MemoryRegionSection section = flatrange_section(range);
	struct MemoryListener *l;

	list_for_each_entry_reverse(l, &as->listeners, node)
		if (l->region_del)
			l->region_del(l, &section);
}

void space_update_view(struct AddressSpace *as)
{
	struct FlatView *old = atomic_load_explicit(&as->view, memory_order_relaxed);
	struct FlatView *new = flatview_new(as->root);
	unsigned int i;

	for (i = old->n_ranges; i-- > 0;)
		if (!shows(new, &old->ranges[i]))
			tell_removed(as, &old->ranges[i]);
	for (i = 0; i < new->n_ranges; i++)
		if (!shows(old, &new->ranges[i]))
			tell_added(as, &new->ranges[i]);
	publish(as, new);
}

void address_space_init(struct AddressSpace *as, struct MemoryRegion *root, const char *name)
{
	struct space *space = array_resize(NULL, 1, sizeof(*space));

	assert(bql_locked());
	*space = (struct space){ 0 };
	pthread_mutex_init(&space->view_lock, NULL);
	as->name = name;
	as->root = root;
	as->private = space;
	list_init(&as->listeners);
	atomic_init(&as->view, flatview_new(root));
	transaction_add_space(as);
	space_update_ioeventfds(as);
}

void address_space_release(struct AddressSpace *as)
{
	struct space *space = as->private;

	assert(bql_locked() && list_empty(&as->listeners));
	transaction_remove_space(as);
	flatview_put(atomic_load_explicit(&as->view, memory_order_relaxed));
	atomic_store_explicit(&as->view, NULL, memory_order_relaxed);
	pthread_mutex_destroy(&space->view_lock);
	free(space->fds);
	free(space);
	as->private = NULL;
}

void memory_listener_register(struct MemoryListener *l, struct AddressSpace *as)
{
	struct FlatView *view = atomic_load_explicit(&as->view, memory_order_relaxed);
	struct MemoryRegionSection section;
	unsigned int i;

	assert(bql_locked());
	list_add_tail(&l->node, &as->listeners);
	if (l->begin)
		l->begin(l);
	for (i = 0; i < view->n_ranges && l->region_add; i++) {
		section = flatrange_section(&view->ranges[i]);
		l->region_add(l, &section);
	}
	if (l->eventfd_add)
		space_offer_ioeventfds(as, l);
	if (l->commit)
		l->commit(l);
}

void memory_listener_unregister(struct MemoryListener *l, struct AddressSpace *as)
{
	struct FlatView *view = atomic_load_explicit(&as->view, memory_order_relaxed);
	struct MemoryRegionSection section;
	unsigned int i;

	assert(bql_locked());
	if (l->begin)
		l->begin(l);
	if (l->eventfd_add)
		space_withdraw_ioeventfds(as);
	for (i = view->n_ranges; i-- > 0 && l->region_del;) {
		section = flatrange_section(&view->ranges[i]);
		l->region_del(l, &section);
	}
	if (l->commit)
		l->commit(l);
	list_del(&l->node);
}

void address_space_for_each_section(struct AddressSpace *as,
				    void (*fn)(const struct MemoryRegionSection *s, void *opaque),
				    void *opaque)
{
	struct FlatView *view = space_get_view(as);
	struct MemoryRegionSection section;
	unsigned int i;

	assert(bql_locked());
	for (i = 0; i < view->n_ranges; i++) {
		section = flatrange_section(&view->ranges[i]);
		fn(&section, opaque);
	}
	flatview_put(view);
}
