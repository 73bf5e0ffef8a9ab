/* SPDX-License-Identifier: BSD-2-Clause */
/* The packed ring's two halves: vring_packed.c gives chains back and notifies, vring_packed_pop.c
 * takes them. */
#ifndef VIRTIO_VRING_PACKED_H
#define VIRTIO_VRING_PACKED_H

#include "vring.h"

#define PACKED_AVAIL (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED  (1u << VRING_PACKED_DESC_F_USED)

/* Of a lap with this wrap counter: made available and not used (virtio 1.2, 2.8.1). */
static inline bool packed_is_available(uint16_t flags, bool wrap)
{
	return !!(flags & PACKED_AVAIL) == wrap && !!(flags & PACKED_USED) != wrap;
}

/* slots: at most size. */
static inline void vring_advance(struct vring_position *at, uint16_t slots, uint16_t size)
{
	at->slot += slots;
	if (at->slot >= size) {
		at->slot -= size;
		at->wrap = !at->wrap;
	}
}

static inline uint16_t vring_off_wrap(struct vring_position at)
{
	return at.slot | (uint16_t)(at.wrap << VRING_PACKED_EVENT_F_WRAP_CTR);
}

#endif
