/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The private side of AddressSpace and of transactions. All under the BQL, but for space_get_view.
 */
#ifndef HANDOFF_MEMORY_SPACE_H
#define HANDOFF_MEMORY_SPACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <handoff/memory.h>

struct FlatView;

/* A region's ioeventfd where this address space shows it. */
struct space_ioeventfd {
	uint64_t gpa;
	struct MemoryRegionIoeventfd fd;
	bool held; /* the claimer took it */
	int error; /* or why not, -errno */
};

/* AddressSpace.private */
struct space {
	pthread_mutex_t view_lock;
	struct MemoryListener *claimer; /* the listener that has eventfd_add, or NULL */
	struct space_ioeventfd *fds;	/* sorted */
	unsigned int n_fds;
};

/* A reference to the present view; flatview_put it. Any thread. */
struct FlatView *space_get_view(struct AddressSpace *as);
/* Tells listeners the difference to what the tree shows now, then publishes that. */
void space_update_view(struct AddressSpace *as);
/* The same for ioeventfds, as the published view shows them. */
void space_update_ioeventfds(struct AddressSpace *as);

/* The claimer comes (offers all) or goes (takes all back). */
void space_offer_ioeventfds(struct AddressSpace *as, struct MemoryListener *claimer);
void space_withdraw_ioeventfds(struct AddressSpace *as);

/* What the outermost commit has to do. */
void transaction_topology_changed(void);
void transaction_ioeventfds_changed(void);

void transaction_add_space(struct AddressSpace *as);
void transaction_remove_space(struct AddressSpace *as);
/* The spaces known, linked by AddressSpace.node. */
struct list_head *transaction_spaces(void);

/* How many listeners claim ioeventfds, in all address spaces. */
unsigned int transaction_claimers(void);
void transaction_add_claimers(int n);

/*
 * User space's match of an ioeventfd, for when nobody claims them: true if it was one, and is set.
 */
bool ioeventfd_match(struct MemoryRegion *mr, uint64_t addr, uint64_t value, unsigned int size);

#endif
