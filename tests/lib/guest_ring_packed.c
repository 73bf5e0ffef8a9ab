// SPDX-License-Identifier: BSD-2-Clause
/* The driver's side of a packed virtqueue (virtio 1.2, 2.8); see guest_ring.h. */
#include "guest_ring.h"

#define AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define USED  (1u << VRING_PACKED_DESC_F_USED)

static void advance(struct vring_position *at, uint32_t n, uint16_t size)
{
	for (n += at->slot; n >= size; n -= size)
		at->wrap = !at->wrap;
	at->slot = n;
}

static uint16_t off_wrap(struct vring_position at)
{
	return at.slot | at.wrap << VRING_PACKED_EVENT_F_WRAP_CTR;
}

void guest_ring_put(struct guest_ring *ring, struct vring_packed_desc desc)
{
	struct vring_packed_desc *to = &ring->packed[ring->avail_at.slot];

	desc.flags |= ring->avail_at.wrap ? AVAIL : USED;
	to->addr = desc.addr;
	to->len = desc.len;
	to->id = desc.id;
	/* The first of all that is not yet published is what the device looks at. */
	if (ring->unpublished++)
		__atomic_store_n(&to->flags, desc.flags, __ATOMIC_RELAXED);
	else {
		ring->first_slot = ring->avail_at.slot;
		ring->first_flags = desc.flags;
	}
	advance(&ring->avail_at, 1, ring->layout.size);
}

void guest_ring_packed_publish(struct guest_ring *ring)
{
	if (!ring->unpublished)
		return;
	__atomic_store_n(&ring->packed[ring->first_slot].flags, ring->first_flags,
			 __ATOMIC_RELEASE);
	ring->unjudged += ring->unpublished;
	ring->unpublished = 0;
}

bool guest_ring_packed_kick_needed(struct guest_ring *ring)
{
	uint32_t unjudged = ring->unjudged, both, event, now, size = ring->layout.size;
	uint16_t flags;

	/* Flags before the device's wish; the device does it the other way round. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	ring->unjudged = 0;
	both = __atomic_load_n((uint32_t *)ring->device_event, __ATOMIC_RELAXED);
	flags = both >> 16;
	if (flags != VRING_PACKED_EVENT_FLAG_DESC)
		return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	event = (both & 0x7fff) + (both >> 15 & 1 ? 0 : size);
	now = ring->avail_at.slot + (ring->avail_at.wrap ? 0 : size);
	/* Is it one of the last `unjudged` places before ours? */
	return unjudged && (now + 2 * size - 1 - event) % (2 * size) < unjudged;
}

bool guest_ring_packed_take(struct guest_ring *ring, uint32_t *id, uint32_t *len)
{
	struct vring_packed_desc *desc = &ring->packed[ring->used_at.slot];
	uint16_t flags = __atomic_load_n(&desc->flags, __ATOMIC_ACQUIRE);

	if (!!(flags & AVAIL) != ring->used_at.wrap || !!(flags & USED) != ring->used_at.wrap)
		return false;
	*id = __atomic_load_n(&desc->id, __ATOMIC_RELAXED);
	*len = __atomic_load_n(&desc->len, __ATOMIC_RELAXED);
	if (!(flags & VRING_DESC_F_WRITE))
		*len = 0;
	advance(&ring->used_at, *id < ring->layout.size ? ring->chain_len[*id] : 1,
		ring->layout.size);
	return true;
}

void guest_ring_packed_want_interrupt(struct guest_ring *ring, bool want, uint16_t more)
{
	struct vring_position at = ring->used_at;
	uint16_t flags = VRING_PACKED_EVENT_FLAG_DISABLE;

	if (want && ring->layout.event_idx) {
		advance(&at, more, ring->layout.size);
		__atomic_store_n(&ring->driver_event->off_wrap, off_wrap(at), __ATOMIC_RELAXED);
		flags = VRING_PACKED_EVENT_FLAG_DESC;
	} else if (want) {
		flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	}
	__atomic_store_n(&ring->driver_event->flags, flags, __ATOMIC_RELEASE);
}
