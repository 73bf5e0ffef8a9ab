// SPDX-License-Identifier: BSD-2-Clause
/*
 * Virtqueue, driver's side: what both layouts share. One flow of control uses a queue; the other
 * side is the device.
 */
#include "virtq_layout.h"

#include "guest.h"

uint32_t virtq_slots(const struct virtq *vq)
{
	return vq->tables ? vq->size : vq->size / vq->stride;
}

void virtq_init(struct virtq *vq, uint16_t index, uint32_t size, uint32_t stride, bool indirect,
		bool packed)
{
	vq->index = index;
	vq->size = size;
	vq->stride = stride;
	vq->packed = packed;
	if (indirect)
		vq->tables = memory_alloc((uint64_t)size * stride * DESC_BYTES, VIRTQ_PART_ALIGN,
					  "indirect tables");
	if (packed)
		virtq_packed_init(vq);
	else
		virtq_split_init(vq);
}

void virtq_restart(struct virtq *vq, bool event_idx)
{
	vq->event_idx = event_idx;
	vq->nr_pending = 0;
	if (vq->packed)
		virtq_packed_restart(vq);
	else
		virtq_split_restart(vq);
	virtq_irq_disarm(vq);
}

void virtq_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments, uint32_t n)
{
	if (vq->packed)
		virtq_packed_add(vq, slot, segments, n);
	else
		virtq_split_add(vq, slot, segments, n);
	vq->pending[vq->nr_pending++] = (uint16_t)slot;
}

void virtq_publish(struct virtq *vq)
{
	if (!vq->nr_pending)
		return;
	vq->nr_pending = 0;
	if (!(vq->packed ? virtq_packed_publish(vq) : virtq_split_publish(vq))) {
		vq->kicks_suppressed++;
		return;
	}
	vq->kicks++;
	mmio_write16(vq->notify_gpa, vq->index);
}

bool virtq_has_used(const struct virtq *vq)
{
	return vq->packed ? virtq_packed_has_used(vq) : virtq_split_has_used(vq);
}

bool virtq_pop(struct virtq *vq, struct virtq_used *used)
{
	return vq->packed ? virtq_packed_pop(vq, used) : virtq_split_pop(vq, used);
}

void virtq_irq_arm(struct virtq *vq)
{
	if (vq->packed)
		virtq_packed_irq(vq, true);
	else
		virtq_split_irq(vq, true);
	/* Wish before the caller's last look at the ring. Pairs with the device's fence between its
	 * publishing of a completion and its reading of the wish. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void virtq_irq_disarm(struct virtq *vq)
{
	if (vq->packed)
		virtq_packed_irq(vq, false);
	else
		virtq_split_irq(vq, false);
}
