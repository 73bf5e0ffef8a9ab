/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MemoryRegion tree, FlatView, AddressSpace: who answers a guest-physical address. Rules:
 * semantics.md 5.
 *
 * Threads: the tree and transactions are changed under the BQL (asserted). Accesses come from any
 * thread, with the BQL or without; a device's ops run under the BQL. Views are replaced whole and
 * kept alive while somebody reads them: a region may be freed once the commit that removed it
 * returned, but host memory behind a RAM region must outlive the last thread that makes accesses.
 * An address space covers [0, 2^64 - 1): its very last byte never decodes. What a guest wants to
 * see is little-endian.
 */
#ifndef HANDOFF_MEMORY_H
#define HANDOFF_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/compiler.h>
#include <handoff/list.h>
#include <handoff/log.h>

struct EventNotifier;
struct MemoryRegion;
struct AddressSpace;
struct FlatView;

/* OR-ed together over the parts of an access. */
enum mem_tx_result {
	MEMTX_OK = 0,
	MEMTX_ERROR = 1,
	MEMTX_DECODE_ERROR = 2,
	MEMTX_ACCESS_ERROR = 4
};

struct MemoryRegionOps {
	/* addr is relative to the region; size in bytes: 1, 2, 4 or 8. Called under the BQL. */
	uint64_t (*read)(void *opaque, uint64_t addr, unsigned int size);
	void (*write)(void *opaque, uint64_t addr, uint64_t value, unsigned int size);
	/* What the guest may do. max 0 = any size, in pieces of at most 4. accepts may be NULL. */
	struct {
		unsigned int min_access_size, max_access_size;
		bool unaligned;
		bool (*accepts)(void *opaque, uint64_t addr, unsigned int size, bool is_write);
	} valid;
	/*
	 * What read/write implement; wider accesses are split, narrower ones widened. 0/0 = 1..4.
	 */
	struct {
		unsigned int min_access_size, max_access_size;
		bool unaligned;
	} impl;
	bool big_endian; /* device endianness; little by default */
};

struct MemoryRegionIoeventfd {
	uint64_t addr; /* relative to the region */
	uint32_t size; /* 0 = any width, else 1, 2, 4, 8 */
	bool match_data;
	uint64_t data;
	struct EventNotifier *e;
};

/* Caller's memory, embedded in the device. Fields are private to user/memory. */
struct MemoryRegion {
	const char *name;
	const struct MemoryRegionOps *ops;
	void *opaque;
	void *ram; /* host memory, or NULL */
	struct MemoryRegion *alias;
	uint64_t alias_offset;
	struct MemoryRegion *container;
	uint64_t addr, size;
	int32_t priority;
	bool enabled, readonly, engaged_in_io;
	bool guard_disabled; /* no re-entrancy guard */
	struct list_head subregions, subregions_link;
	struct MemoryRegionIoeventfd *ioeventfds; /* sorted */
	unsigned int n_ioeventfds;
	struct log_ratelimit complaints;
};

/*
 * size in bytes; UINT64_MAX for all there is. name and ops must outlive the region. A region
 * without a place is enabled, of priority 0. The first one is a pure container: it answers only
 * through its subregions, and its holes show what lies below.
 */
void memory_region_init(struct MemoryRegion *mr, const char *name, uint64_t size);
void memory_region_init_io(struct MemoryRegion *mr, const struct MemoryRegionOps *ops, void *opaque,
			   const char *name, uint64_t size);
void memory_region_init_ram_ptr(struct MemoryRegion *mr, const char *name, uint64_t size,
				void *hva);
void memory_region_init_alias(struct MemoryRegion *mr, const char *name,
			      struct MemoryRegion *target, uint64_t offset, uint64_t size);
/* Must not be in a container any more, nor have subregions. */
void memory_region_release(struct MemoryRegion *mr);

/*
 * Where regions overlap, the higher priority is seen (plain add: 0), then the one added, or moved,
 * last. A transaction each.
 */
void memory_region_add_subregion(struct MemoryRegion *container, uint64_t offset,
				 struct MemoryRegion *sub);
void memory_region_add_subregion_overlap(struct MemoryRegion *container, uint64_t offset,
					 struct MemoryRegion *sub, int32_t priority);
void memory_region_del_subregion(struct MemoryRegion *container, struct MemoryRegion *sub);
void memory_region_set_address(struct MemoryRegion *mr, uint64_t addr);
void memory_region_set_enabled(struct MemoryRegion *mr, bool enabled);
void memory_region_set_readonly(struct MemoryRegion *mr, bool readonly);

/* Nest; the outermost commit rebuilds views and tells listeners once. BQL. */
void memory_region_transaction_begin(void);
void memory_region_transaction_commit(void);

/*
 * A guest write of `size` bytes (0 = any) at addr sets e instead of calling the device. Who sets
 * it: the listener that claims ioeventfds (KVM) if there is one in the process; only without any
 * (tests) memory_region_dispatch_write does. With a claimer, a write that comes to user space all
 * the same (refused ioeventfd, or a race with start and stop) reaches the device's ops->write,
 * which knows better: virtio sets the notifier itself while it is started. e's fd must stay open
 * until the commit after memory_region_del_eventfd. Whether a listener refused is known after the
 * commit only: memory_region_eventfd_error().
 */
void memory_region_add_eventfd(struct MemoryRegion *mr, uint64_t addr, uint32_t size,
			       bool match_data, uint64_t data, struct EventNotifier *e);
void memory_region_del_eventfd(struct MemoryRegion *mr, uint64_t addr, uint32_t size,
			       bool match_data, uint64_t data, struct EventNotifier *e);
/*
 * 0 if every listener holds the ioeventfd of e, else why one refused it (-EEXIST, -ENOSPC, ...), or
 * -ENXIO if it is not visible in any address space. After the outermost commit. BQL.
 */
int memory_region_eventfd_error(struct EventNotifier *e);

/* One visible range of a FlatView. */
struct MemoryRegionSection {
	struct MemoryRegion *mr;
	uint64_t gpa, size, offset_in_region;
	bool readonly;
};

/*
 * Told of changes of one address space, under the BQL, inside the outermost commit, where a new
 * transaction is not allowed. Order: begin; region_del from the highest address down, listeners in
 * reverse order of registration; region_add upwards; all eventfd_del, all eventfd_add; commit.
 * begin and commit come even if nothing changed for this listener. At most one listener of an
 * address space may have eventfd_add; eventfd_del comes only for what eventfd_add took. Any
 * callback may be NULL.
 */
struct MemoryListener {
	void (*begin)(struct MemoryListener *l);
	void (*commit)(struct MemoryListener *l);
	void (*region_add)(struct MemoryListener *l, const struct MemoryRegionSection *s);
	void (*region_del)(struct MemoryListener *l, const struct MemoryRegionSection *s);
	/*
	 * fd->addr is relative to its region; gpa is the same place seen from the guest. add
	 * returns 0 or -errno, kept for memory_region_eventfd_error.
	 */
	int (*eventfd_add)(struct MemoryListener *l, uint64_t gpa,
			   const struct MemoryRegionIoeventfd *fd);
	void (*eventfd_del)(struct MemoryListener *l, uint64_t gpa,
			    const struct MemoryRegionIoeventfd *fd);
	struct list_head node; /* private */
};

/* Caller's memory; fields private. */
struct AddressSpace {
	const char *name;
	struct MemoryRegion *root;
	_Atomic(struct FlatView *) view;
	struct list_head listeners, node;
	void *private;
};

/* root stays the caller's. Release: no listeners, and no thread makes accesses any more. BQL. */
void address_space_init(struct AddressSpace *as, struct MemoryRegion *root, const char *name);
void address_space_release(struct AddressSpace *as);
/* Replays the present state to the listener; unregister undoes it. BQL. */
void memory_listener_register(struct MemoryListener *l, struct AddressSpace *as);
void memory_listener_unregister(struct MemoryListener *l, struct AddressSpace *as);

/*
 * Accesses of any length; RAM is copied, devices are called in naturally aligned pieces. An
 * unassigned read gives all ones, a write to read-only RAM is dropped; both MEMTX_DECODE_ERROR.
 * Take the BQL around device calls unless the caller holds it. Returns OR-ed enum mem_tx_result.
 */
FRAME unsigned int address_space_write(struct AddressSpace *as, uint64_t addr, const void *buf,
				       uint64_t len);
unsigned int address_space_read(struct AddressSpace *as, uint64_t addr, void *buf, uint64_t len);

/*
 * A single access of 1, 2, 4 or 8 bytes to a region by its own offset; aliases are followed. BQL.
 * *value is always set: all ones where nothing answers. An access from within the region's own ops
 * is refused: MEMTX_ACCESS_ERROR.
 */
FRAME unsigned int memory_region_dispatch_write(struct MemoryRegion *mr, uint64_t addr,
						uint64_t value, unsigned int size);
unsigned int memory_region_dispatch_read(struct MemoryRegion *mr, uint64_t addr, uint64_t *value,
					 unsigned int size);

/* Calls fn for each visible range in address order. BQL. */
void address_space_for_each_section(struct AddressSpace *as,
				    void (*fn)(const struct MemoryRegionSection *s, void *opaque),
				    void *opaque);

#endif
