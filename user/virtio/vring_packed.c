// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packed virtqueue but for taking chains (vring_packed_pop.c): mapping, used descriptors,
 * notifications both ways (virtio 1.2, 2.8). Used descriptors go into the ring in order, one for a
 * chain at the first of as many slots as the chain had: so the sums of both sides agree although
 * chains end in any order.
 */
#include "vring_packed.h"

/* Sizes and alignments: 2.8.10.1; there, any size is good. */
bool vring_packed_map(struct vring_state *vr)
{
	const struct virtqueue_layout *layout = &vr->layout;
	struct vring_packed *p = &vr->packed;

	p->desc = vring_map(vr->ram, layout->desc_gpa,
			    (uint64_t)layout->size * sizeof(struct vring_packed_desc), 16);
	p->driver_event =
		vring_map(vr->ram, layout->avail_gpa, sizeof(struct vring_packed_desc_event), 4);
	p->device_event =
		vring_map(vr->ram, layout->used_gpa, sizeof(struct vring_packed_desc_event), 4);
	p->avail.wrap = p->used.wrap = p->fill.wrap = true;
	return p->desc && p->driver_event && p->device_event;
}

void vring_packed_fill(struct vring_state *vr, struct virtqueue_chain chain, uint32_t written_bytes)
{
	struct vring_packed *p = &vr->packed;
	struct vring_packed_desc *desc;
	uint16_t flags;

	if (unlikely(!vr->started))
		return;
	desc = &p->desc[p->fill.slot];
	flags = (p->fill.wrap ? PACKED_AVAIL | PACKED_USED : 0) |
		(written_bytes ? VRING_DESC_F_WRITE : 0);
	vring_store(desc->id, chain.head);
	vring_store(desc->len, written_bytes);
	/* The driver looks at a used descriptor only when it has seen those in front of it. */
	if (!vr->filled)
		p->first_flags = flags;
	else
		vring_store(desc->flags, flags);
	vr->filled += chain.slots;
	vring_advance(&p->fill, chain.slots, vr->layout.size);
}

void vring_packed_flush(struct vring_state *vr)
{
	struct vring_packed *p = &vr->packed;

	if (unlikely(!vr->started || !vr->filled))
		return;
	/* Release: who sees these flags sees the rest, and what it announces. */
	__atomic_store_n(&p->desc[p->used.slot].flags, p->first_flags, __ATOMIC_RELEASE);
	p->used = p->fill;
	vr->in_use -= vr->filled;
	/* Beyond two laps no place tells more. */
	p->unjudged = MIN(p->unjudged + vr->filled, 2u * vr->layout.size);
	vr->filled = 0;
}

/* Is the place the driver waits for among the last `unjudged` slots? On a circle of two laps. */
static bool event_passed(const struct vring_state *vr, uint16_t off_wrap, uint32_t unjudged)
{
	uint32_t lap = vr->layout.size, off = off_wrap & ~(1u << VRING_PACKED_EVENT_F_WRAP_CTR);
	bool wrap = off_wrap >> VRING_PACKED_EVENT_F_WRAP_CTR;
	struct vring_position used = vr->packed.used;
	uint32_t now, behind;

	if (unlikely(off >= lap || unjudged == 2 * lap))
		return true;
	now = used.slot + (used.wrap == wrap ? 0 : lap);
	behind = now >= off ? now - off : now + 2 * lap - off;
	return behind && behind <= unjudged;
}

bool vring_packed_should_notify(struct vring_state *vr)
{
	struct vring_packed *p = &vr->packed;
	struct vring_packed_desc_event event;
	uint32_t unjudged = p->unjudged, both;

	if (unlikely(!vr->started))
		return false;
	/* Used flags before the driver's wish; the driver stores that, fences, and reads the
	 * flags. */
	vring_full_fence();
	p->unjudged = 0;
	/* In one piece: it writes the place before the flag that makes it count. */
	both = __atomic_load_n((const uint32_t *)p->driver_event, __ATOMIC_RELAXED);
	__builtin_memcpy(&event, &both, sizeof(event));
	switch (event.flags & 3) {
	case VRING_PACKED_EVENT_FLAG_DISABLE:
		return false;
	case VRING_PACKED_EVENT_FLAG_DESC:
		/* Not valid without EVENT_IDX: rather one interrupt too many. */
		return !vr->layout.event_idx || event_passed(vr, event.off_wrap, unjudged);
	default:
		return true;
	}
}

void vring_packed_set_notification(struct vring_state *vr, bool enable)
{
	struct vring_packed *p = &vr->packed;
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	vr->notification = enable;
	if (unlikely(!vr->started))
		return;
	if (enable && vr->layout.event_idx) {
		vring_store(p->device_event->off_wrap, vring_off_wrap(p->avail));
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (enable) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	/* Release: the place before the flag that makes it count. */
	__atomic_store_n(&p->device_event->flags, flags, __ATOMIC_RELEASE);
	/* The stores above before the caller's look at the descriptor; the driver does it the other
	 * way. */
	if (enable)
		vring_full_fence();
}
