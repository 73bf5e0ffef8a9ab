// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split virtqueue but for taking chains (virtqueue_pop.c): mapping, used ring, notifications both
 * ways. Single-threaded but for the guest, whose side of each fence is virtio 1.2, 2.7.13.
 */
#include "vring.h"

#include <string.h>
#include <handoff/guest_ram.h>

const char *virtqueue_defect_name(enum virtqueue_defect defect)
{
	static const char *const names[VIRTQUEUE_DEFECTS] = {
		[VIRTQUEUE_OK] = "none",
		[VIRTQUEUE_BAD_RING_ADDRESS] = "bad ring address or size",
		[VIRTQUEUE_AVAIL_JUMPED] = "available index jumped",
		[VIRTQUEUE_BAD_HEAD] = "head out of range",
		[VIRTQUEUE_BAD_NEXT] = "next out of range",
		[VIRTQUEUE_LOOP] = "chain loops or is too long",
		[VIRTQUEUE_BAD_ADDRESS] = "buffer outside of RAM",
		[VIRTQUEUE_ZERO_LENGTH] = "buffer of no length",
		[VIRTQUEUE_BAD_ORDER] = "readable buffer after a writable one",
		[VIRTQUEUE_INDIRECT_NESTED] = "indirect table within another",
		[VIRTQUEUE_INDIRECT_BAD_SIZE] = "bad size of an indirect table",
		[VIRTQUEUE_INDIRECT_NOT_NEGOTIATED] = "indirect table was not negotiated",
		[VIRTQUEUE_INDIRECT_NOT_LAST] = "indirect table with a next descriptor",
		[VIRTQUEUE_TOO_MANY_BYTES] = "chain of more than 4 GiB",
		[VIRTQUEUE_TOO_MANY_BUFFERS] = "too many buffers in a chain",
	};

	return defect < VIRTQUEUE_DEFECTS ? names[defect] : "unknown";
}

/* NULL unless wholly in RAM and aligned; ranges start at page boundaries, so the gpa tells. */
static void *map_ring(const struct guest_ram *ram, uint64_t gpa, uint64_t len, unsigned int align)
{
	return gpa % align ? NULL : guest_ram_hva(ram, gpa, len);
}

enum virtqueue_defect vring_start(struct vring_state *vr, const struct guest_ram *ram,
				  const struct virtqueue_layout *layout)
{
	uint16_t size = layout->size;
	uint64_t event_bytes = layout->event_idx ? sizeof(uint16_t) : 0;

	memset(vr, 0, sizeof(*vr));
	vr->defect = VIRTQUEUE_BAD_RING_ADDRESS;
	if (!size || size > VIRTQUEUE_MAX_SIZE || size & (size - 1))
		return vr->defect;
	/* Sizes and alignments: virtio 1.2, 2.7. */
	vr->desc = map_ring(ram, layout->desc_gpa, (uint64_t)size * sizeof(struct vring_desc), 16);
	vr->avail = map_ring(
		ram, layout->avail_gpa,
		sizeof(struct vring_avail) + (uint64_t)size * sizeof(uint16_t) + event_bytes, 2);
	vr->used = map_ring(ram, layout->used_gpa,
			    sizeof(struct vring_used) +
				    (uint64_t)size * sizeof(struct vring_used_elem) + event_bytes,
			    4);
	if (!vr->desc || !vr->avail || !vr->used) {
		vr->desc = NULL;
		return vr->defect;
	}
	vr->ram = ram;
	vr->layout = *layout;
	vr->defect = VIRTQUEUE_OK;
	vring_set_notification(vr, true);
	return VIRTQUEUE_OK;
}

void vring_stop(struct vring_state *vr)
{
	memset(vr, 0, sizeof(*vr));
}

bool vring_empty(const struct vring_state *vr)
{
	if (unlikely(!vr->desc || vr->defect))
		return true;
	if (vr->shadow_avail_idx != vr->last_avail_idx)
		return false;
	return vring_load(vr->avail->idx) == vr->last_avail_idx;
}

void vring_fill(struct vring_state *vr, uint16_t head, uint32_t written_bytes, unsigned int index)
{
	struct vring_used_elem *elem;

	if (unlikely(!vr->desc))
		return;
	elem = &vr->used->ring[(uint16_t)(vr->used_idx + index) % vr->layout.size];
	vring_store(elem->id, head);
	vring_store(elem->len, written_bytes);
}

void vring_flush(struct vring_state *vr, unsigned int count)
{
	uint16_t old = vr->used_idx;
	uint16_t new = old + count;

	if (unlikely(!vr->desc))
		return;
	/* Release: who sees the index sees the elements and what they announce. */
	__atomic_store_n(&vr->used->idx, new, __ATOMIC_RELEASE);
	vr->used_idx = new;
	vr->in_use -= count;
	/* The index passed where we last judged: its distance no longer fits 16 bits. */
	if ((uint16_t)(new - vr->signalled_used) < (uint16_t)(new - old))
		vr->signalled_used_valid = false;
}

bool vring_should_notify(struct vring_state *vr)
{
	uint16_t old, new;
	bool valid;

	if (unlikely(!vr->desc))
		return false;
	/* used.idx before used_event and flags; the driver stores those, fences, and reads
	 * used.idx. */
	vring_full_fence();
	if (!vr->layout.event_idx)
		return !(vring_load(vr->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	valid = vr->signalled_used_valid;
	old = vr->signalled_used;
	new = vr->used_idx;
	vr->signalled_used = new;
	vr->signalled_used_valid = true;
	return !valid || vring_need_event(vring_load(*vring_used_event_ptr(vr)), new, old);
}

void vring_set_notification(struct vring_state *vr, bool enable)
{
	vr->notification = enable;
	if (unlikely(!vr->desc))
		return;
	if (!vr->layout.event_idx)
		vring_store(vr->used->flags, enable ? 0 : VRING_USED_F_NO_NOTIFY);
	else if (enable)
		vring_store(*vring_avail_event_ptr(vr), vring_load(vr->avail->idx));
	/* The store above before the caller's look at avail.idx; the driver does it the other way.
	 */
	if (enable)
		vring_full_fence();
}
