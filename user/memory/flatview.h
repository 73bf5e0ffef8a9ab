/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FlatView: what an address space looks like from outside, as a sorted array of ranges that do not
 * overlap. Built under the BQL, immutable afterwards, counted references. A reader without the BQL
 * may look at every field of a range but must not follow mr: the region may be gone already. That
 * is why a range repeats what an access to RAM needs.
 */
#ifndef HANDOFF_MEMORY_FLATVIEW_H
#define HANDOFF_MEMORY_FLATVIEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct MemoryRegion;
struct MemoryRegionSection;

struct FlatRange {
	uint64_t gpa, size, offset_in_region;
	struct MemoryRegion *mr;
	uint8_t *ram; /* of the range's first byte, or NULL */
	bool readonly;
};

struct FlatView {
	atomic_uint refs;
	unsigned int n_ranges, capacity;
	struct FlatRange *ranges;
};

/* One reference, the caller's. */
struct FlatView *flatview_new(struct MemoryRegion *root);
void flatview_put(struct FlatView *view);

/*
 * The range that contains addr, or NULL. *left: bytes from addr to the end of that range, or of the
 * hole, at least 1.
 */
const struct FlatRange *flatview_find(const struct FlatView *view, uint64_t addr, uint64_t *left);

bool flatrange_equal(const struct FlatRange *a, const struct FlatRange *b);
struct MemoryRegionSection flatrange_section(const struct FlatRange *range);

#endif
