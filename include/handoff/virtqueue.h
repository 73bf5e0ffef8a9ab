/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtqueues of both layouts: split (virtio 1.2, 2.7) and packed (2.8). Every index, address and
 * length of the guest is judged here, on a copy; what passes is safe to use.
 *
 * Threads: used by one at a time: the loop that serves the queue, or the main context while the
 * device is stopped or drained. The guest changes the rings whenever it likes.
 */
#ifndef HANDOFF_VIRTQUEUE_H
#define HANDOFF_VIRTQUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <handoff/compiler.h>

struct guest_ram;

#define VIRTQUEUE_MAX_SIZE 1024 /* also the longest chain, indirect ones included */

/* What a popped chain is given back by: opaque to the device, and the guest's own affair. */
struct virtqueue_chain {
	uint16_t head;	/* split: its first descriptor; packed: the buffer id, any value */
	uint16_t slots; /* places it takes in the ring: packed, its descriptors there; split, 1 */
};

/* A chain: out (device reads) first, then in (device writes). Translated addresses. */
struct VirtQueueElement {
	struct virtqueue_chain chain;
	uint16_t out_num, in_num;
	uint64_t out_bytes, in_bytes;
	struct iovec *out_sg, *in_sg; /* into sg[] */
	struct iovec sg[];	      /* as many as vring_pop is told */
};

/* Iovecs any chain of a queue fits in: a RAM boundary splits at most one honest buffer. */
#define VIRTQUEUE_ELEMENT_SG(queue_size) ((queue_size) + 1u)

/* Why a queue broke: counted and logged once. The device then sets DEVICE_NEEDS_RESET. */
enum virtqueue_defect {
	VIRTQUEUE_OK,
	VIRTQUEUE_BAD_RING_ADDRESS,  /* not in RAM, not aligned, or no valid size */
	VIRTQUEUE_AVAIL_JUMPED,	     /* more chains available or in use than the queue has */
	VIRTQUEUE_BAD_HEAD,	     /* split: head >= size */
	VIRTQUEUE_BAD_NEXT,	     /* split: next >= size */
	VIRTQUEUE_LOOP,		     /* chain longer than the queue */
	VIRTQUEUE_BAD_ADDRESS,	     /* buffer not in guest RAM */
	VIRTQUEUE_ZERO_LENGTH,	     /* of a buffer */
	VIRTQUEUE_BAD_ORDER,	     /* readable after writable */
	VIRTQUEUE_INDIRECT_NESTED,   /* split: INDIRECT inside an indirect table */
	VIRTQUEUE_INDIRECT_BAD_SIZE, /* not a multiple of 16, zero, or more than max_chain */
	VIRTQUEUE_INDIRECT_NOT_NEGOTIATED,
	VIRTQUEUE_INDIRECT_CHAINED, /* INDIRECT with NEXT; packed: also behind a NEXT */
	VIRTQUEUE_TOO_MANY_BYTES,   /* chain over 4 GiB */
	VIRTQUEUE_TOO_MANY_BUFFERS, /* more than the caller has iovecs for */
	VIRTQUEUE_DEFECTS
};
const char *virtqueue_defect_name(enum virtqueue_defect defect);

struct virtqueue_layout {
	/* packed: descriptor ring, driver's and device's event suppression, in this order */
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t size;	    /* 1..VIRTQUEUE_MAX_SIZE; split: a power of two */
	uint16_t max_chain; /* descriptors of an indirect table; 0: size */
	bool event_idx, indirect, packed;
};

struct vring_desc;
struct vring_avail;
struct vring_used;
struct vring_packed_desc;
struct vring_packed_desc_event;

/* All indices are free-running. */
struct vring_split {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail_idx;   /* next to pop */
	uint16_t shadow_avail_idx; /* what avail.idx was when we last looked */
	uint16_t used_idx, signalled_used;
	bool signalled_used_valid; /* signalled_used is less than 2^16 behind */
};

/* A place in the descriptor ring, and the wrap counter there. */
struct vring_position {
	uint16_t slot;
	bool wrap;
};

struct vring_packed {
	struct vring_packed_desc *desc;
	const struct vring_packed_desc_event *driver_event;
	struct vring_packed_desc_event *device_event;
	struct vring_position avail;	  /* next to pop */
	struct vring_position used, fill; /* next to publish; next to fill, in front of it */
	uint16_t first_flags;		  /* of what is at `used`, once it is filled */
	uint32_t unjudged;		  /* slots published since vring_should_notify */
};

/* Embedded in VirtQueue; fields private to user/virtio. */
struct vring_state {
	const struct guest_ram *ram;
	struct virtqueue_layout layout;
	bool started;
	bool notification; /* guest kicks are on */
	uint16_t in_use;   /* slots of chains popped and not flushed */
	uint16_t filled;   /* slots filled and not flushed */
	enum virtqueue_defect defect;
	union {
		struct vring_split split;
		struct vring_packed packed;
	};
};

/*
 * Maps the rings, which need the alignment of virtio 1.2, 2.7 or 2.8.10. Notifications are on.
 * Anything but VIRTQUEUE_OK: it is not started, and vr->defect says why as well.
 */
enum virtqueue_defect vring_start(struct vring_state *vr, const struct guest_ram *ram,
				  const struct virtqueue_layout *layout) MUST_CHECK;
/* Forgets everything, chains in use too. Also right for a zeroed or broken one. */
void vring_stop(struct vring_state *vr);

/*
 * The two layouts behind what follows; for nobody else. A queue has one for its life, so the branch
 * is always predicted, and what was one direct call stays one: an operations table would cost a
 * load and an indirect call for each.
 */
bool vring_split_empty(const struct vring_state *vr);
bool vring_packed_empty(const struct vring_state *vr);
int vring_split_pop(struct vring_state *vr, struct VirtQueueElement *elem, unsigned int max_sg);
int vring_packed_pop(struct vring_state *vr, struct VirtQueueElement *elem, unsigned int max_sg);
void vring_split_unpop(struct vring_state *vr, struct virtqueue_chain chain);
void vring_packed_unpop(struct vring_state *vr, struct virtqueue_chain chain);
void vring_split_fill(struct vring_state *vr, struct virtqueue_chain chain, uint32_t written_bytes);
void vring_packed_fill(struct vring_state *vr, struct virtqueue_chain chain,
		       uint32_t written_bytes);
void vring_split_flush(struct vring_state *vr);
void vring_packed_flush(struct vring_state *vr);
bool vring_split_should_notify(struct vring_state *vr);
bool vring_packed_should_notify(struct vring_state *vr);
void vring_split_set_notification(struct vring_state *vr, bool enable);
void vring_packed_set_notification(struct vring_state *vr, bool enable);

/* Nothing available. No side effects (used as io_poll). Not started, or broken: empty. */
static inline bool vring_empty(const struct vring_state *vr)
{
	return vr->layout.packed ? vring_packed_empty(vr) : vring_split_empty(vr);
}

/*
 * Takes the next chain into elem (room for max_sg iovecs). 1 = got one, 0 = none, -EPROTO = defect
 * (vr->defect says which; nothing was consumed; the queue is broken from then on). A buffer that
 * crosses a boundary of RAM ranges is split over iovecs.
 */
static inline int vring_pop(struct vring_state *vr, struct VirtQueueElement *elem,
			    unsigned int max_sg)
{
	return vr->layout.packed ? vring_packed_pop(vr, elem, max_sg)
				 : vring_split_pop(vr, elem, max_sg);
}

/* Gives a popped chain back unserved: the next pop returns it again. Only in reverse order of pops.
 */
static inline void vring_unpop(struct vring_state *vr, struct virtqueue_chain chain)
{
	if (vr->layout.packed)
		vring_packed_unpop(vr, chain);
	else
		vring_split_unpop(vr, chain);
}

/* Writes a used element behind those filled already: visible to the guest after vring_flush. */
static inline void vring_fill(struct vring_state *vr, struct virtqueue_chain chain,
			      uint32_t written_bytes)
{
	if (vr->layout.packed)
		vring_packed_fill(vr, chain, written_bytes);
	else
		vring_split_fill(vr, chain, written_bytes);
}

/* Publishes all that is filled, at once. */
static inline void vring_flush(struct vring_state *vr)
{
	if (vr->layout.packed)
		vring_packed_flush(vr);
	else
		vring_split_flush(vr);
}

/*
 * Does the guest want an interrupt for what was flushed since this was last asked? Full fence
 * inside (virtio 1.2, 2.7.7.2).
 */
static inline bool vring_should_notify(struct vring_state *vr)
{
	return vr->layout.packed ? vring_packed_should_notify(vr) : vring_split_should_notify(vr);
}

/*
 * Turns guest kicks on or off. On: avail_event or the flag is stored, full fence; the caller must
 * look at vring_empty again before it may block. Off in a split ring with EVENT_IDX writes nothing:
 * avail_event stays behind, so the guest kicks at most once more in 2^16 chains.
 */
static inline void vring_set_notification(struct vring_state *vr, bool enable)
{
	if (vr->layout.packed)
		vring_packed_set_notification(vr, enable);
	else
		vring_split_set_notification(vr, enable);
}

#endif
