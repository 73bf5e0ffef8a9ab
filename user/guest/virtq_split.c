// SPDX-License-Identifier: BSD-2-Clause
/* Split virtqueue, driver's side (virtio 1.2, 2.7). Each barrier names its pair in the device. */
#include "virtq_layout.h"

#include "guest.h"

#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY	   1

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct vring_avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[]; /* and behind it used_event */
};

struct vring_used_elem {
	uint32_t id;
	uint32_t len;
};

struct vring_used {
	uint16_t flags;
	uint16_t idx;
	struct vring_used_elem ring[]; /* and behind it avail_event */
};

static uint16_t *used_event(const struct virtq *vq)
{
	return &vq->s.avail->ring[vq->size];
}

static const uint16_t *avail_event(const struct virtq *vq)
{
	return (const uint16_t *)&vq->s.used->ring[vq->size];
}

static uint64_t avail_bytes(const struct virtq *vq)
{
	return sizeof(struct vring_avail) + (vq->size + 1) * sizeof(uint16_t);
}

static uint64_t used_bytes(const struct virtq *vq)
{
	return sizeof(struct vring_used) + vq->size * sizeof(struct vring_used_elem) +
	       sizeof(uint16_t);
}

static uint16_t virtq_head(const struct virtq *vq, uint32_t slot)
{
	return (uint16_t)(vq->tables ? slot : slot * vq->stride);
}

void virtq_split_init(struct virtq *vq)
{
	struct virtq_split *s = &vq->s;

	vq->area[0] = s->desc =
		memory_alloc(vq->size * DESC_BYTES, VIRTQ_PART_ALIGN, "a descriptor table");
	vq->area[1] = s->avail = memory_alloc(avail_bytes(vq), VIRTQ_PART_ALIGN, "an avail ring");
	vq->area[2] = s->used = memory_alloc(used_bytes(vq), VIRTQ_PART_ALIGN, "a used ring");
	memset(s->slot_of, 0xff, sizeof(s->slot_of));
	for (uint32_t slot = 0; slot < virtq_slots(vq); slot++)
		s->slot_of[virtq_head(vq, slot)] = (uint16_t)slot;
}

void virtq_split_restart(struct virtq *vq)
{
	memset(vq->s.avail, 0, avail_bytes(vq));
	memset(vq->s.used, 0, used_bytes(vq));
	vq->s.avail_idx = 0;
	vq->s.published_idx = 0;
	vq->s.used_idx = 0;
}

/* first: number of the chain's first descriptor in its own table. */
static void fill_chain(struct vring_desc *table, uint16_t first,
		       const struct virtq_segment *segments, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct vring_desc *desc = &table[first + i];
		bool last = i + 1 == n;

		desc->addr = segments[i].gpa;
		desc->len = segments[i].bytes;
		desc->flags = (segments[i].device_writes ? DESC_WRITE : 0) | (last ? 0 : DESC_NEXT);
		desc->next = last ? 0 : (uint16_t)(first + i + 1);
	}
}

void virtq_split_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments,
		     uint32_t n)
{
	struct virtq_split *s = &vq->s;
	uint16_t head = virtq_head(vq, slot);

	if (vq->tables) {
		struct vring_desc *table = virtq_table(vq, slot);

		fill_chain(table, 0, segments, n);
		s->desc[head].addr = (uint64_t)table;
		s->desc[head].len = n * DESC_BYTES;
		s->desc[head].flags = DESC_INDIRECT;
	} else {
		fill_chain(s->desc, head, segments, n);
	}
	s->avail->ring[s->avail_idx++ & (vq->size - 1)] = head;
}

/* 2.7.10: did the index step over the one the other side waits for? */
static bool need_event(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

bool virtq_split_publish(struct virtq *vq)
{
	struct virtq_split *s = &vq->s;
	uint16_t old = s->published_idx, new = s->avail_idx;

	/* Release: the chains before the index. Pairs with the device's read barrier behind
	 * avail.idx. */
	__atomic_store_n(&s->avail->idx, new, __ATOMIC_RELEASE);
	s->published_idx = new;
	/* Index before avail_event and flags. Pairs with the fence between the device's enabling of
	 * kicks and its last look at avail.idx: one of the two sides sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx)
		return need_event(__atomic_load_n(avail_event(vq), __ATOMIC_RELAXED), new, old);
	return !(__atomic_load_n(&s->used->flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
}

bool virtq_split_has_used(const struct virtq *vq)
{
	/* Pairs with the device's release of used.idx. */
	return __atomic_load_n(&vq->s.used->idx, __ATOMIC_ACQUIRE) != vq->s.used_idx;
}

bool virtq_split_pop(struct virtq *vq, struct virtq_used *used)
{
	struct virtq_split *s = &vq->s;
	struct vring_used_elem elem;

	if (!virtq_split_has_used(vq))
		return false;
	elem = s->used->ring[s->used_idx & (vq->size - 1)];
	used->slot = elem.id < vq->size ? s->slot_of[elem.id] : VIRTQ_NO_SLOT;
	used->length = elem.len;
	s->used_idx++;
	/* A used_event left behind would be met again after a turn of 65536. */
	if (!(s->used_idx & 0x1fff))
		virtq_split_irq(vq, false);
	return true;
}

void virtq_split_irq(struct virtq *vq, bool arm)
{
	/* With EVENT_IDX the flag must stay 0 (2.7.7.1); an index half a turn ahead is not reached
	 * before the next call. */
	if (vq->event_idx)
		*used_event(vq) = (uint16_t)(vq->s.used_idx + (arm ? 0 : 0x7fff));
	else
		vq->s.avail->flags = arm ? 0 : AVAIL_NO_INTERRUPT;
}
