/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests on one queue: slots with memory of their own, submission, completion, and the judgement
 * of what came back. load.c decides what to ask for and when.
 */
#ifndef GUEST_REQUEST_H
#define GUEST_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <abi/hist.h>

#include "verify.h"
#include "virtio_blk.h"

#define BLK_ID_BYTES 20

struct request {
	enum blk_op op;
	uint64_t block; /* in units of block_bytes */
};

/* What came of some requests: those of the load, or those that only verify it. Latencies in cycles.
 */
struct tally {
	uint64_t reads, writes, flushes, discards, zeroes, ids;
	uint64_t bytes;
	uint64_t io_errors;   /* status IOERR */
	uint64_t unsupported; /* status UNSUPP */
	uint64_t bad_status;  /* no status, or one that does not exist */
	uint64_t bad_ids;     /* used elements that name no request in flight */
	uint64_t bad_lengths; /* used lengths that are not what the device wrote */
	uint64_t verify_errors;
	uint64_t dropped; /* in flight when the device was reset */
	struct hist latency;
};

struct slot_memory {
	struct virtio_blk_outhdr header;
	struct virtio_blk_range range;
	volatile uint8_t status;
} __attribute__((aligned(64)));

struct slot {
	struct request request;
	uint64_t submit_tsc;
	uint32_t old_entry; /* verify: what the block held, and what this request makes of it */
	uint32_t new_entry;
	bool busy;
	bool unsettled; /* dropped by a reset: the block holds either of the two */
};

struct request_queue {
	struct virtq *vq;
	struct verify *verify; /* or NULL */
	struct tally *tally;
	struct slot *slots;
	struct slot_memory *memory;
	uint8_t *data;
	uint16_t *free; /* numbers of idle slots, a stack */
	uint32_t nr_free;
	uint32_t nr_slots;
	uint32_t block_bytes;
	uint32_t segment_bytes;
	/* load.c's: requests left of this burst, and when the next one may begin. */
	uint64_t burst_left;
	uint64_t resume_tsc;
};

/* nr_slots: at most virtq_slots(vq). A request's data is split by segment_bytes. The caller has set
 * vq, verify, tally. */
void request_queue_init(struct request_queue *q, uint32_t nr_slots, uint32_t block_bytes,
			uint32_t segment_bytes);

static inline uint32_t request_in_flight(const struct request_queue *q)
{
	return q->nr_slots - q->nr_free;
}

/* Puts a request into an idle slot and the ring; the caller has seen that nr_free > 0. */
void request_add(struct request_queue *q, const struct request *request);
/* Shows what was added to the device; latencies count from here. */
void request_publish(struct request_queue *q);
/* Takes all completions there are; returns their number. */
uint32_t request_reap(struct request_queue *q);

/* After a device reset: nothing is in flight any more; blocks that were being written become
 * unsettled. */
void request_drop_all(struct request_queue *q);
/* Adds a read of every unsettled block, which finds out what it holds. Nothing else is in flight;
 * not published yet. */
void request_settle(struct request_queue *q);

#endif
