// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rendering the region tree into a FlatView, and looking an address up in it. Rules: semantics.md
 * 5. Rendering needs the BQL, looking up only a reference.
 */
#include "flatview.h"

#include <string.h>
#include <handoff/memory.h>
#include "array.h"

/*
 * Sums of a 64-bit base and offset, and bases below zero (an alias into the middle of its target),
 * must not wrap.
 */
typedef __int128 wide;

struct span {
	wide start, end;
};

static void insert_range(struct FlatView *view, unsigned int at, const struct FlatRange *range)
{
	if (view->n_ranges == view->capacity) {
		view->capacity = view->capacity ? view->capacity * 2 : 16;
		view->ranges = array_resize(view->ranges, view->capacity, sizeof(*range));
	}
	memmove(&view->ranges[at + 1], &view->ranges[at],
		(view->n_ranges - at) * sizeof(*view->ranges));
	view->ranges[at] = *range;
	view->n_ranges++;
}

/* Index of the first range that ends above addr. */
static unsigned int first_range_above(const struct FlatView *view, uint64_t addr)
{
	unsigned int low = 0, high = view->n_ranges;

	while (low < high) {
		unsigned int mid = low + (high - low) / 2;

		/* An end is at most 2^64 - 1: no wrap. */
		if (view->ranges[mid].gpa + view->ranges[mid].size > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/*
 * Lays a region into what earlier, that is more important, ranges left of the span. base: where its
 * offset 0 is.
 */
static void fill_gaps(struct FlatView *view, struct MemoryRegion *mr, struct span span, wide base,
		      bool readonly)
{
	uint64_t start = span.start, end = span.end;
	unsigned int i = first_range_above(view, start);

	while (start < end) {
		const struct FlatRange *above = i < view->n_ranges ? &view->ranges[i] : NULL;
		struct FlatRange range;
		uint64_t stop;

		if (above && above->gpa <= start) {
			start = above->gpa + above->size;
			i++;
			continue;
		}
		stop = above ? MIN(end, above->gpa) : end;
		range = (struct FlatRange){
			.gpa = start,
			.size = stop - start,
			.offset_in_region = (uint64_t)(start - base),
			.mr = mr,
			.readonly = readonly,
		};
		if (mr->ram)
			range.ram = (uint8_t *)mr->ram + range.offset_in_region;
		insert_range(view, i++, &range);
		start = stop;
	}
}

static void render_region(struct FlatView *view, struct MemoryRegion *mr, wide base,
			  struct span clip, bool readonly)
{
	struct MemoryRegion *sub;

	if (!mr->enabled)
		return;
	base += mr->addr;
	readonly |= mr->readonly;
	clip.start = MAX(clip.start, base);
	clip.end = MIN(clip.end, base + mr->size);
	if (clip.start >= clip.end)
		return;

	if (mr->alias) {
		/* As if the target's own place were such that alias_offset falls on our start. */
		render_region(view, mr->alias, base - mr->alias->addr - mr->alias_offset, clip,
			      readonly);
		return;
	}
	list_for_each_entry(sub, &mr->subregions, subregions_link)
		render_region(view, sub, base, clip, readonly);
	if (mr->ops || mr->ram)
		fill_gaps(view, mr, clip, base, readonly);
}

static bool can_merge(const struct FlatRange *a, const struct FlatRange *b)
{
	return a->gpa + a->size == b->gpa && a->mr == b->mr &&
	       a->offset_in_region + a->size == b->offset_in_region && a->readonly == b->readonly;
}

static void merge_neighbours(struct FlatView *view)
{
	unsigned int i, n = 0;

	for (i = 0; i < view->n_ranges; i++) {
		if (n && can_merge(&view->ranges[n - 1], &view->ranges[i]))
			view->ranges[n - 1].size += view->ranges[i].size;
		else
			view->ranges[n++] = view->ranges[i];
	}
	view->n_ranges = n;
}

struct FlatView *flatview_new(struct MemoryRegion *root)
{
	struct FlatView *view = array_resize(NULL, 1, sizeof(*view));

	*view = (struct FlatView){ .refs = 1 };
	render_region(view, root, 0, (struct span){ 0, UINT64_MAX }, false);
	merge_neighbours(view);
	return view;
}

void flatview_put(struct FlatView *view)
{
	/* acq_rel: whoever frees it sees every other reader done with it. */
	if (atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(view->ranges);
	free(view);
}

const struct FlatRange *flatview_find(const struct FlatView *view, uint64_t addr, uint64_t *left)
{
	unsigned int i = first_range_above(view, addr);
	const struct FlatRange *range = i < view->n_ranges ? &view->ranges[i] : NULL;

	if (range && range->gpa <= addr) {
		*left = range->gpa + range->size - addr;
		return range;
	}
	/* The last hole reaches over the last byte of all, so it is never empty. */
	*left = range ? range->gpa - addr : MAX(UINT64_MAX - addr, 1);
	return NULL;
}

bool flatrange_equal(const struct FlatRange *a, const struct FlatRange *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->mr == b->mr && a->ram == b->ram &&
	       a->offset_in_region == b->offset_in_region && a->readonly == b->readonly;
}

struct MemoryRegionSection flatrange_section(const struct FlatRange *range)
{
	return (struct MemoryRegionSection){
		.mr = range->mr,
		.gpa = range->gpa,
		.size = range->size,
		.offset_in_region = range->offset_in_region,
		.readonly = range->readonly,
	};
}
