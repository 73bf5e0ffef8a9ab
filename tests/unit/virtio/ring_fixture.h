/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtqueue in 8 MiB of guest RAM, both sides of it in one thread: the device's vr, the driver's
 * ring. */
#ifndef UNIT_RING_FIXTURE_H
#define UNIT_RING_FIXTURE_H

#include <lib/tap.h>
#include <lib/guest_ring.h>

#include <handoff/guest_ram.h>

#define RAM_BYTES  (8u << 20)
#define RING_GPA   0x10000
#define BUFFER_GPA 0x200000
#define TABLE_GPA  0x300000

struct fixture {
	bool packed;
	struct guest_ram *ram;
	struct guest_ring ring;
	struct vring_state vr;
	struct VirtQueueElement *elem; /* room for the longest chain */
};

/* A started queue of 8 without EVENT_IDX. */
int setup_split(void **state);
int setup_packed(void **state);
int teardown(void **state);

/* An empty ring of that size again; indirect tables are negotiated. */
struct fixture *start(struct fixture *f, uint16_t size, bool event_idx);
int pop(struct fixture *f);
/* Gives the popped chain back, with so many bytes written. */
void push(struct fixture *f, uint32_t written_bytes);
/* One buffer, not yet published; the chain's name. */
int add(struct fixture *f, uint32_t len, bool in);
/* One chain of one buffer there and back: added, popped, filled, flushed, taken. */
void round_trip(struct fixture *f);

/* Tests of a virtqueue that run on one layout or on both; as entries of a list of CMUnitTest. */
#define RING_TEST(group, name, setup)                                                              \
	{                                                                                          \
		"test_" group "__" #name, test_virtqueue__##name, setup, teardown, NULL            \
	}
#define SPLIT(name)  RING_TEST("virtqueue", name, setup_split)
#define PACKED(name) RING_TEST("virtqueue_packed", name, setup_packed)
#define BOTH(name)   SPLIT(name), PACKED(name)

#endif
