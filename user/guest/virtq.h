/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue, split or packed (virtio 1.2, 2.7, 2.8). Descriptors are not
 * allocated: in a split ring request slot i owns a fixed run of them, so a slot's number and its
 * chain's head say the same; in a packed one they are taken in turn, and a slot is its chain's id.
 */
#ifndef GUEST_VIRTQ_H
#define GUEST_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#define VIRTQ_MAX_SIZE 256
#define VIRTQ_NO_SLOT  0xffffu

struct vring_desc;
struct vring_avail;
struct vring_used;
struct packed_desc;
struct packed_event;

struct virtq_segment {
	uint64_t gpa;
	uint32_t bytes;
	bool device_writes;
};

/* A completion: of the request in this slot, or of none (VIRTQ_NO_SLOT) if the device errs. */
struct virtq_used {
	uint32_t slot;
	uint32_t length;
};

struct virtq_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t slot_of[VIRTQ_MAX_SIZE]; /* by a chain's first descriptor: no division per request
					   */
	uint16_t avail_idx;		  /* next entry we fill; published by virtq_publish() */
	uint16_t published_idx;		  /* what the device may see */
	uint16_t used_idx;		  /* next entry we read */
};

/* A place in the ring, and the wrap counter there. */
struct packed_place {
	uint16_t n;
	bool wrap;
};

struct virtq_packed {
	struct packed_desc *ring;
	struct packed_event *driver_event, *device_event;
	struct packed_place avail, used; /* next we fill, next we read */
	uint16_t first, first_flags;	 /* of what is filled and not published */
	uint16_t unpublished;		 /* descriptors */
	uint16_t run_of[VIRTQ_MAX_SIZE]; /* descriptors of a slot's chain in flight */
};

struct virtq {
	bool packed;
	bool event_idx;
	union {
		struct virtq_split s;
		struct virtq_packed p;
	};
	void *area[3]; /* where the device finds it: descriptors, driver's part, device's part */
	void *tables;  /* indirect: a table of `stride` descriptors for each slot; else NULL */
	uint64_t notify_gpa;
	uint32_t size;	 /* split: a power of two; at most VIRTQ_MAX_SIZE */
	uint32_t stride; /* descriptors a slot may use */
	uint16_t index;
	uint16_t vector;
	uint16_t pending[VIRTQ_MAX_SIZE]; /* slots added since the last virtq_publish() */
	uint32_t nr_pending;
	/* Survive virtq_restart(). */
	uint64_t kicks;
	uint64_t kicks_suppressed;
};

/* Memory for a queue of this size. stride: see above; indirect: one ring descriptor per slot
 * instead of stride. */
void virtq_init(struct virtq *vq, uint16_t index, uint32_t size, uint32_t stride, bool indirect,
		bool packed);
/* How many slots such a queue has. */
uint32_t virtq_slots(const struct virtq *vq);
/* Empty rings again, after a device reset. */
void virtq_restart(struct virtq *vq, bool event_idx);

/* Slot's chain into the ring; at most stride segments. The device does not see it yet. */
void virtq_add(struct virtq *vq, uint32_t slot, const struct virtq_segment *segments, uint32_t n);
/* Shows the device all that was added, and kicks it if it wants that. Counts both outcomes. */
void virtq_publish(struct virtq *vq);

/* Is there something for virtq_pop()? */
bool virtq_has_used(const struct virtq *vq);
/* The next completion; false if there is none. */
bool virtq_pop(struct virtq *vq, struct virtq_used *used);

/* Asks for an interrupt at the next completion. The caller looks at the ring once more before it
 * sleeps. */
void virtq_irq_arm(struct virtq *vq);
/* Wants no interrupts from here on. */
void virtq_irq_disarm(struct virtq *vq);

#endif
