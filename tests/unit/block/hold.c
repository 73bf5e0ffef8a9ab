// SPDX-License-Identifier: BSD-2-Clause
/* A driver that holds requests until it is told to let go, and counts what is asked of it. */
#include "fixture.h"

struct hold_state {
	struct hold hold;
	bool *gone;
};

static struct hold *hold_of(struct BlockDriverState *bs)
{
	return &((struct hold_state *)bs->opaque)->hold;
}

static void hold_submit(struct BlockDriverState *bs, struct BlkRequest *req)
{
	struct hold *hold = hold_of(bs);

	hold->submitted++;
	if (hold->pass)
		bdrv_complete_later(bs->ctx, req, 0);
	else
		list_add_tail(&req->node, &hold->held);
}

static void hold_drain_begin(struct BlockDriverState *bs)
{
	hold_of(bs)->drain_begins++;
}

static void hold_drain_end(struct BlockDriverState *bs)
{
	hold_of(bs)->drain_ends++;
}

static void hold_attach(struct BlockDriverState *bs)
{
	hold_of(bs)->attaches++;
}

static void hold_detach(struct BlockDriverState *bs)
{
	hold_of(bs)->detaches++;
}

static void hold_close(struct BlockDriverState *bs)
{
	struct hold_state *s = bs->opaque;

	assert_true(list_empty(&s->hold.held));
	if (s->gone)
		*s->gone = true;
	free(s);
}

static const struct BlockDriver hold_driver = {
	.name = "hold",
	.submit = hold_submit,
	.drain_begin = hold_drain_begin,
	.drain_end = hold_drain_end,
	.attach_aio_context = hold_attach,
	.detach_aio_context = hold_detach,
	.close = hold_close,
};

struct BlockDriverState *hold_new(struct hold **hold, bool *gone)
{
	struct hold_state *s = calloc(1, sizeof(*s));
	struct BlockDriverState *bs;
	struct error err;

	assert_non_null(s);
	list_init(&s->hold.held);
	s->gone = gone;
	if (gone)
		*gone = false;
	bs = bdrv_new(&hold_driver, s, &err);
	assert_non_null(bs);
	bs->length_bytes = HOLD_BYTES;
	s->hold.bs = bs;
	s->hold.attaches = 0; /* the one of construction is not what tests ask for */
	if (hold)
		*hold = &s->hold;
	return bs;
}

static void hold_release_bh(void *opaque)
{
	struct hold *hold = opaque;
	struct list_head held = LIST_HEAD_INIT(held);
	struct BlkRequest *req;

	list_splice_tail(&hold->held, &held);
	while (!list_empty(&held)) {
		req = list_first_entry(&held, struct BlkRequest, node);
		list_del(&req->node);
		bdrv_complete(req, 0);
	}
}

void hold_release(struct hold *hold)
{
	aio_bh_schedule_oneshot(hold->bs->ctx, hold_release_bh, hold, "hold_release");
}
