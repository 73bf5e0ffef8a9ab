// SPDX-License-Identifier: BSD-2-Clause
/*
 * The seldom parts of judging a chain, for both layouts: buffers across a boundary of RAM ranges,
 * and indirect tables. See vring.h.
 */
#include "vring.h"

_Static_assert(sizeof(struct vring_desc) == DESC_BYTES, "split");
_Static_assert(sizeof(struct vring_packed_desc) == DESC_BYTES, "packed");

/* The part of [gpa, gpa + len) that is in the range gpa is in; NULL if it is in none. */
static void *map_start(const struct guest_ram *ram, uint64_t gpa, uint64_t len, uint64_t *part)
{
	unsigned int i;

	for (i = 0; i < ram->n_ranges; i++) {
		uint64_t offset = gpa - ram->range[i].gpa;

		if (offset >= ram->range[i].size_bytes)
			continue;
		*part = MIN(len, ram->range[i].size_bytes - offset);
		return guest_ram_hva(ram, gpa, *part);
	}
	return NULL;
}

enum virtqueue_defect chain_add_crossing(struct chain_walk *w, uint64_t gpa, uint64_t len, bool in)
{
	enum virtqueue_defect defect;

	while (len) {
		uint64_t part;
		void *hva = map_start(w->ram, gpa, len, &part);

		if (!hva)
			return VIRTQUEUE_BAD_ADDRESS;
		defect = chain_add_iovec(w, hva, part, in);
		if (defect)
			return defect;
		gpa += part;
		len -= part;
	}
	return VIRTQUEUE_OK;
}

enum virtqueue_defect chain_map_table(const struct vring_state *vr, uint64_t gpa, uint32_t len,
				      const void **table, unsigned int *n)
{
	const struct virtqueue_layout *layout = &vr->layout;

	if (!layout->indirect)
		return VIRTQUEUE_INDIRECT_NOT_NEGOTIATED;
	*n = len / DESC_BYTES;
	/*
	 * 2.7.5.3.1: a chain is never longer than the queue size of the device, which a driver
	 * short of memory may not have used in full; a longer table is an attack.
	 */
	if (!len || len % DESC_BYTES || *n > (layout->max_chain ? layout->max_chain : layout->size))
		return VIRTQUEUE_INDIRECT_BAD_SIZE;
	*table = guest_ram_hva(vr->ram, gpa, len);
	return *table ? VIRTQUEUE_OK : VIRTQUEUE_BAD_ADDRESS;
}
