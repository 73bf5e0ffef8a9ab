// SPDX-License-Identifier: BSD-2-Clause
/*
 * The delay filter: each request, flushes too, waits on a timer of its own before it goes to the
 * child. A drain waits for the timers; none is armed while the node changes its context, and each
 * is armed anew in the context it is needed in. State belongs to the node's context.
 */
#include "block_int.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <handoff/clock.h>

struct delay_state {
	struct BdrvChild *child;
	enum bdrv_delay_law law;
	int64_t mean_ns;
	uint64_t random; /* state of splitmix64 */
};

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do, 0 too. */
static uint64_t delay_random(struct delay_state *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* -ln(u) has mean 1 for u in (0, 1]; 53 bits of u bound it by 36.8, so no overflow. */
static int64_t delay_latency_ns(struct delay_state *s)
{
	double u;

	if (s->law == BDRV_DELAY_FIXED)
		return s->mean_ns;
	u = ((delay_random(s) >> 11) + 1) * 0x1p-53;
	return (int64_t)(-log(u) * s->mean_ns);
}

static void delay_expired(void *opaque)
{
	struct BlkRequest *req = opaque;
	struct delay_state *s = bdrv_request_node(req)->opaque;

	bdrv_submit(s->child->bs, req, bdrv_complete);
}

static void delay_submit(struct BlockDriverState *bs, struct BlkRequest *req)
{
	aio_timer_init(bs->ctx, &req->timer, delay_expired, req);
	aio_timer_mod_any(&req->timer, clock_ns() + delay_latency_ns(bs->opaque));
}

static void delay_close(struct BlockDriverState *bs)
{
	free(bs->opaque);
}

static const struct BlockDriver delay_driver = {
	.name = "delay",
	.submit = delay_submit,
	.close = delay_close,
};

struct BlockDriverState *bdrv_delay_new(struct BlockDriverState *child, enum bdrv_delay_law law,
					int64_t mean_ns, uint64_t seed, struct error *err)
{
	struct BlockDriverState *bs;
	struct delay_state *s;

	if (mean_ns < 1 || mean_ns > BDRV_DELAY_MAX_NS) {
		error_set(err, -EINVAL, "delay must be between 1 ns and 60 s");
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		error_set(err, -ENOMEM, "delay: no memory for a block node");
		return NULL;
	}
	s->law = law;
	s->mean_ns = mean_ns;
	s->random = seed;
	bs = bdrv_new(&delay_driver, s, err);
	if (!bs) {
		free(s);
		return NULL;
	}
	s->child = bdrv_attach_child(bs, child, err);
	if (!s->child) {
		bdrv_unref(bs);
		return NULL;
	}
	bs->length_bytes = child->length_bytes;
	bs->read_only = child->read_only;
	bs->request_alignment = child->request_alignment;
	return bs;
}
