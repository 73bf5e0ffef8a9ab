/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest of tiny_guest.S: where its things are, and what it shares with its VMM. Its vCPUs begin
 * at CPL 3 in long mode, with the low 4 GiB mapped as they are.
 */
#ifndef TESTS_TINY_GUEST_H
#define TESTS_TINY_GUEST_H

#define TINY_MAX_QUEUES 16
#define TINY_MAX_VCPUS	4

/* Guest-physical. */
#define TINY_RAM_BYTES 0x200000
#define TINY_PML4      0x1000
#define TINY_PDPT      0x2000
#define TINY_PDS       0x3000 /* four */
#define TINY_GDT       0x7000
#define TINY_TSS       0x7800 /* TINY_TSS_BYTES each */
#define TINY_TSS_BYTES 128
#define TINY_IDT       0x8000
#define TINY_CODE      0x9000
#define TINY_STACKS    0x10000 /* 4 KiB each: for what interrupts a vCPU */
#define TINY_IRQS      0x18000 /* u64 each: interrupts taken, by queue */
#define TINY_VCPUS     0x20000 /* struct tiny_orders, 4 KiB each */
#define TINY_RINGS     0x30000 /* struct tiny_ring */
#define TINY_NOTIFY    0xd0000000
#define TINY_CHURN     0xd0800000
#define TINY_END       0xd1000000 /* a write here: the orders are done */
#define TINY_PORT      0xc000

#define TINY_VECTOR 0x40 /* of queue 0 */
#define TINY_STUB   64	 /* bytes of an interrupt's handler */
#define TINY_CODE0  0x08
#define TINY_DATA3  0x1b
#define TINY_CODE3  0x23
#define TINY_TR	    0x28

/* tiny_ring.how */
#define TINY_MMIO16 0
#define TINY_MMIO32 1
#define TINY_PIO    2

/* struct tiny_ring */
#define RING_GPA       0
#define RING_VALUE     8
#define RING_HOW       16
#define RING_SYNC      24
#define RING_POSTED    32
#define RING_KICKED    40
#define RING_KICK_TSC  48
#define RING_SERVED    64
#define RING_NO_NOTIFY 72

/* struct tiny_orders */
#define ORDERS_ROUNDS 0
#define ORDERS_PAUSE  8
#define ORDERS_RINGS  16
#define ORDERS_RING   24

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

/* A queue of one number: what was posted and what was served. A kick follows each post unless the
 * consumer wants none. */
struct tiny_ring {
	/* the guest's line; the first four are told by the VMM before it runs */
	uint64_t gpa, value, how;
	uint64_t sync; /* 1 = it waits after each post until that is served */
	uint64_t posted;
	uint64_t kicked;   /* notify register written */
	uint64_t kick_tsc; /* ticks of the TSC that these writes took it, together */
	uint64_t pad;
	/* the consumer's line */
	uint64_t served;    /* of the posted */
	uint64_t no_notify; /* 1 = the consumer looks by itself */
	uint64_t pad2[6];
};

/* To a vCPU: so many posts to each of its rings. */
struct tiny_orders {
	uint64_t rounds;
	uint64_t pause; /* turns of an empty loop behind each post */
	uint64_t rings;
	uint64_t ring[TINY_MAX_QUEUES]; /* gpa */
};

_Static_assert(offsetof(struct tiny_ring, kicked) == RING_KICKED, "seen by assembly");
_Static_assert(offsetof(struct tiny_ring, kick_tsc) == RING_KICK_TSC, "seen by assembly");
_Static_assert(offsetof(struct tiny_ring, no_notify) == RING_NO_NOTIFY, "seen by assembly");
_Static_assert(sizeof(struct tiny_ring) == 128, "two lines");
_Static_assert(offsetof(struct tiny_orders, ring) == ORDERS_RING, "seen by assembly");

/* The code, to be copied to TINY_CODE: entry is its begin, with rdi = the orders. */
extern const char tiny_guest[], tiny_guest_ud[], tiny_guest_irqs[], tiny_guest_end[];

#endif
#endif
