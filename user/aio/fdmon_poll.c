// SPDX-License-Identifier: BSD-2-Clause
/*
 * fd monitor "poll": one ppoll over all fds. The array is kept and built again only when the
 * handlers changed. Where it may, it hands over to epoll once there are many fds. Home, but update.
 */
#include "context.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/log.h>

/* lock held. */
static void gsource_add(struct AioContext *ctx, struct AioHandler *node)
{
	node->gpfd = (GPollFD){ .fd = node->fd, .events = node->events };
	g_source_add_poll(ctx->source, &node->gpfd);
}

static void poll_update(struct AioContext *ctx, struct AioHandler *old_node,
			struct AioHandler *new_node)
{
	if (!aio_has_source(ctx))
		return; /* handlers_gen tells all */
	if (old_node)
		g_source_remove_poll(ctx->source, &old_node->gpfd);
	if (new_node)
		gsource_add(ctx, new_node);
}

static bool poll_need_wait(struct AioContext *ctx)
{
	return atomic_load_explicit(&ctx->poll_disable_cnt, memory_order_relaxed) != 0;
}

/* Lists what is to be watched. A handler added meanwhile has its notify still to come. */
static void poll_rebuild(struct AioContext *ctx)
{
	struct AioHandler *node;
	unsigned int n = 0;

	pthread_mutex_lock(&ctx->lock);
	ctx->pollfds_gen = atomic_load(&ctx->handlers_gen);
	if (ctx->n_handlers > ctx->pollfds_size) {
		ctx->pollfds_size = ROUND_UP(ctx->n_handlers, 16);
		ctx->pollfds = reallocarray(ctx->pollfds, ctx->pollfds_size, sizeof(*ctx->pollfds));
		ctx->pollnodes =
			reallocarray(ctx->pollnodes, ctx->pollfds_size, sizeof(*ctx->pollnodes));
		if (!ctx->pollfds || !ctx->pollnodes)
			aio_bug("no memory for %u poll fds", ctx->pollfds_size);
	}
	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		if (aio_handler_deleted(node))
			continue;
		ctx->pollnodes[n] = node;
		ctx->pollfds[n++] = (struct pollfd){ .fd = node->fd, .events = node->events };
	}
	ctx->n_pollfds = n;
	pthread_mutex_unlock(&ctx->lock);
}

/* True if epoll has taken over. */
static bool poll_upgraded(struct AioContext *ctx)
{
	int ret;

	if (ctx->n_pollfds < AIO_EPOLL_THRESHOLD || !ctx->may_upgrade || ctx->upgrade_refused)
		return false;
	ret = fdmon_epoll_setup(ctx);
	if (!ret)
		return true;
	ctx->upgrade_refused = true;
	log_debug("event loop '%s': staying with ppoll, epoll failed: %s", ctx->stats->id,
		  strerror(-ret));
	return false;
}

static bool poll_refresh(struct AioContext *ctx)
{
	if (ctx->pollfds_gen == atomic_load(&ctx->handlers_gen))
		return false;
	poll_rebuild(ctx);
	return poll_upgraded(ctx);
}

static void poll_wait(struct AioContext *ctx, int64_t timeout_ns)
{
	struct timespec ts;
	unsigned int i;
	int n;

	if (poll_refresh(ctx)) {
		ctx->fdmon->wait(ctx, timeout_ns);
		return;
	}
	if (timeout_ns >= 0)
		ts = clock_timespec(timeout_ns);
	n = ppoll(ctx->pollfds, ctx->n_pollfds, timeout_ns < 0 ? NULL : &ts, NULL);
	/* An interrupted wait is an early one: the caller's next turn computes its timeout afresh.
	 */
	for (i = 0; n > 0 && i < ctx->n_pollfds; i++) {
		if (!ctx->pollfds[i].revents)
			continue;
		n--;
		aio_add_ready(ctx, ctx->pollnodes[i], ctx->pollfds[i].revents, false);
	}
}

static void poll_gsource_attach(struct AioContext *ctx)
{
	struct AioHandler *node;

	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		if (!aio_handler_deleted(node))
			gsource_add(ctx, node);
	}
}

static void poll_gsource_detach(struct AioContext *ctx)
{
	struct AioHandler *node;

	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		if (!aio_handler_deleted(node))
			g_source_remove_poll(ctx->source, &node->gpfd);
	}
}

static void poll_gsource_prepare(struct AioContext *ctx)
{
	if (poll_refresh(ctx))
		ctx->fdmon->gsource_prepare(ctx);
}

static bool poll_gsource_check(struct AioContext *ctx)
{
	struct AioHandler *node;

	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		if (node->gpfd.revents && !aio_handler_deleted(node))
			return true;
	}
	return false;
}

static void poll_gsource_dispatch(struct AioContext *ctx)
{
	struct AioHandler *node;

	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		short revents = node->gpfd.revents;

		if (!revents)
			continue;
		node->gpfd.revents = 0;
		if (!aio_handler_deleted(node))
			aio_add_ready(ctx, node, revents, false);
	}
}

void fdmon_poll_release(struct AioContext *ctx)
{
	free(ctx->pollfds);
	free(ctx->pollnodes);
}

const struct FDMonOps fdmon_poll_ops = {
	.id = AIO_FDMON_POLL,
	.update = poll_update,
	.need_wait = poll_need_wait,
	.wait = poll_wait,
	.gsource_attach = poll_gsource_attach,
	.gsource_detach = poll_gsource_detach,
	.gsource_prepare = poll_gsource_prepare,
	.gsource_check = poll_gsource_check,
	.gsource_dispatch = poll_gsource_dispatch,
};
