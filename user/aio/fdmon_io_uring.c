// SPDX-License-Identifier: BSD-2-Clause
/*
 * fd monitor "io_uring": a one-shot POLL_ADD per handler, armed anew after each event, so events
 * are level-triggered. Arming is put off to the next enter; a handler that is being polled is not
 * armed for a spin. Spinning and watching fds mix: fd events appear in the CQ,
 * which need_wait() looks at. Home, but update.
 */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <handoff/log.h>

/* Home does it at its next enter; it learns of it by our caller's notify. */
static void uring_update(struct AioContext *ctx, struct AioHandler *old_node,
			 struct AioHandler *new_node)
{
	if (old_node && !list_linked(&old_node->node_update))
		list_add_tail(&old_node->node_update, &ctx->uring_updates);
	if (new_node)
		list_add_tail(&new_node->node_update, &ctx->uring_updates);
	atomic_store(&ctx->uring_updates_pending, true);
}

static void arm(struct AioContext *ctx, struct AioHandler *node)
{
	struct io_uring_sqe *sqe = aio_uring_get_sqe(ctx);

	if (!sqe)
		return; /* the ring has failed: ppoll takes over, from the list of handlers */
	io_uring_prep_poll_add(sqe, node->fd, (uint16_t)node->events);
	sqe->user_data = (uintptr_t)node | AIO_URING_TAG_POLL;
	node->armed = true;
}

static void disarm(struct AioContext *ctx, struct AioHandler *node)
{
	struct io_uring_sqe *sqe = aio_uring_get_sqe(ctx);

	if (sqe)
		io_uring_prep_poll_remove(sqe, (uintptr_t)node | AIO_URING_TAG_POLL);
}

static void take_updates(struct AioContext *ctx)
{
	struct AioHandler *node;

	if (likely(!atomic_load(&ctx->uring_updates_pending)))
		return;
	pthread_mutex_lock(&ctx->lock);
	atomic_store(&ctx->uring_updates_pending, false);
	while (!list_empty(&ctx->uring_updates)) {
		node = list_first_entry(&ctx->uring_updates, struct AioHandler, node_update);
		list_del(&node->node_update);
		if (!aio_handler_deleted(node))
			arm(ctx, node);
		else if (node->armed)
			disarm(ctx, node); /* its CQE, late or cancelled, sets it free */
	}
	pthread_mutex_unlock(&ctx->lock);
}

static bool may_stay_unarmed(const struct AioContext *ctx, const struct AioHandler *node)
{
	return list_linked(&node->node_poll) || aio_handler_deleted(node);
}

/* all = the loop is about to sleep: those that are polled, too. */
static void rearm(struct AioContext *ctx, bool all)
{
	struct list_head batch;
	struct AioHandler *node;

	/* arm() may submit, and thereby fire some anew: they wait for the next time, else this
	 * would not end. */
	list_init(&batch);
	list_splice_tail(&ctx->uring_rearm, &batch);
	while (!list_empty(&batch)) {
		node = list_first_entry(&batch, struct AioHandler, node_rearm);
		list_del(&node->node_rearm);
		if (!all && may_stay_unarmed(ctx, node))
			list_add_tail(&node->node_rearm, &ctx->uring_rearm);
		else if (!aio_handler_deleted(node))
			arm(ctx, node);
	}
}

void fdmon_io_uring_cqe(struct AioContext *ctx, struct AioHandler *node, int res)
{
	/* After a fall-back the nodes may be gone, and the CQE means nothing. */
	if (ctx->fdmon != &fdmon_io_uring_ops)
		return;
	node->armed = false;
	if (aio_handler_deleted(node)) {
		atomic_store(&ctx->deleted_pending, true);
		return;
	}
	switch (res) {
	case -ECANCELED: /* the thread that had armed it has ended */
	case -EINTR:
	case -EAGAIN:
	case -ENOMEM:
		break;
	default:
		if (res < 0) {
			log_warn("event loop '%s': fd %d cannot be watched: %s", ctx->stats->id,
				 node->fd, strerror(-res));
			return;
		}
		aio_add_ready(ctx, node, res, false);
	}
	list_add_tail(&node->node_rearm, &ctx->uring_rearm);
}

/* The ring refuses to work (a seccomp filter that came late, say): ppoll goes on with the same
 * handlers. */
static void fall_back(struct AioContext *ctx)
{
	struct AioHandler *node;

	log_warn("event loop '%s': going on with ppoll", ctx->stats->id);
	pthread_mutex_lock(&ctx->lock);
	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		node->armed = false;
		list_del(&node->node_rearm);
		list_del(&node->node_update);
	}
	fdmon_set(ctx, &fdmon_poll_ops);
	pthread_mutex_unlock(&ctx->lock);
	atomic_store(&ctx->deleted_pending, true);
	ctx->pollfds_gen = atomic_load(&ctx->handlers_gen) - 1;
	if (ctx->uring->in_flight)
		aio_uring_watch(ctx); /* they may still come back */
}

static void submit(struct AioContext *ctx, bool all)
{
	take_updates(ctx);
	rearm(ctx, all);
	/* The ring may also have failed where a request was queued. */
	if (ctx->uring->error || (aio_uring_has_sqes(ctx->uring) && aio_uring_enter(ctx, 0) < 0))
		fall_back(ctx);
}

static void uring_before_spin(struct AioContext *ctx)
{
	submit(ctx, false);
}

/*
 * Not for what is to be armed again: before a spin that is done already, and if there is none the
 * enter that sleeps does it too, so a turn for a bottom half in between costs no syscall.
 */
static bool uring_need_wait(struct AioContext *ctx)
{
	return aio_uring_has_cqes(ctx->uring) || aio_uring_has_sqes(ctx->uring) ||
	       ctx->uring->error ||
	       atomic_load_explicit(&ctx->uring_updates_pending, memory_order_relaxed);
}

/* One enter submits and waits. It may come back empty-handed when interrupted (5f8741fca5), so a
 * wait without end tries again. */
static void uring_wait(struct AioContext *ctx, int64_t timeout_ns)
{
	take_updates(ctx);
	rearm(ctx, true);
	if (ctx->uring->error) {
		fall_back(ctx);
		return;
	}
	if (aio_uring_has_cqes(ctx->uring))
		timeout_ns = 0;
	while (timeout_ns || aio_uring_has_sqes(ctx->uring) || aio_uring_has_deferred(ctx->uring)) {
		if (aio_uring_enter(ctx, timeout_ns) < 0) {
			fall_back(ctx);
			return;
		}
		if (timeout_ns >= 0 || aio_uring_has_cqes(ctx->uring))
			break;
	}
	aio_uring_reap(ctx);
}

static void uring_gsource_attach(struct AioContext *ctx)
{
	fdmon_gsource_watch(ctx, ctx->uring->ring.ring_fd);
}

static void uring_gsource_prepare(struct AioContext *ctx)
{
	submit(ctx, true);
}

/* The CQ too: completions may have come while prepare submitted (961fcc0f22). */
static bool uring_gsource_check(struct AioContext *ctx)
{
	return ctx->source_gpfd.revents || aio_uring_has_cqes(ctx->uring);
}

static void uring_gsource_dispatch(struct AioContext *ctx)
{
	ctx->source_gpfd.revents = 0;
	uring_wait(ctx, 0);
}

int fdmon_io_uring_setup(struct AioContext *ctx, struct error *err)
{
	int ret = aio_uring_create(ctx, true, err);

	if (ret)
		return ret;
	pthread_mutex_lock(&ctx->lock);
	fdmon_set(ctx, &fdmon_io_uring_ops);
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

const struct FDMonOps fdmon_io_uring_ops = {
	.id = AIO_FDMON_IO_URING,
	.mixed_polling = true,
	.update = uring_update,
	.before_spin = uring_before_spin,
	.need_wait = uring_need_wait,
	.wait = uring_wait,
	.gsource_attach = uring_gsource_attach,
	.gsource_detach = fdmon_gsource_unwatch,
	.gsource_prepare = uring_gsource_prepare,
	.gsource_check = uring_gsource_check,
	.gsource_dispatch = uring_gsource_dispatch,
};
