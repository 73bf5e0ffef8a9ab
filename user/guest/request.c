// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests of one queue: made of a slot's fixed memory, judged when they come back. One flow of
 * control. Whether a block may be asked for is decided before (load.c): with verify a block has one
 * request in flight at most.
 */
#include "request.h"

#include "guest.h"

#define DATA_ALIGN 4096

void request_queue_init(struct request_queue *q, uint32_t nr_slots, uint32_t block_bytes,
			uint32_t segment_bytes)
{
	q->nr_slots = nr_slots;
	q->nr_free = nr_slots;
	q->block_bytes = block_bytes;
	q->segment_bytes = segment_bytes;
	q->slots = memory_alloc(nr_slots * sizeof(*q->slots), 64, "request slots");
	q->memory = memory_alloc(nr_slots * sizeof(*q->memory), 64, "request headers");
	q->free = memory_alloc(nr_slots * sizeof(*q->free), 64, "request slots");
	q->data = memory_alloc((uint64_t)nr_slots * block_bytes, DATA_ALIGN,
			       "data buffers (queues * iodepth * bs)");
	for (uint32_t i = 0; i < nr_slots; i++)
		q->free[i] = (uint16_t)(nr_slots - 1 - i);
}

static uint8_t *slot_data(const struct request_queue *q, uint32_t n)
{
	return q->data + (uint64_t)n * q->block_bytes;
}

static bool changes_block(enum blk_op op)
{
	return op == BLK_OUT || op == BLK_DISCARD || op == BLK_WRITE_ZEROES;
}

/* Remembers what the block holds and will hold, and marks it busy. */
static void claim_block(struct request_queue *q, struct slot *slot)
{
	uint32_t *entry;

	if (!q->verify || slot->request.op == BLK_FLUSH || slot->request.op == BLK_GET_ID)
		return;
	entry = &q->verify->blocks[slot->request.block];
	if (!slot->unsettled) {
		slot->old_entry = *entry & ~VERIFY_BUSY;
		slot->new_entry = slot->old_entry;
	}
	switch (slot->request.op) {
	case BLK_OUT:
		slot->new_entry = verify_next_entry(slot->old_entry, VERIFY_WRITTEN);
		break;
	case BLK_WRITE_ZEROES:
		slot->new_entry = verify_next_entry(slot->old_entry, VERIFY_ZEROES);
		break;
	case BLK_DISCARD:
		slot->new_entry = verify_next_entry(slot->old_entry, VERIFY_UNKNOWN);
		break;
	default:
		break;
	}
	*entry |= VERIFY_BUSY;
}

/* The data segments of a request; returns their number. Sets the header's sector. */
static uint32_t data_segments(struct request_queue *q, uint32_t n, struct virtq_segment *out)
{
	const struct slot *slot = &q->slots[n];
	struct slot_memory *memory = &q->memory[n];
	uint32_t sectors = q->block_bytes / SECTOR_BYTES, done = 0, count = 0;

	memory->header.sector = 0;
	switch (slot->request.op) {
	case BLK_FLUSH:
		return 0;
	case BLK_GET_ID:
		out[0] = (struct virtq_segment){ (uint64_t)slot_data(q, n), BLK_ID_BYTES, true };
		return 1;
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		memory->range.sector = slot->request.block * sectors;
		memory->range.num_sectors = sectors;
		out[0] = (struct virtq_segment){ (uint64_t)&memory->range, sizeof(memory->range),
						 false };
		return 1;
	default:
		break;
	}
	memory->header.sector = slot->request.block * sectors;
	for (; done < q->block_bytes; done += out[count++].bytes) {
		out[count].gpa = (uint64_t)slot_data(q, n) + done;
		out[count].bytes = MIN(q->segment_bytes, q->block_bytes - done);
		out[count].device_writes = slot->request.op == BLK_IN;
	}
	return count;
}

static void add_slot(struct request_queue *q, uint32_t n)
{
	struct virtq_segment segments[BLK_MAX_DATA_SEGMENTS + 2];
	struct slot_memory *memory = &q->memory[n];
	struct slot *slot = &q->slots[n];
	uint32_t count;

	slot->busy = true;
	claim_block(q, slot);
	if (q->verify && slot->request.op == BLK_OUT)
		verify_fill(q->verify, slot_data(q, n), slot->request.block, slot->new_entry);
	memory->header.type = slot->request.op;
	memory->status = BLK_NO_STATUS;
	segments[0] =
		(struct virtq_segment){ (uint64_t)&memory->header, sizeof(memory->header), false };
	count = 1 + data_segments(q, n, &segments[1]);
	segments[count++] = (struct virtq_segment){ (uint64_t)&memory->status, 1, true };
	virtq_add(q->vq, n, segments, count);
}

void request_add(struct request_queue *q, const struct request *request)
{
	uint32_t n = q->free[--q->nr_free];

	q->slots[n].request = *request;
	add_slot(q, n);
}

void request_publish(struct request_queue *q)
{
	uint64_t now = rdtsc();

	for (uint32_t i = 0; i < q->vq->nr_pending; i++)
		q->slots[q->vq->pending[i]].submit_tsc = now;
	virtq_publish(q->vq);
}

static void count_request(struct tally *tally, enum blk_op op)
{
	switch (op) {
	case BLK_IN:
		tally->reads++;
		break;
	case BLK_OUT:
		tally->writes++;
		break;
	case BLK_FLUSH:
		tally->flushes++;
		break;
	case BLK_DISCARD:
		tally->discards++;
		break;
	case BLK_WRITE_ZEROES:
		tally->zeroes++;
		break;
	case BLK_GET_ID:
		tally->ids++;
		break;
	}
}

/* 2.7.8.2: the length counts what the device wrote: data it read from the disk, and the status
 * byte. */
static uint32_t expected_length(const struct request_queue *q, enum blk_op op)
{
	if (op == BLK_IN)
		return q->block_bytes + 1;
	return op == BLK_GET_ID ? BLK_ID_BYTES + 1 : 1;
}

/* Returns the block's new entry: unknown content, if the request that failed was not just a read of
 * known content. */
static uint32_t verify_completion(struct request_queue *q, struct slot *slot, uint8_t *data,
				  bool ok)
{
	uint64_t block = slot->request.block;

	if (!ok && (slot->unsettled || changes_block(slot->request.op)))
		return slot->new_entry & ~VERIFY_STATE;
	if (!ok)
		return slot->old_entry;
	if (slot->request.op != BLK_IN)
		return slot->new_entry;
	if (verify_check(q->verify, data, block, slot->old_entry)) {
		/* Of an unsettled block whose old content was unknown, the new content may be
		 * there. */
		if (slot->unsettled && !(slot->old_entry & VERIFY_STATE) &&
		    verify_check(q->verify, data, block, slot->new_entry))
			return slot->new_entry;
		return slot->old_entry;
	}
	if (slot->unsettled && verify_check(q->verify, data, block, slot->new_entry))
		return slot->new_entry;
	q->tally->verify_errors++;
	return slot->old_entry & ~VERIFY_STATE;
}

static void complete(struct request_queue *q, uint32_t n, uint32_t length, uint64_t now)
{
	struct slot *slot = &q->slots[n];
	struct tally *tally = q->tally;
	enum blk_op op = slot->request.op;
	uint8_t status = q->memory[n].status;
	bool ok = status == BLK_OK;

	hist_add(&tally->latency, now - slot->submit_tsc);
	count_request(tally, op);
	if (status == BLK_IOERR)
		tally->io_errors++;
	else if (status == BLK_UNSUPP)
		tally->unsupported++;
	else if (!ok)
		tally->bad_status++;
	else if (length != expected_length(q, op))
		tally->bad_lengths++;
	if (ok && (op == BLK_IN || op == BLK_OUT))
		tally->bytes += q->block_bytes;
	if (q->verify && op != BLK_FLUSH && op != BLK_GET_ID)
		q->verify->blocks[slot->request.block] =
			verify_completion(q, slot, slot_data(q, n), ok);
	slot->busy = false;
	slot->unsettled = false;
	q->free[q->nr_free++] = (uint16_t)n;
}

uint32_t request_reap(struct request_queue *q)
{
	struct virtq_used used;
	uint32_t count = 0;
	uint64_t now;

	if (!virtq_has_used(q->vq))
		return 0;
	/* One clock for all that is there: checking one block must not count as the next one's
	 * latency. */
	now = rdtsc();
	while (virtq_pop(q->vq, &used)) {
		count++;
		if (used.slot >= q->nr_slots || !q->slots[used.slot].busy)
			q->tally->bad_ids++;
		else
			complete(q, used.slot, used.length, now);
	}
	return count;
}

void request_drop_all(struct request_queue *q)
{
	for (uint32_t n = 0; n < q->nr_slots; n++) {
		struct slot *slot = &q->slots[n];
		enum blk_op op = slot->request.op;

		if (!slot->busy)
			continue;
		q->tally->dropped++;
		slot->busy = false;
		q->free[q->nr_free++] = (uint16_t)n;
		if (!q->verify || op == BLK_FLUSH || op == BLK_GET_ID)
			continue;
		/* What a discard leaves is unknown with or without a reset. */
		slot->unsettled = op == BLK_OUT || op == BLK_WRITE_ZEROES;
		if (!slot->unsettled)
			q->verify->blocks[slot->request.block] = slot->new_entry;
	}
}

void request_settle(struct request_queue *q)
{
	q->nr_free = 0;
	for (uint32_t n = 0; n < q->nr_slots; n++) {
		if (q->slots[n].unsettled) {
			/* In its own slot, which knows the block's two possible contents. */
			q->slots[n].request.op = BLK_IN;
			add_slot(q, n);
		} else {
			q->free[q->nr_free++] = (uint16_t)n;
		}
	}
}
