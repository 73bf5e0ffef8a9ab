// SPDX-License-Identifier: BSD-2-Clause
/*
 * Life of a virtqueue of either layout, and the names of what a guest can do wrong. The layouts
 * themselves: vring_split*.c, vring_packed*.c, and vring_chain.c for both.
 */
#include "vring.h"

#include <string.h>

const char *virtqueue_defect_name(enum virtqueue_defect defect)
{
	static const char *const names[VIRTQUEUE_DEFECTS] = {
		[VIRTQUEUE_OK] = "none",
		[VIRTQUEUE_BAD_RING_ADDRESS] = "bad ring address or size",
		[VIRTQUEUE_AVAIL_JUMPED] = "more available than the queue has room for",
		[VIRTQUEUE_BAD_HEAD] = "head out of range",
		[VIRTQUEUE_BAD_NEXT] = "next out of range",
		[VIRTQUEUE_LOOP] = "chain loops or is too long",
		[VIRTQUEUE_BAD_ADDRESS] = "buffer outside of RAM",
		[VIRTQUEUE_ZERO_LENGTH] = "buffer of no length",
		[VIRTQUEUE_BAD_ORDER] = "readable buffer after a writable one",
		[VIRTQUEUE_INDIRECT_NESTED] = "indirect table within another",
		[VIRTQUEUE_INDIRECT_BAD_SIZE] = "bad size of an indirect table",
		[VIRTQUEUE_INDIRECT_NOT_NEGOTIATED] = "indirect table was not negotiated",
		[VIRTQUEUE_INDIRECT_CHAINED] = "indirect table chained to a descriptor",
		[VIRTQUEUE_TOO_MANY_BYTES] = "chain of more than 4 GiB",
		[VIRTQUEUE_TOO_MANY_BUFFERS] = "too many buffers in a chain",
	};

	return defect < VIRTQUEUE_DEFECTS ? names[defect] : "unknown";
}

/* Ranges start at page boundaries, so the gpa tells the alignment. */
void *vring_map(const struct guest_ram *ram, uint64_t gpa, uint64_t len, unsigned int align)
{
	return gpa % align ? NULL : guest_ram_hva(ram, gpa, len);
}

enum virtqueue_defect vring_start(struct vring_state *vr, const struct guest_ram *ram,
				  const struct virtqueue_layout *layout)
{
	memset(vr, 0, sizeof(*vr));
	vr->ram = ram;
	vr->layout = *layout;
	if (!layout->size || layout->size > VIRTQUEUE_MAX_SIZE ||
	    !(layout->packed ? vring_packed_map(vr) : vring_split_map(vr))) {
		vr->defect = VIRTQUEUE_BAD_RING_ADDRESS;
		return vr->defect;
	}
	vr->started = true;
	vring_set_notification(vr, true);
	return VIRTQUEUE_OK;
}

void vring_stop(struct vring_state *vr)
{
	memset(vr, 0, sizeof(*vr));
}
