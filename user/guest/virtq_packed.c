// SPDX-License-Identifier: BSD-2-Clause
/*
 * Packed virtqueue, driver's side (virtio 1.2, 2.8). There are as many slots as chains of the
 * longest kind fit the ring, so a free slot means free descriptors behind the last. Each barrier
 * names its pair in the device.
 */
#include "virtq_layout.h"

#include "guest.h"

#define DESC_AVAIL    (1u << 7)
#define DESC_USED     (1u << 15)
#define EVENT_ENABLE  0
#define EVENT_DISABLE 1
#define EVENT_DESC    2 /* at one place; with EVENT_IDX only */
#define PLACE_WRAP    (1u << 15)

struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

struct packed_event {
	uint16_t place;
	uint16_t flags;
};

void virtq_packed_init(struct virtq *vq)
{
	struct virtq_packed *p = &vq->p;

	vq->area[0] = p->ring =
		memory_alloc(vq->size * DESC_BYTES, VIRTQ_PART_ALIGN, "a descriptor ring");
	vq->area[1] = p->driver_event =
		memory_alloc(sizeof(*p->driver_event), VIRTQ_PART_ALIGN, "event suppression");
	vq->area[2] = p->device_event =
		memory_alloc(sizeof(*p->device_event), VIRTQ_PART_ALIGN, "event suppression");
}

void virtq_packed_restart(struct virtq *vq)
{
	struct virtq_packed *p = &vq->p;

	memset(p->ring, 0, vq->size * DESC_BYTES);
	memset(p->driver_event, 0, sizeof(*p->driver_event));
	memset(p->device_event, 0, sizeof(*p->device_event));
	memset(p->run_of, 0, sizeof(p->run_of));
	p->avail = p->used = (struct packed_place){ .wrap = true };
	p->unpublished = 0;
}

static void advance(const struct virtq *vq, struct packed_place *at, uint32_t n)
{
	n += at->n;
	if (n >= vq->size) {
		n -= vq->size;
		at->wrap = !at->wrap;
	}
	at->n = (uint16_t)n;
}

static void put(struct virtq *vq, struct packed_desc desc)
{
	struct virtq_packed *p = &vq->p;
	struct packed_desc *to = &p->ring[p->avail.n];

	desc.flags |= p->avail.wrap ? DESC_AVAIL : DESC_USED;
	to->addr = desc.addr;
	to->len = desc.len;
	to->id = desc.id;
	/* The device looks at the first: what is behind it is seen with it. */
	if (p->unpublished++) {
		to->flags = desc.flags;
	} else {
		p->first = p->avail.n;
		p->first_flags = desc.flags;
	}
	advance(vq, &p->avail, 1);
}

static uint16_t segment_flags(const struct virtq_segment *segment)
{
	return segment->device_writes ? DESC_WRITE : 0;
}

void virtq_packed_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments,
		      uint32_t n)
{
	uint16_t id = (uint16_t)slot;

	vq->p.run_of[slot] = vq->tables ? 1 : (uint16_t)n;
	if (vq->tables) {
		struct packed_desc *table = virtq_table(vq, slot);

		for (uint32_t i = 0; i < n; i++)
			table[i] = (struct packed_desc){ segments[i].gpa, segments[i].bytes, 0,
							 segment_flags(&segments[i]) };
		put(vq, (struct packed_desc){ (uint64_t)table, n * DESC_BYTES, id, DESC_INDIRECT });
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		put(vq, (struct packed_desc){ segments[i].gpa, segments[i].bytes, id,
					      segment_flags(&segments[i]) |
						      (i + 1 < n ? DESC_NEXT : 0) });
}

bool virtq_packed_publish(struct virtq *vq)
{
	struct virtq_packed *p = &vq->p;
	uint32_t laps = 2 * vq->size, n = p->unpublished, both, event, now;

	/* Release: all that was put before the flags. Pairs with the device's acquire of them. */
	__atomic_store_n(&p->ring[p->first].flags, p->first_flags, __ATOMIC_RELEASE);
	p->unpublished = 0;
	/* Flags before the device's wish. Pairs with the fence between the device's enabling of
	 * kicks and its last look at the descriptor: one of the two sides sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* In one piece: the device writes the place before the flags that make it count. */
	both = __atomic_load_n((const uint32_t *)p->device_event, __ATOMIC_RELAXED);
	if (both >> 16 != EVENT_DESC)
		return both >> 16 == EVENT_ENABLE;
	/* Is it one of the n places behind us? On a circle of two laps, since n is at most one. */
	event = (both & (PLACE_WRAP - 1)) + (both & PLACE_WRAP ? 0 : vq->size);
	now = p->avail.n + (p->avail.wrap ? 0 : vq->size);
	return (now + laps - 1 - event) % laps < n;
}

bool virtq_packed_has_used(const struct virtq *vq)
{
	const struct packed_place *at = &vq->p.used;
	/* Pairs with the device's release of used flags. */
	uint16_t flags = __atomic_load_n(&vq->p.ring[at->n].flags, __ATOMIC_ACQUIRE);

	return !!(flags & DESC_AVAIL) == at->wrap && !!(flags & DESC_USED) == at->wrap;
}

bool virtq_packed_pop(struct virtq *vq, struct virtq_used *used)
{
	struct virtq_packed *p = &vq->p;
	const struct packed_desc *desc = &p->ring[p->used.n];
	uint16_t run = 1;

	if (!virtq_packed_has_used(vq))
		return false;
	used->slot = VIRTQ_NO_SLOT;
	/* As it is: QEMU 7.2 leaves out the WRITE without which 2.8.5 makes it mean nothing. */
	used->length = desc->len;
	if (desc->id < virtq_slots(vq) && p->run_of[desc->id]) {
		used->slot = desc->id;
		run = p->run_of[desc->id];
		p->run_of[desc->id] = 0;
	}
	advance(vq, &p->used, run);
	return true;
}

void virtq_packed_irq(struct virtq *vq, bool arm)
{
	struct virtq_packed *p = &vq->p;
	uint16_t flags = EVENT_DISABLE;

	if (arm && vq->event_idx) {
		p->driver_event->place = p->used.n | (p->used.wrap ? PLACE_WRAP : 0);
		flags = EVENT_DESC;
	} else if (arm) {
		flags = EVENT_ENABLE;
	}
	/* Release: the place before the flags that make it count. */
	__atomic_store_n(&p->driver_event->flags, flags, __ATOMIC_RELEASE);
}
