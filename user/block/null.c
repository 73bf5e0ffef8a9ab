// SPDX-License-Identifier: BSD-2-Clause
/*
 * The null driver: no storage, no latency. It measures everything else, so it has to be cheap: a
 * request waits in a list for one bottom half, which completes all that came since its last run. No
 * system call, no allocation. The list belongs to the node's context.
 */
#include "block_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct null_state {
	struct QEMUBH *bh;
	struct list_head done; /* BlkRequest.node */
	bool read_zeroes;
};

static void null_bh(void *opaque)
{
	struct null_state *s = opaque;
	struct list_head done = LIST_HEAD_INIT(done);
	struct BlkRequest *req;

	/*
	 * What completions submit is for the next run, or a caller at depth 1 would keep us
	 * here.
	 */
	list_splice_tail(&s->done, &done);
	while (!list_empty(&done)) {
		req = list_first_entry(&done, struct BlkRequest, node);
		list_del(&req->node);
		bdrv_complete(req, 0);
	}
}

static void null_submit(struct BlockDriverState *bs, struct BlkRequest *req)
{
	struct null_state *s = bs->opaque;
	unsigned int i;

	if (s->read_zeroes && req->type == BLK_READ) {
		for (i = 0; i < req->niov; i++)
			memset(req->iov[i].iov_base, 0, req->iov[i].iov_len);
	}
	list_add_tail(&req->node, &s->done);
	aio_bh_schedule(s->bh);
}

static void null_attach_aio_context(struct BlockDriverState *bs)
{
	struct null_state *s = bs->opaque;

	s->bh = aio_bh_new(bs->ctx, null_bh, s, "null_bh");
	if (!s->bh) {
		log_error("out of memory while a disk changes its event loop");
		abort(); /* a context switch cannot fail half way */
	}
}

static void null_detach_aio_context(struct BlockDriverState *bs)
{
	struct null_state *s = bs->opaque;

	assert(list_empty(&s->done));
	aio_bh_delete(s->bh);
	s->bh = NULL;
}

static void null_close(struct BlockDriverState *bs)
{
	free(bs->opaque);
}

static const struct BlockDriver null_driver = {
	.name = "null",
	.submit = null_submit,
	.attach_aio_context = null_attach_aio_context,
	.detach_aio_context = null_detach_aio_context,
	.close = null_close,
};

struct BlockDriverState *bdrv_null_new(uint64_t size_bytes, bool read_zeroes, struct error *err)
{
	struct BlockDriverState *bs;
	struct null_state *s;

	if (size_bytes < BDRV_SECTOR_SIZE || size_bytes > INT64_MAX) {
		error_set(err, -EINVAL, "null: size must be between 512 bytes and 8 EiB");
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		error_set(err, -ENOMEM, "null: no memory for a block node");
		return NULL;
	}
	list_init(&s->done);
	s->read_zeroes = read_zeroes;
	bs = bdrv_new(&null_driver, s, err);
	if (!bs) {
		free(s);
		return NULL;
	}
	bs->length_bytes = ROUND_DOWN(size_bytes, BDRV_SECTOR_SIZE);
	return bs;
}
