// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio-blk requests (virtio 1.2, 5.2.6): a chain is popped, its header copied out and judged, the
 * request handed to the block layer or answered at once. The status byte is written in one place,
 * virtio_blk_req_complete. Runs in the context that serves the queue.
 */
#include "virtio_blk.h"

#include <errno.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/stats.h>
#include "virtio_iov.h"

/* --- the pool
 * --------------------------------------------------------------------------------------- */

static struct VirtIOBlockReq *pool_get(struct virtio_blk_pool *pool)
{
	struct VirtIOBlockReq *req = pool->free;

	/* vring_pop lets no more chains out than the queue has places, and so has the pool. */
	assert(req && !req->busy);
	pool->free = req->next_free;
	req->busy = true;
	return req;
}

static void pool_put(struct virtio_blk_pool *pool, struct VirtIOBlockReq *req)
{
	assert(req->busy);
	req->busy = false;
	req->next_free = pool->free;
	pool->free = req;
}

static size_t request_bytes(const struct VirtIOBlock *s)
{
	return sizeof(struct VirtIOBlockReq) + s->seg_max * sizeof(struct iovec);
}

static int pool_init(struct VirtIOBlock *s, struct VirtQueue *vq, unsigned int queue_size)
{
	struct virtio_blk_pool *pool = &s->pool[vq - s->vdev.vq];
	unsigned int i;

	/* Untouched pages of it cost nothing, so the largest queue is affordable. */
	pool->memory = calloc(queue_size, request_bytes(s));
	pool->elem = calloc(1, sizeof(*pool->elem) +
				       VIRTQUEUE_ELEMENT_SG(queue_size) * sizeof(struct iovec));
	if (!pool->memory || !pool->elem)
		return -ENOMEM;
	for (i = queue_size; i-- > 0;) {
		struct VirtIOBlockReq *req = (void *)(pool->memory + i * request_bytes(s));

		req->s = s;
		req->vq = vq;
		req->next_free = pool->free;
		pool->free = req;
	}
	return 0;
}

int virtio_blk_pools_init(struct VirtIOBlock *s, unsigned int queues, unsigned int queue_size,
			  struct error *err)
{
	unsigned int i;

	for (i = 0; i < queues; i++)
		if (pool_init(s, &s->vdev.vq[i], queue_size))
			return error_set(err, -ENOMEM, "%s: no memory for %u requests", s->name,
					 queue_size);
	return 0;
}

void virtio_blk_pools_release(struct VirtIOBlock *s)
{
	unsigned int i;

	for (i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		free(s->pool[i].memory);
		free(s->pool[i].elem);
	}
}

/* --- completion
 * ------------------------------------------------------------------------------------- */

/* status: VIRTIO_BLK_S_*. The chain goes back to the guest, the request to the pool. */
static void virtio_blk_req_complete(struct VirtIOBlockReq *req, uint8_t status)
{
	struct VirtQueue *vq = req->vq;
	uint32_t written = status == VIRTIO_BLK_S_OK ? req->data_bytes : 0;

	if (status != VIRTIO_BLK_S_OK)
		stats_inc(&vq->stats->errors);
	/* From before a reset: the memory is no longer ours. */
	if (likely(req->epoch == vq->epoch)) {
		*req->status = status;
		virtio_queue_push(vq, req->chain, written + 1, req->blk.t_complete_ns,
				  req->blk.weight);
	}
	pool_put(&req->s->pool[vq->index], req);
}

static void virtio_blk_submit(struct VirtIOBlockReq *req);

/* Sets the next step of a request that has several, and tells whether there is one. */
static bool next_step(struct VirtIOBlockReq *req)
{
	if (++req->range < req->n_ranges)
		return true;
	if (!req->flush_after)
		return false;
	req->flush_after = false;
	req->n_ranges = 0;
	req->blk.type = BLK_FLUSH;
	return true;
}

static void virtio_blk_step_complete(struct BlkRequest *blk_req, int ret)
{
	struct VirtIOBlockReq *req = container_of(blk_req, struct VirtIOBlockReq, blk);

	if (blk_req->t_submit_ns && blk_req->t_complete_ns)
		virtio_queue_add_leg(req->vq, STATS_LEG_IO,
				     blk_req->t_complete_ns - blk_req->t_submit_ns,
				     blk_req->weight);
	if (unlikely(ret))
		virtio_blk_req_complete(req, VIRTIO_BLK_S_IOERR);
	else if (unlikely(next_step(req)))
		virtio_blk_submit(req);
	else
		virtio_blk_req_complete(req, VIRTIO_BLK_S_OK);
}

static void virtio_blk_submit(struct VirtIOBlockReq *req)
{
	struct BlkRequest *blk_req = &req->blk;

	if (req->n_ranges) {
		const struct virtio_blk_discard_write_zeroes *range = &req->ranges[req->range];

		blk_req->offset = range->sector * BDRV_SECTOR_SIZE;
		blk_req->bytes = (int64_t)range->num_sectors * BDRV_SECTOR_SIZE;
		blk_req->may_unmap = range->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	} else if (blk_req->type == BLK_FLUSH) {
		blk_req->offset = blk_req->bytes = 0;
		blk_req->niov = 0;
	}
	blk_req->cb = virtio_blk_step_complete;
	blk_submit(req->s->blk, blk_req);
}

/* --- judging
 * ---------------------------------------------------------------------------------------- */

static bool sectors_in_range(const struct VirtIOBlock *s, uint64_t sector, uint64_t n)
{
	return sector <= s->capacity_sectors && n <= s->capacity_sectors - sector;
}

static bool segments_fit(const struct VirtIOBlockReq *req)
{
	unsigned int i;

	if (!virtio_has_feature(&req->s->vdev, VIRTIO_BLK_F_SIZE_MAX))
		return true;
	for (i = 0; i < req->blk.niov; i++)
		if (req->blk.iov[i].iov_len > VIRTIO_BLK_SIZE_MAX)
			return false;
	return true;
}

/*
 * Without FLUSH the guest cannot ask for it, so a write is stable when it is done (5.2.6.2); or it
 * wanted that by CONFIG_WCE.
 */
static bool write_through(const struct VirtIOBlock *s)
{
	return !__atomic_load_n(&s->config.wce, __ATOMIC_RELAXED);
}

/* Each gives a status to answer with, or -1 when the request is under way. */

static int handle_rw(struct VirtIOBlockReq *req, const struct VirtQueueElement *elem,
		     uint64_t sector)
{
	struct VirtIOBlock *s = req->s;
	bool is_write = req->type == VIRTIO_BLK_T_OUT;
	uint64_t bytes =
		is_write ? elem->out_bytes - sizeof(struct virtio_blk_outhdr) : elem->in_bytes - 1;
	int niov;

	if (is_write && blk_is_read_only(s->blk))
		return VIRTIO_BLK_S_IOERR;
	if (!bytes || bytes % BDRV_SECTOR_SIZE ||
	    !sectors_in_range(s, sector, bytes / BDRV_SECTOR_SIZE))
		return VIRTIO_BLK_S_IOERR;
	if (is_write)
		niov = iov_slice(req->iov, s->seg_max, elem->out_sg, elem->out_num,
				 sizeof(struct virtio_blk_outhdr), bytes);
	else
		niov = iov_slice(req->iov, s->seg_max, elem->in_sg, elem->in_num, 0, bytes);
	if (niov < 0)
		return VIRTIO_BLK_S_IOERR;
	req->blk.type = is_write ? BLK_WRITE : BLK_READ;
	req->blk.offset = sector * BDRV_SECTOR_SIZE;
	req->blk.bytes = bytes;
	req->blk.iov = req->iov;
	req->blk.niov = niov;
	if (!segments_fit(req))
		return VIRTIO_BLK_S_IOERR;
	req->data_bytes = is_write ? 0 : bytes;
	req->flush_after = is_write && write_through(s);
	virtio_blk_submit(req);
	return -1;
}

static int check_range(const struct VirtIOBlockReq *req,
		       const struct virtio_blk_discard_write_zeroes *range)
{
	uint32_t known =
		req->type == VIRTIO_BLK_T_WRITE_ZEROES ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;

	if (range->flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	if (range->num_sectors > VIRTIO_BLK_MAX_RANGE_SECTORS ||
	    !sectors_in_range(req->s, range->sector, range->num_sectors))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

/* DISCARD and WRITE_ZEROES. All ranges are judged before the first is touched. */
static int handle_ranges(struct VirtIOBlockReq *req, const struct VirtQueueElement *elem)
{
	struct VirtIOBlock *s = req->s;
	bool is_discard = req->type == VIRTIO_BLK_T_DISCARD;
	uint64_t bytes = elem->out_bytes - sizeof(struct virtio_blk_outhdr);
	unsigned int i;
	int status;

	if (!virtio_has_feature(&s->vdev,
				is_discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES))
		return blk_is_read_only(s->blk) ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_UNSUPP;
	if (!bytes || bytes % sizeof(req->ranges[0]) || bytes > sizeof(req->ranges))
		return VIRTIO_BLK_S_IOERR;
	iov_read(elem->out_sg, elem->out_num, sizeof(struct virtio_blk_outhdr), req->ranges, bytes);
	req->n_ranges = bytes / sizeof(req->ranges[0]);
	for (i = 0; i < req->n_ranges; i++) {
		status = check_range(req, &req->ranges[i]);
		if (status != VIRTIO_BLK_S_OK)
			return status;
	}
	req->blk.type = is_discard ? BLK_DISCARD : BLK_WRITE_ZEROES;
	req->flush_after = !is_discard && write_through(s);
	virtio_blk_submit(req);
	return -1;
}

static int handle_get_id(struct VirtIOBlockReq *req, const struct VirtQueueElement *elem)
{
	req->data_bytes = iov_write(elem->in_sg, elem->in_num, 0, req->s->serial,
				    MIN(elem->in_bytes - 1, sizeof(req->s->serial)));
	return VIRTIO_BLK_S_OK;
}

static int handle_request(struct VirtIOBlockReq *req, const struct VirtQueueElement *elem)
{
	struct virtio_blk_outhdr header;

	if (iov_read(elem->out_sg, elem->out_num, 0, &header, sizeof(header)) != sizeof(header))
		return VIRTIO_BLK_S_IOERR;
	req->type = header.type;
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return handle_rw(req, elem, header.sector);
	case VIRTIO_BLK_T_FLUSH:
		req->blk.type = BLK_FLUSH;
		virtio_blk_submit(req);
		return -1;
	case VIRTIO_BLK_T_GET_ID:
		return handle_get_id(req, elem);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return handle_ranges(req, elem);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

/* --- the queue
 * -------------------------------------------------------------------------------------- */

/* False when there is nothing, or the device broke. */
static bool handle_next(struct VirtIOBlock *s, struct VirtQueue *vq)
{
	struct virtio_blk_pool *pool = &s->pool[vq->index];
	struct VirtQueueElement *elem = pool->elem;
	const struct iovec *last;
	struct VirtIOBlockReq *req;
	int ret = vring_pop(&vq->vring, elem, VIRTQUEUE_ELEMENT_SG(s->vdev.max_queue_size));

	if (ret == 0)
		return false;
	if (ret < 0 || !elem->in_bytes) {
		stats_inc(&vq->stats->errors);
		virtio_error(&s->vdev, "queue %u: %s", vq->index,
			     ret < 0 ? virtqueue_defect_name(vq->vring.defect)
				     : "request without a status byte");
		return false;
	}
	stats_inc(&vq->stats->requests);
	req = pool_get(pool);
	last = &elem->in_sg[elem->in_num - 1];
	req->status = (uint8_t *)last->iov_base + last->iov_len - 1;
	req->chain = elem->chain;
	req->epoch = vq->epoch;
	req->data_bytes = 0;
	req->flush_after = false;
	req->n_ranges = req->range = 0;
	req->blk.weight = vq->weight;
	/* Answered at once: seen complete when? Now, if anybody asks. */
	req->blk.t_complete_ns = 0;
	ret = handle_request(req, elem);
	if (ret >= 0) {
		req->blk.t_complete_ns = req->blk.weight ? clock_ns() : 0;
		virtio_blk_req_complete(req, ret);
	}
	return true;
}

/*
 * Kicks are turned off while the queue is worked at, unless the loop polls and has them off anyway:
 * then they stay off, and the spin is the look that must follow. A turn takes as many chains as the
 * queue has, or a guest that adds as fast as we serve would have the loop for itself.
 */
bool virtio_blk_handle_vq(struct VirtIODevice *vdev, struct VirtQueue *vq)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);
	bool suppress = vq->vring.notification;
	unsigned int budget = vq->vring.layout.size;
	bool emptied;

	for (;;) {
		if (suppress)
			vring_set_notification(&vq->vring, false);
		while (budget && handle_next(s, vq))
			budget--;
		emptied = budget;
		if (!suppress)
			return emptied || vring_empty(&vq->vring);
		vring_set_notification(&vq->vring, true);
		if (vring_empty(&vq->vring))
			return true;
		if (!emptied || atomic_load(&vdev->broken))
			return false;
		virtio_queue_count_arrival(vq, ARRIVAL_RECHECK);
	}
}
