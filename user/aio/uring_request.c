// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests on a context's ring. Where the ring is not the fd monitor it is made at the first use
 * and hangs in the context as a handler that can be polled: its fd is readable, and its CQ not
 * empty, when a request is done. Home thread.
 */
#include "uring.h"

#include <errno.h>
#include <handoff/log.h>

static bool uring_is_fdmon(const struct AioContext *ctx)
{
	return ctx->fdmon == &fdmon_io_uring_ops;
}

static bool ring_poll(void *opaque)
{
	struct AioContext *ctx = opaque;

	return aio_uring_has_cqes(ctx->uring);
}

static void ring_ready(void *opaque)
{
	struct AioContext *ctx = opaque;

	if (aio_uring_has_deferred(ctx->uring))
		aio_uring_enter(ctx, 0);
	aio_uring_reap(ctx);
	aio_uring_dispatch(ctx);
	/* A ring that has failed may stay readable for ever. */
	if (ctx->uring->error && !ctx->uring->in_flight)
		aio_set_fd_handler(ctx, ctx->uring->ring.ring_fd, NULL, NULL, NULL, NULL, NULL);
}

void aio_uring_watch(struct AioContext *ctx)
{
	aio_set_fd_handler(ctx, ctx->uring->ring.ring_fd, ring_ready, NULL, ring_poll, ring_ready,
			   ctx);
}

int aio_uring_setup(struct AioContext *ctx)
{
	int ret;

	if (ctx->uring)
		return ctx->uring->error;
	ret = aio_uring_create(ctx, false, NULL);
	if (ret)
		return ret;
	aio_uring_watch(ctx);
	return 0;
}

/* Like a failed CQE: reported in a later turn, never inline. */
static void request_fail(struct AioContext *ctx, struct CqeHandler *handler, int error)
{
	handler->res = error;
	handler->flags = 0;
	list_add_tail(&handler->node, &ctx->cqe_done);
}

void aio_add_sqe(struct AioContext *ctx, void (*prep)(struct io_uring_sqe *sqe, void *opaque),
		 void *opaque, struct CqeHandler *handler)
{
	struct io_uring_sqe *sqe = NULL;
	int ret;

	aio_assert_home(ctx, "aio_add_sqe");
	ret = aio_uring_setup(ctx);
	if (!ret) {
		sqe = aio_uring_get_sqe(ctx);
		ret = ctx->uring->error;
	}
	if (sqe) {
		prep(sqe, opaque);
		sqe->user_data = (uintptr_t)handler;
		ctx->uring->in_flight++;
	} else {
		request_fail(ctx, handler, ret);
	}
	/* A vCPU thread may have queued it while the main thread sleeps in its own wait: it is to
	 * submit it now (2ae361ef1d). */
	if (ctx->shared_by_bql && !aio_is_loop_thread(ctx))
		aio_notify(ctx);
}

bool aio_uring_dispatch(struct AioContext *ctx)
{
	struct CqeHandler *handler;
	bool progress = false;

	/* A nested turn takes over what is left; what fails at once meanwhile waits for the next
	 * turn. */
	list_splice_tail(&ctx->cqe_done, &ctx->cqe_running);
	while (!list_empty(&ctx->cqe_running)) {
		handler = list_first_entry(&ctx->cqe_running, struct CqeHandler, node);
		list_del(&handler->node);
		handler->cb(handler);
		progress = true;
	}
	return progress;
}

void aio_uring_flush(struct AioContext *ctx)
{
	if (!ctx->uring || uring_is_fdmon(ctx) || !aio_uring_has_sqes(ctx->uring))
		return;
	aio_uring_enter(ctx, 0);
}
