// SPDX-License-Identifier: BSD-2-Clause
/*
 * Split virtqueue, driver's side: the hot path of the guest. One flow of control uses a queue; the
 * other side is the device. Each barrier names its pair there.
 */
#include "virtq.h"

#include "guest.h"

#define DESC_NEXT	   1
#define DESC_WRITE	   2
#define DESC_INDIRECT	   4
#define AVAIL_NO_INTERRUPT 1
#define USED_NO_NOTIFY	   1
#define RING_ALIGN	   4096

static uint16_t *used_event(const struct virtq *vq)
{
	return &vq->avail->ring[vq->size];
}

static const uint16_t *avail_event(const struct virtq *vq)
{
	return (const uint16_t *)&vq->used->ring[vq->size];
}

static uint64_t avail_bytes(const struct virtq *vq)
{
	return sizeof(*vq->avail) + (vq->size + 1) * sizeof(uint16_t);
}

static uint64_t used_bytes(const struct virtq *vq)
{
	return sizeof(*vq->used) + vq->size * sizeof(struct vring_used_elem) + sizeof(uint16_t);
}

static uint16_t virtq_head(const struct virtq *vq, uint32_t slot)
{
	return (uint16_t)(vq->tables ? slot : slot * vq->stride);
}

uint32_t virtq_slots(const struct virtq *vq)
{
	return vq->tables ? vq->size : vq->size / vq->stride;
}

void virtq_init(struct virtq *vq, uint16_t index, uint32_t size, uint32_t stride, bool indirect)
{
	vq->index = index;
	vq->size = size;
	vq->stride = stride;
	/* Pages of their own: a false sharing between the rings would blur what is measured. */
	vq->desc = memory_alloc(size * sizeof(*vq->desc), RING_ALIGN, "a descriptor table");
	vq->avail = memory_alloc(avail_bytes(vq), RING_ALIGN, "an avail ring");
	vq->used = memory_alloc(used_bytes(vq), RING_ALIGN, "a used ring");
	if (indirect)
		vq->tables = memory_alloc((uint64_t)size * stride * sizeof(*vq->tables), RING_ALIGN,
					  "indirect tables");
	memset(vq->slot_of, 0xff, sizeof(vq->slot_of));
	for (uint32_t slot = 0; slot < virtq_slots(vq); slot++)
		vq->slot_of[virtq_head(vq, slot)] = (uint16_t)slot;
}

void virtq_restart(struct virtq *vq, bool event_idx)
{
	memset(vq->avail, 0, avail_bytes(vq));
	memset(vq->used, 0, used_bytes(vq));
	vq->event_idx = event_idx;
	vq->avail_idx = 0;
	vq->published_idx = 0;
	vq->used_idx = 0;
	virtq_irq_disarm(vq);
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

void virtq_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments, uint32_t n)
{
	uint16_t head = virtq_head(vq, slot);

	if (vq->tables) {
		struct vring_desc *table = vq->tables + (uint64_t)slot * vq->stride;

		fill_chain(table, 0, segments, n);
		vq->desc[head].addr = (uint64_t)table;
		vq->desc[head].len = n * (uint32_t)sizeof(*table);
		vq->desc[head].flags = DESC_INDIRECT;
	} else {
		fill_chain(vq->desc, head, segments, n);
	}
	vq->avail->ring[vq->avail_idx++ & (vq->size - 1)] = head;
}

/* 2.7.10: did the index step over the one the other side waits for? */
static bool need_event(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

void virtq_publish(struct virtq *vq)
{
	uint16_t old = vq->published_idx, new = vq->avail_idx;
	bool kick;

	if (old == new)
		return;
	/* Release: the chains before the index. Pairs with the device's read barrier behind
	 * avail.idx. */
	__atomic_store_n(&vq->avail->idx, new, __ATOMIC_RELEASE);
	vq->published_idx = new;
	/* Index before avail_event and flags. Pairs with the fence between the device's enabling of
	 * kicks and its last look at avail.idx: one of the two sides sees the other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx)
		kick = need_event(__atomic_load_n(avail_event(vq), __ATOMIC_RELAXED), new, old);
	else
		kick = !(__atomic_load_n(&vq->used->flags, __ATOMIC_RELAXED) & USED_NO_NOTIFY);
	if (!kick) {
		vq->kicks_suppressed++;
		return;
	}
	vq->kicks++;
	mmio_write16(vq->notify_gpa, vq->index);
}

bool virtq_pop(struct virtq *vq, struct vring_used_elem *elem)
{
	/* The acquire in here pairs with the device's release of used.idx. */
	if (!virtq_has_used(vq))
		return false;
	*elem = vq->used->ring[vq->used_idx & (vq->size - 1)];
	vq->used_idx++;
	/* A used_event left behind would be met again after a turn of 65536. */
	if (!(vq->used_idx & 0x1fff))
		virtq_irq_disarm(vq);
	return true;
}

void virtq_irq_arm(struct virtq *vq)
{
	if (vq->event_idx)
		*used_event(vq) = vq->used_idx;
	else
		vq->avail->flags = 0;
	/* Wish before the caller's last look at used.idx. Pairs with the device's fence between its
	 * store of used.idx and its reading of the wish. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void virtq_irq_disarm(struct virtq *vq)
{
	/* With EVENT_IDX the flag must stay 0 (2.7.7.1); an index half a turn ahead is not reached
	 * before the next call. */
	if (vq->event_idx)
		*used_event(vq) = (uint16_t)(vq->used_idx + 0x7fff);
	else
		vq->avail->flags = AVAIL_NO_INTERRUPT;
}
