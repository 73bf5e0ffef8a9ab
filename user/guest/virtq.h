/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a split virtqueue (virtio 1.2, section 2.7). Descriptors are not allocated:
 * request slot i owns a fixed run of them, so a slot's number and its chain's head say the same.
 */
#ifndef GUEST_VIRTQ_H
#define GUEST_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_MAX_SIZE 256
#define VIRTQ_NO_SLOT  0xffffu

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

struct virtq_segment {
	uint64_t gpa;
	uint32_t bytes;
	bool device_writes;
};

struct virtq {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_desc *tables; /* indirect: a table of `stride` for each slot; else NULL */
	uint64_t notify_gpa;
	uint32_t size;	 /* a power of two, at most VIRTQ_MAX_SIZE */
	uint32_t stride; /* descriptors a slot may use */
	uint16_t index;
	uint16_t vector;
	bool event_idx;
	uint16_t slot_of[VIRTQ_MAX_SIZE]; /* by a chain's first descriptor: no division per request
					   */
	uint16_t avail_idx;		  /* next entry we fill; published by virtq_publish() */
	uint16_t published_idx;		  /* what the device may see */
	uint16_t used_idx;		  /* next entry we read */
	/* Survive virtq_restart(). */
	uint64_t kicks;
	uint64_t kicks_suppressed;
};

/* Memory for a queue of this size. stride: see above; indirect: one ring descriptor per slot
 * instead of stride. */
void virtq_init(struct virtq *vq, uint16_t index, uint32_t size, uint32_t stride, bool indirect);
/* How many slots such a queue has. */
uint32_t virtq_slots(const struct virtq *vq);
/* Empty rings again, after a device reset. */
void virtq_restart(struct virtq *vq, bool event_idx);

/* Slot's chain into the avail ring; at most stride segments. The device does not see it yet. */
void virtq_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments, uint32_t n);
/* Shows the device all that was added, and kicks it if it wants that. Counts both outcomes. */
void virtq_publish(struct virtq *vq);

static inline bool virtq_has_used(const struct virtq *vq)
{
	return __atomic_load_n(&vq->used->idx, __ATOMIC_ACQUIRE) != vq->used_idx;
}

/* The next used element; false if there is none. Its id is judged by virtq_slot_of(). */
bool virtq_pop(struct virtq *vq, struct vring_used_elem *elem);
/* The slot whose chain begins at descriptor `id`; VIRTQ_NO_SLOT if none does. */
static inline uint32_t virtq_slot_of(const struct virtq *vq, uint32_t id)
{
	return id < vq->size ? vq->slot_of[id] : VIRTQ_NO_SLOT;
}

/* The slot of the n-th chain added since the last virtq_publish(). */
static inline uint32_t virtq_pending_slot(const struct virtq *vq, uint32_t n)
{
	return vq->slot_of[vq->avail->ring[(vq->published_idx + n) & (vq->size - 1)]];
}

/* Asks for an interrupt at the next completion. The caller looks at the ring once more before it
 * sleeps. */
void virtq_irq_arm(struct virtq *vq);
/* Wants no interrupts from here on. */
void virtq_irq_disarm(struct virtq *vq);

#endif
