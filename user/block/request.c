// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests at the backend: checked, counted, queued while drained, and brought to their end. The
 * hot path (blk_submit, blk_complete) takes no lock and allocates nothing.
 *
 * Threads: the backend's context, but for in_flight and blk_resume_queued.
 */
#include "block_int.h"

#include <errno.h>
#include <handoff/clock.h>
#include <handoff/stats.h>

void blk_inc_in_flight(struct BlockBackend *blk)
{
	atomic_fetch_add(&blk->in_flight, 1);
}

void blk_dec_in_flight(struct BlockBackend *blk)
{
	/*
	 * At 0 a drain may return and free blk at once, so nothing of it is touched afterwards.
	 * Drains wait for 0 only, so steps on the way there need no kick.
	 */
	if (atomic_fetch_sub(&blk->in_flight, 1) == 1)
		aio_wait_kick();
}

/* --- results that are known at once ---------------------------------------------------------- */

static void bdrv_complete_now(void *opaque)
{
	struct BlkRequest *req = opaque;

	bdrv_complete(req, req->ret);
}

void bdrv_complete_later(struct AioContext *ctx, struct BlkRequest *req, int ret)
{
	req->ret = ret;
	aio_timer_init(ctx, &req->timer, bdrv_complete_now, req);
	aio_timer_mod_any(&req->timer, 0); /* due since ever: fires in the loop's next turn */
}

/* --- checks ---------------------------------------------------------------------------------- */

static int blk_check_iov(const struct BlkRequest *req)
{
	uint64_t left = req->bytes;
	unsigned int i;

	if (req->niov > BDRV_REQUEST_NIOV)
		return -EINVAL;
	for (i = 0; i < req->niov; i++) {
		if (req->iov[i].iov_len > left)
			return -EINVAL;
		left -= req->iov[i].iov_len;
	}
	return left == 0 ? 0 : -EINVAL;
}

static int blk_check_request(const struct BlockBackend *blk, const struct BlkRequest *req)
{
	const struct BlockDriverState *bs = blk->root->bs;
	int ret;

	switch (req->type) {
	case BLK_READ:
	case BLK_WRITE:
		ret = blk_check_iov(req);
		if (ret < 0)
			return ret;
		break;
	case BLK_FLUSH:
		return 0;
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		break;
	default:
		return -EINVAL;
	}
	if (req->offset < 0 || req->bytes < 0 || (req->offset | req->bytes) % BDRV_SECTOR_SIZE)
		return -EINVAL;
	/* No sum: it could overflow. */
	if (req->bytes > bs->length_bytes || req->offset > bs->length_bytes - req->bytes)
		return -EIO;
	if (req->type != BLK_READ && bs->read_only)
		return -EROFS;
	return 0;
}

/* --- the way of a request -------------------------------------------------------------------- */

/* The backend's context is the only writer; others read whole figures. */
static void count_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* Before cb: the request may be gone afterwards. */
static void blk_count(struct BlockBackend *blk, const struct BlkRequest *req, int ret)
{
	struct blk_counters *c;

	if (unlikely(req->type >= BLK_REQUEST_TYPES))
		return;
	c = &blk->counters[req->type];
	if (unlikely(ret < 0)) {
		count_add(&c->failed, 1);
		return;
	}
	count_add(&c->done, 1);
	count_add(&c->bytes, (uint64_t)req->bytes);
}

struct blk_counters blk_get_counters(const struct BlockBackend *blk, enum blk_request_type type)
{
	const struct blk_counters *c = &blk->counters[type];

	return (struct blk_counters){
		.done = __atomic_load_n(&c->done, __ATOMIC_RELAXED),
		.bytes = __atomic_load_n(&c->bytes, __ATOMIC_RELAXED),
		.failed = __atomic_load_n(&c->failed, __ATOMIC_RELAXED),
	};
}

static void blk_complete(struct BlkRequest *req, int ret)
{
	struct BlockBackend *blk = req->blk;

	blk_count(blk, req, ret);
	if (req->t_submit_ns)
		req->t_complete_ns = clock_ns();
	req->cb(req, ret); /* req may be gone or under way again */
	blk_dec_in_flight(blk);
}

/* As if the root had been asked and had answered. */
static void blk_answer_later(struct BlockBackend *blk, struct BlkRequest *req, int ret)
{
	req->frame[0].complete = blk_complete;
	req->frame[0].bs = blk->root->bs;
	req->depth = 1;
	bdrv_complete_later(atomic_load(&blk->ctx), req, ret);
}

/*
 * False if the drain ended meanwhile. Under the lock: whoever ends a drain clears `quiesced` first
 * and looks at the queue afterwards, so it finds the request or we find the flag clear.
 */
static bool blk_queue(struct BlockBackend *blk, struct BlkRequest *req)
{
	pthread_mutex_lock(&blk->queue_lock);
	if (!blk_in_drain(blk)) {
		pthread_mutex_unlock(&blk->queue_lock);
		return false;
	}
	if (blk->closing) {
		pthread_mutex_unlock(&blk->queue_lock);
		blk_answer_later(blk, req, -ECANCELED);
		return true;
	}
	list_add_tail(&req->node, &blk->queued);
	pthread_mutex_unlock(&blk->queue_lock);
	blk_dec_in_flight(blk);
	return true;
}

static void blk_start(struct BlockBackend *blk, struct BlkRequest *req)
{
	int ret;

	/* Pairs with blk_root_drained_begin: raise, then look. One of the two sees the other. */
	blk_inc_in_flight(blk);
	if (unlikely(blk_in_drain(blk)) && blk_queue(blk, req))
		return;
	assert(aio_in_home_thread_any(atomic_load_explicit(&blk->ctx, memory_order_relaxed)));

	ret = blk_check_request(blk, req);
	if (unlikely(ret < 0 || (req->bytes == 0 && req->type != BLK_FLUSH)))
		blk_answer_later(blk, req, ret);
	else
		bdrv_submit(blk->root->bs, req, blk_complete);
}

void blk_submit(struct BlockBackend *blk, struct BlkRequest *req)
{
	req->blk = blk;
	req->depth = 0;
	req->t_submit_ns = req->weight && stats_armed() ? clock_ns() : 0;
	req->t_complete_ns = 0;
	blk_start(blk, req);
}

/* --- the end of a drain ---------------------------------------------------------------------- */

static void blk_take_queued(struct BlockBackend *blk, bool cancel)
{
	struct list_head requests = LIST_HEAD_INIT(requests);
	struct BlkRequest *req;

	pthread_mutex_lock(&blk->queue_lock);
	cancel |= blk->closing;
	list_splice_tail(&blk->queued, &requests);
	pthread_mutex_unlock(&blk->queue_lock);

	while (!list_empty(&requests)) {
		req = list_first_entry(&requests, struct BlkRequest, node);
		list_del(&req->node);
		if (cancel) {
			blk_inc_in_flight(blk);
			blk_complete(req, -ECANCELED);
		} else {
			blk_start(blk, req); /* drained again: back into the queue, in order */
		}
	}
	blk_dec_in_flight(blk);
}

static void blk_resume_bh(void *opaque)
{
	blk_take_queued(opaque, false);
}

static void blk_cancel_bh(void *opaque)
{
	blk_take_queued(opaque, true);
}

void blk_cancel_queued(struct BlockBackend *blk)
{
	assert_main_context();
	/* Held, so that the backend stays in its context until they are answered there. */
	blk_inc_in_flight(blk);
	aio_wait_bh_oneshot(atomic_load(&blk->ctx), blk_cancel_bh, blk);
}

void blk_resume_queued(struct BlockBackend *blk)
{
	bool any;

	pthread_mutex_lock(&blk->queue_lock);
	any = !list_empty(&blk->queued);
	pthread_mutex_unlock(&blk->queue_lock);
	if (!any)
		return;
	/* Held before they are woken: a drain that begins in between waits for the bottom half. */
	blk_inc_in_flight(blk);
	aio_bh_schedule_oneshot(atomic_load(&blk->ctx), blk_resume_bh, blk, "blk_resume");
}
