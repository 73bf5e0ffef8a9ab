/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueue (virtio 1.2, 2.7). Every index, address and length of the guest is judged here,
 * on a copy; what passes is safe to use.
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

/* A chain: out (device reads) first, then in (device writes). Translated addresses. */
struct VirtQueueElement {
	uint16_t head;
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
	VIRTQUEUE_BAD_HEAD,	     /* head >= size */
	VIRTQUEUE_BAD_NEXT,	     /* next >= size */
	VIRTQUEUE_LOOP,		     /* chain longer than the queue */
	VIRTQUEUE_BAD_ADDRESS,	     /* buffer not in guest RAM */
	VIRTQUEUE_ZERO_LENGTH,	     /* of a buffer */
	VIRTQUEUE_BAD_ORDER,	     /* readable after writable */
	VIRTQUEUE_INDIRECT_NESTED,   /* INDIRECT inside an indirect table */
	VIRTQUEUE_INDIRECT_BAD_SIZE, /* not a multiple of 16, zero, or more than size */
	VIRTQUEUE_INDIRECT_NOT_NEGOTIATED,
	VIRTQUEUE_INDIRECT_NOT_LAST, /* INDIRECT with NEXT */
	VIRTQUEUE_TOO_MANY_BYTES,    /* chain over 4 GiB */
	VIRTQUEUE_TOO_MANY_BUFFERS,  /* more than the caller has iovecs for */
	VIRTQUEUE_DEFECTS
};
const char *virtqueue_defect_name(enum virtqueue_defect defect);

struct virtqueue_layout {
	uint64_t desc_gpa, avail_gpa, used_gpa;
	uint16_t size; /* power of two, 1..VIRTQUEUE_MAX_SIZE */
	bool event_idx, indirect;
};

struct vring_desc;
struct vring_avail;
struct vring_used;

/* Embedded in VirtQueue; fields private to user/virtio. All indices are free-running. */
struct vring_state {
	const struct guest_ram *ram;
	struct virtqueue_layout layout;
	struct vring_desc *desc; /* NULL: not started */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t last_avail_idx;   /* next to pop */
	uint16_t shadow_avail_idx; /* what avail.idx was when we last looked */
	uint16_t used_idx, signalled_used;
	bool signalled_used_valid; /* signalled_used is less than 2^16 behind */
	bool notification;	   /* guest kicks are on */
	uint16_t in_use;	   /* popped and not flushed */
	enum virtqueue_defect defect;
};

/*
 * Maps the rings, which need the alignment of virtio 1.2, 2.7. Notifications are on. Anything but
 * VIRTQUEUE_OK: it is not started, and vr->defect says why as well.
 */
enum virtqueue_defect vring_start(struct vring_state *vr, const struct guest_ram *ram,
				  const struct virtqueue_layout *layout) MUST_CHECK;
/* Forgets everything, chains in use too. Also right for a zeroed or broken one. */
void vring_stop(struct vring_state *vr);

/* Nothing available. No side effects (used as io_poll). Not started, or broken: empty. */
bool vring_empty(const struct vring_state *vr);

/*
 * Takes the next chain into elem (room for max_sg iovecs). 1 = got one, 0 = none, -EPROTO = defect
 * (vr->defect says which; nothing was consumed; the queue is broken from then on). A buffer that
 * crosses a boundary of RAM ranges is split over iovecs.
 */
int vring_pop(struct vring_state *vr, struct VirtQueueElement *elem, unsigned int max_sg);
/* Gives a popped chain back unserved: the next pop returns it again. Only in reverse order of pops.
 */
void vring_unpop(struct vring_state *vr);

/* Writes the used element `index` places on: visible to the guest after vring_flush. */
void vring_fill(struct vring_state *vr, uint16_t head, uint32_t written_bytes, unsigned int index);
/* Publishes `count` filled elements. */
void vring_flush(struct vring_state *vr, unsigned int count);
/*
 * Does the guest want an interrupt for what was flushed since this was last asked? Full fence
 * inside (virtio 1.2, 2.7.7.2).
 */
bool vring_should_notify(struct vring_state *vr);

/*
 * Turns guest kicks on or off. On: avail_event or the flag is stored, full fence; the caller must
 * look at vring_empty again before it may block. Off with EVENT_IDX writes nothing: avail_event
 * stays behind, so the guest kicks at most once more in 2^16 chains.
 */
void vring_set_notification(struct vring_state *vr, bool enable);

#endif
