// SPDX-License-Identifier: BSD-2-Clause
/*
 * Registration of fd handlers, by any thread, and their end, which is home's alone: a node that
 * home may be looking at is only marked, and freed when the outermost walk is over. A node is never
 * changed in place, but replaced (semantics.md 1.4).
 */
#include "context.h"

#include <stdlib.h>

struct AioHandler *aio_handler_first(const struct AioContext *ctx)
{
	return atomic_load_explicit(&ctx->handlers, memory_order_acquire);
}

struct AioHandler *aio_handler_next(const struct AioHandler *node)
{
	return atomic_load_explicit(&node->next, memory_order_acquire);
}

/* lock held. */
static struct AioHandler *handler_find(struct AioContext *ctx, int fd)
{
	struct AioHandler *node;

	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node)) {
		if (node->fd == fd && !aio_handler_deleted(node))
			return node;
	}
	return NULL;
}

static struct AioHandler *handler_alloc(int fd)
{
	struct AioHandler *node = calloc(1, sizeof(*node));

	if (!node)
		aio_bug("no memory for the handler of fd %d", fd);
	node->fd = fd;
	list_init(&node->node_ready);
	list_init(&node->node_poll);
	list_init(&node->node_update);
	list_init(&node->node_rearm);
	return node;
}

/* lock held. The release publishes the node to home's lock-free walk. */
static void handler_insert(struct AioContext *ctx, struct AioHandler *node)
{
	struct AioHandler *first;

	first = atomic_load_explicit(&ctx->handlers, memory_order_relaxed);
	atomic_store_explicit(&node->next, first, memory_order_relaxed);
	atomic_store_explicit(&ctx->handlers, node, memory_order_release);
	ctx->n_handlers++;
}

/* lock held. Home sees the mark at the latest when the notify of our caller wakes it. */
static void handler_mark_deleted(struct AioContext *ctx, struct AioHandler *node)
{
	atomic_store_explicit(&node->deleted, true, memory_order_release);
	atomic_store(&ctx->deleted_pending, true);
	ctx->n_handlers--;
}

/* Puts node (may be NULL: removal) in the place of whatever serves fd now. */
static void handler_replace(struct AioContext *ctx, int fd, struct AioHandler *node)
{
	struct AioHandler *old;

	pthread_mutex_lock(&ctx->lock);
	old = handler_find(ctx, fd);
	if (!old && !node) {
		pthread_mutex_unlock(&ctx->lock);
		return;
	}
	if (old) {
		handler_mark_deleted(ctx, old);
		if (!aio_handler_pollable(old))
			atomic_fetch_sub(&ctx->poll_disable_cnt, 1);
	}
	if (node) {
		handler_insert(ctx, node);
		if (!aio_handler_pollable(node))
			atomic_fetch_add(&ctx->poll_disable_cnt, 1);
	}
	atomic_fetch_add(&ctx->handlers_gen, 1);
	ctx->fdmon->update(ctx, old, node);
	pthread_mutex_unlock(&ctx->lock);
	if (old && aio_in_home_thread_any(ctx) && !ctx->walking)
		aio_free_deleted(ctx);
	/* The loop has to rebuild what it waits for. */
	aio_notify(ctx);
}

void aio_set_fd_handler(struct AioContext *ctx, int fd, IOHandler *io_read, IOHandler *io_write,
			AioPollFn *io_poll, IOHandler *io_poll_ready, void *opaque)
{
	struct AioHandler *node;

	if (!io_poll || !io_poll_ready)
		io_poll = NULL;
	if (!io_read && !io_write && !io_poll) {
		handler_replace(ctx, fd, NULL);
		return;
	}
	node = handler_alloc(fd);
	node->io_read = io_read;
	node->io_write = io_write;
	node->io_poll = io_poll;
	node->io_poll_ready = io_poll_ready;
	node->opaque = opaque;
	node->events =
		(io_read ? POLLIN | POLLHUP | POLLERR : 0) | (io_write ? POLLOUT | POLLERR : 0);
	handler_replace(ctx, fd, node);
}

void aio_set_event_notifier(struct AioContext *ctx, struct EventNotifier *e,
			    EventNotifierHandler *io_read, EventNotifierPollFn *io_poll,
			    EventNotifierHandler *io_poll_ready)
{
	struct AioHandler *node;

	if (!io_poll || !io_poll_ready)
		io_poll = NULL;
	if (!io_read && !io_poll) {
		handler_replace(ctx, e->fd, NULL);
		return;
	}
	node = handler_alloc(e->fd);
	node->is_notifier = true;
	node->notifier = e;
	node->notifier_read = io_read;
	node->notifier_poll = io_poll;
	node->notifier_poll_ready = io_poll_ready;
	node->events = POLLIN | POLLHUP | POLLERR;
	handler_replace(ctx, e->fd, node);
}

void aio_set_event_notifier_poll(struct AioContext *ctx, struct EventNotifier *e,
				 EventNotifierHandler *io_poll_begin,
				 EventNotifierHandler *io_poll_end)
{
	struct AioHandler *node;

	pthread_mutex_lock(&ctx->lock);
	node = handler_find(ctx, e->fd);
	if (node) {
		atomic_store(&node->io_poll_begin, io_poll_begin);
		atomic_store(&node->io_poll_end, io_poll_end);
	}
	pthread_mutex_unlock(&ctx->lock);
}

/* Our own notifier needs no io_poll: the spin looks at `notified` itself. So it does not count in
 * poll_disable_cnt. */
struct AioHandler *aio_handler_add_own_notifier(struct AioContext *ctx,
						EventNotifierHandler *notifier_read)
{
	struct AioHandler *node = handler_alloc(ctx->notifier.fd);

	node->is_notifier = true;
	node->notifier = &ctx->notifier;
	node->notifier_read = notifier_read;
	node->events = POLLIN;
	pthread_mutex_lock(&ctx->lock);
	handler_insert(ctx, node);
	atomic_fetch_add(&ctx->handlers_gen, 1);
	ctx->fdmon->update(ctx, NULL, node);
	pthread_mutex_unlock(&ctx->lock);
	return node;
}

void aio_add_ready(struct AioContext *ctx, struct AioHandler *node, short revents, bool poll_ready)
{
	node->revents |= revents;
	node->poll_ready |= poll_ready;
	if (list_linked(&node->node_ready))
		return;
	node->ready_turn = ctx->dispatches;
	list_add_tail(&node->node_ready, &ctx->ready);
}

static void handler_free(struct AioHandler *node)
{
	list_del(&node->node_ready);
	list_del(&node->node_poll);
	list_del(&node->node_update);
	list_del(&node->node_rearm);
	free(node);
}

void aio_free_deleted(struct AioContext *ctx)
{
	struct AioHandler *_Atomic *link = &ctx->handlers;
	struct AioHandler *node;

	if (likely(!atomic_load_explicit(&ctx->deleted_pending, memory_order_relaxed)))
		return;
	pthread_mutex_lock(&ctx->lock);
	atomic_store(&ctx->deleted_pending, false);
	while ((node = atomic_load_explicit(link, memory_order_relaxed))) {
		/* The kernel will still name an armed node in a CQE; that CQE raises
		 * deleted_pending again. */
		if (!aio_handler_deleted(node) || node->armed) {
			link = &node->next;
			continue;
		}
		atomic_store_explicit(link, aio_handler_next(node), memory_order_release);
		handler_free(node);
	}
	pthread_mutex_unlock(&ctx->lock);
}

/* Context's end: nobody walks, nothing is in the kernel. */
void aio_handlers_release(struct AioContext *ctx)
{
	struct AioHandler *node;

	while ((node = aio_handler_first(ctx))) {
		atomic_store(&ctx->handlers, aio_handler_next(node));
		handler_free(node);
	}
}
