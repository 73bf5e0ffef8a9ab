// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bottom halves. Scheduling pushes to a lock-free stack from any thread; home takes the whole stack
 * as a slice and runs it, so what a callback schedules runs in a later turn. Rules:
 * semantics.md 1.4.
 */
#include "context.h"

#include <errno.h>
#include <stdlib.h>

enum {
	BH_PENDING = 1 << 0,   /* in bh_list or a slice */
	BH_SCHEDULED = 1 << 1, /* the callback is wanted */
	BH_DELETED = 1 << 2,   /* free it, do not call it */
	BH_ONESHOT = 1 << 3,   /* free it after the call */
	BH_IDLE = 1 << 4,      /* may wait for AIO_IDLE_BH_NS */
};

static struct QEMUBH *bh_alloc(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque,
			       const char *name)
{
	struct QEMUBH *bh = calloc(1, sizeof(*bh));

	if (!bh)
		return NULL;
	bh->ctx = ctx;
	bh->cb = cb;
	bh->opaque = opaque;
	bh->name = name;
	return bh;
}

/* The first to set PENDING owns `next` until the push; whoever comes later only adds its flags. */
static void bh_enqueue(struct QEMUBH *bh, unsigned int flags)
{
	struct AioContext *ctx = bh->ctx; /* once pushed, bh may be gone */
	unsigned int old;

	/* Release: what the caller wrote before is seen by the callback. Pairs with bh_take's
	 * acquire. */
	old = atomic_fetch_or(&bh->flags, BH_PENDING | flags);
	if (!(old & BH_PENDING)) {
		bh->next = atomic_load_explicit(&ctx->bh_list, memory_order_relaxed);
		while (!atomic_compare_exchange_weak(&ctx->bh_list, &bh->next, bh))
			;
	}
	/* The loop itself looks at the idle ones before it sleeps; waking it for its own would make
	 * it never sleep. */
	if ((flags & BH_IDLE) && aio_is_loop_thread(ctx))
		return;
	aio_notify(ctx);
}

struct QEMUBH *aio_bh_new(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque, const char *name)
{
	struct QEMUBH *bh = bh_alloc(ctx, cb, opaque, name);

	if (!bh)
		return NULL;
	pthread_mutex_lock(&ctx->lock);
	list_add_tail(&bh->node_alive, &ctx->bh_alive);
	pthread_mutex_unlock(&ctx->lock);
	return bh;
}

void aio_bh_schedule(struct QEMUBH *bh)
{
	bh_enqueue(bh, BH_SCHEDULED);
}

void aio_bh_schedule_idle(struct QEMUBH *bh)
{
	bh_enqueue(bh, BH_SCHEDULED | BH_IDLE);
}

void aio_bh_cancel(struct QEMUBH *bh)
{
	atomic_fetch_and(&bh->flags, ~BH_SCHEDULED);
}

void aio_bh_delete(struct QEMUBH *bh)
{
	bh_enqueue(bh, BH_DELETED);
}

void aio_bh_schedule_oneshot(struct AioContext *ctx, QEMUBHFunc *cb, void *opaque, const char *name)
{
	struct QEMUBH *bh = bh_alloc(ctx, cb, opaque, name);

	if (!bh)
		aio_bug("no memory for bottom half '%s'", name);
	bh_enqueue(bh, BH_SCHEDULED | BH_ONESHOT);
}

static void bh_free(struct QEMUBH *bh)
{
	/* Not list_linked(): a neighbour's thread may be writing to our node. */
	if (!(atomic_load_explicit(&bh->flags, memory_order_relaxed) & BH_ONESHOT)) {
		pthread_mutex_lock(&bh->ctx->lock);
		list_del(&bh->node_alive);
		pthread_mutex_unlock(&bh->ctx->lock);
	}
	free(bh);
}

/* First of the slice. Unlinked before PENDING goes, since from then on another thread may push it
 * again. */
static struct QEMUBH *bh_take(struct aio_bh_slice *slice, unsigned int *flags)
{
	struct QEMUBH *bh = slice->first;

	if (!bh)
		return NULL;
	slice->first = bh->next;
	bh->next = NULL;
	/* SCHEDULED goes before the callback, which may schedule again. */
	*flags = atomic_fetch_and(&bh->flags, ~(BH_PENDING | BH_SCHEDULED | BH_IDLE));
	return bh;
}

bool aio_bh_poll(struct AioContext *ctx)
{
	struct aio_bh_slice slice, *oldest;
	bool progress = false;
	struct QEMUBH *bh;
	unsigned int flags;

	if (!atomic_load(&ctx->bh_list) && list_empty(&ctx->bh_slices))
		return false;
	slice.first = atomic_exchange(&ctx->bh_list, NULL);
	list_add_tail(&slice.node, &ctx->bh_slices);
	while (!list_empty(&ctx->bh_slices)) {
		oldest = list_first_entry(&ctx->bh_slices, struct aio_bh_slice, node);
		bh = bh_take(oldest, &flags);
		if (!bh) {
			list_del(&oldest->node);
			continue;
		}
		if ((flags & (BH_SCHEDULED | BH_DELETED)) == BH_SCHEDULED) {
			progress |= !(flags & BH_IDLE);
			bh->cb(bh->opaque);
		}
		if (flags & (BH_DELETED | BH_ONESHOT))
			bh_free(bh);
	}
	return progress;
}

static int64_t bh_chain_timeout(struct QEMUBH *bh)
{
	int64_t timeout_ns = -1;

	for (; bh; bh = bh->next) {
		unsigned int flags = atomic_load(&bh->flags);

		if ((flags & (BH_SCHEDULED | BH_DELETED)) != BH_SCHEDULED)
			continue;
		if (!(flags & BH_IDLE))
			return 0;
		timeout_ns = AIO_IDLE_BH_NS;
	}
	return timeout_ns;
}

int64_t aio_bh_timeout(struct AioContext *ctx)
{
	struct aio_bh_slice *slice;
	int64_t timeout_ns;

	/* Only home takes from the stack, so what hangs below its head stays put. seq_cst: after
	 * notify_me in prepare. */
	timeout_ns = bh_chain_timeout(atomic_load(&ctx->bh_list));
	list_for_each_entry(slice, &ctx->bh_slices, node)
		timeout_ns = aio_soonest(timeout_ns, bh_chain_timeout(slice->first));
	return timeout_ns;
}

/* Context's end: frees the deleted, and aborts for one that is still alive, since its owner would
 * use a freed context. */
void aio_bh_release(struct AioContext *ctx)
{
	struct aio_bh_slice slice = { .first = atomic_exchange(&ctx->bh_list, NULL) };
	struct QEMUBH *bh;
	unsigned int flags;

	while ((bh = bh_take(&slice, &flags))) {
		if (!(flags & BH_DELETED))
			aio_bug("bottom half '%s' is alive at its context's end", bh->name);
		bh_free(bh);
	}
	if (!list_empty(&ctx->bh_alive)) {
		bh = list_first_entry(&ctx->bh_alive, struct QEMUBH, node_alive);
		aio_bug("bottom half '%s' is alive at its context's end", bh->name);
	}
}
