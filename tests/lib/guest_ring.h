/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver's side of a virtqueue, split or packed, for tests: a ring in guest RAM, chains built
 * and taken back as a guest would (virtio 1.2, 2.7, 2.8), and raw access for doing it wrong. One
 * thread at a time.
 */
#ifndef TESTS_GUEST_RING_H
#define TESTS_GUEST_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/virtio_ring.h>
#include <handoff/virtqueue.h>

struct guest_ram;

/* One buffer of a chain; the device writes it if `in`. */
struct guest_buffer {
	uint64_t gpa;
	uint32_t len;
	bool in;
};

#define GUEST_RING_EVENT_IDX 1u
#define GUEST_RING_INDIRECT  2u
#define GUEST_RING_PACKED    4u

struct guest_ring {
	struct guest_ram *ram;
	struct virtqueue_layout layout;
	/* split */
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t avail_idx;  /* of ours, maybe not published */
	uint16_t kicked_idx; /* avail_idx when a kick was last judged */
	uint16_t last_used;  /* next to take back */
	/* packed */
	struct vring_packed_desc *packed;
	struct vring_packed_desc_event *driver_event, *device_event;
	struct vring_position avail_at, used_at; /* next to put; next to take back */
	uint16_t unpublished, first_slot, first_flags;
	uint32_t unjudged; /* slots published since a kick was last judged */
	/* Free places of the ring. Names of chains (heads or ids) are a list, the next one first.
	 */
	uint16_t n_free;
	uint16_t next_free[VIRTQUEUE_MAX_SIZE], chain_len[VIRTQUEUE_MAX_SIZE];
	uint16_t first_free;
};

/* Bytes the three parts take from a page boundary on. */
uint64_t guest_ring_bytes(unsigned int size);
/* Lays an empty ring out at gpa (page-aligned); flags: GUEST_RING_*. */
void guest_ring_init(struct guest_ring *ring, struct guest_ram *ram, uint64_t gpa, uint16_t size,
		     unsigned int flags);

/* A chain of n buffers: its name, or -1 if there are not enough descriptors. Not yet visible to the
 * device. */
int guest_ring_add(struct guest_ring *ring, const struct guest_buffer *buffers, unsigned int n);
/* The same by an indirect table written at table_gpa: takes one descriptor. */
int guest_ring_add_indirect(struct guest_ring *ring, const struct guest_buffer *buffers,
			    unsigned int n, uint64_t table_gpa);
/* Split: puts a head into the available ring, valid or not. */
void guest_ring_offer(struct guest_ring *ring, uint16_t head);
/* Packed: puts a descriptor as it is into the ring, but for the flags that make it available. */
void guest_ring_put(struct guest_ring *ring, struct vring_packed_desc desc);
/* Shows the device all that was added. */
void guest_ring_publish(struct guest_ring *ring);
/* Must the driver kick for what was published since it last asked? Full fence inside. */
bool guest_ring_kick_needed(struct guest_ring *ring);

/* Takes a used chain back; false if there is none. Its name, and the length the device wrote. */
bool guest_ring_take_used(struct guest_ring *ring, uint32_t *head, uint32_t *len);
/* Interrupts: asks for one at the next used element (EVENT_IDX), or for all; or for none. */
void guest_ring_want_interrupt(struct guest_ring *ring, bool want);
/* EVENT_IDX: asks for one when so many more (of one slot each) are used; fewer than the size. */
void guest_ring_want_interrupt_after(struct guest_ring *ring, uint16_t more);

/* --- between guest_ring.c and guest_ring_packed.c --- */

void guest_ring_packed_publish(struct guest_ring *ring);
bool guest_ring_packed_kick_needed(struct guest_ring *ring);
/* Skips slots(id) places behind it. */
bool guest_ring_packed_take(struct guest_ring *ring, uint32_t *id, uint32_t *len);
void guest_ring_packed_want_interrupt(struct guest_ring *ring, bool want, uint16_t more);

#endif
