/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU thread that keeps a disk busy and checks every byte: each block is written, read back and
 * compared, over and over, with a pattern of its own that changes each time.
 */
#ifndef FLOW_BLK_LOAD_H
#define FLOW_BLK_LOAD_H

#include <pthread.h>
#include <stdatomic.h>
#include "blk_fixture.h"

struct blk_load_slot {
	uint32_t block, round;
	bool reading;
};

struct blk_load {
	struct blk_fixture *f;
	unsigned int queues, depth; /* requests in flight in each queue */
	pthread_t thread;
	_Atomic bool stop, done;
	_Atomic uint64_t completed;
	unsigned int wrong; /* statuses and bytes */
	struct blk_load_slot slot[GUEST_BLK_QUEUES][GUEST_BLK_MAX_IN_FLIGHT];
};

/* The guest has started the device. queues * depth blocks of 4 KiB must fit the disk. */
void blk_load_start(struct blk_load *load, struct blk_fixture *f, unsigned int queues,
		    unsigned int depth);
/* Returns when nothing is in flight; runs the main context meanwhile. */
void blk_load_stop(struct blk_load *load);

/*
 * A vCPU thread that offers one request of no known type again as fast as it is answered, so that
 * the first queue (of 64) is never empty for long. Answered in the handler: nothing is ever in
 * flight.
 */
struct blk_flood {
	struct blk_fixture *f;
	pthread_t thread;
	_Atomic bool stop;
};

void blk_flood_start(struct blk_flood *flood, struct blk_fixture *f);
void blk_flood_stop(struct blk_flood *flood);

#endif
