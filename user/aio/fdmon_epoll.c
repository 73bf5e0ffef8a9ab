// SPDX-License-Identifier: BSD-2-Clause
/*
 * fd monitor "epoll": for contexts with many fds. Any failure to watch an fd ends it: home goes
 * back to ppoll, for good, and since ppoll works from the list of handlers no fd is lost. Home, but
 * update.
 */
#include "context.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/log.h>

#define EPOLL_BATCH 128

/* poll(2) and epoll(7) name the same bits. */
_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR &&
		       EPOLLHUP == POLLHUP,
	       "events are passed through");

static int epoll_control(int epoll_fd, int op, struct AioHandler *node)
{
	struct epoll_event event = { .events = (uint16_t)node->events, .data.ptr = node };

	return epoll_ctl(epoll_fd, op, node->fd, &event) < 0 ? -errno : 0;
}

static void epoll_update(struct AioContext *ctx, struct AioHandler *old_node,
			 struct AioHandler *new_node)
{
	int ret = 0;

	if (new_node)
		ret = epoll_control(ctx->epoll_fd, old_node ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
				    new_node);
	else if (old_node)
		epoll_control(ctx->epoll_fd, EPOLL_CTL_DEL, old_node); /* gone already = fine */
	/* Home may be sleeping on it right now: our caller's notify wakes it, it then sees the
	 * flag. */
	if (ret)
		atomic_store(&ctx->epoll_failed, true);
}

static void epoll_downgrade(struct AioContext *ctx)
{
	log_info("event loop '%s': an fd cannot be watched by epoll, going back to ppoll",
		 ctx->stats->id);
	ctx->upgrade_refused = true;
	pthread_mutex_lock(&ctx->lock);
	fdmon_set(ctx, &fdmon_poll_ops);
	pthread_mutex_unlock(&ctx->lock);
	fdmon_epoll_release(ctx);
	atomic_store(&ctx->epoll_failed, false);
	ctx->pollfds_gen = atomic_load(&ctx->handlers_gen) - 1; /* stale by any measure */
}

static bool epoll_need_wait(struct AioContext *ctx)
{
	return atomic_load_explicit(&ctx->poll_disable_cnt, memory_order_relaxed) != 0 ||
	       atomic_load_explicit(&ctx->epoll_failed, memory_order_relaxed);
}

/* epoll_pwait2 takes ns (Linux 5.11); before it, ppoll on the epoll fd does the sleeping. */
static int epoll_wait_ns(struct AioContext *ctx, struct epoll_event *events, int64_t timeout_ns)
{
	struct timespec ts = clock_timespec(MAX(timeout_ns, 0));
	struct timespec *timeout = timeout_ns < 0 ? NULL : &ts;
	struct pollfd pfd = { .fd = ctx->epoll_fd, .events = POLLIN };
	int n;

	if (!ctx->no_epoll_pwait2) {
		n = epoll_pwait2(ctx->epoll_fd, events, EPOLL_BATCH, timeout, NULL);
		if (n >= 0 || errno != ENOSYS)
			return n;
		ctx->no_epoll_pwait2 = true;
	}
	if (ppoll(&pfd, 1, timeout, NULL) <= 0)
		return 0;
	return epoll_wait(ctx->epoll_fd, events, EPOLL_BATCH, 0);
}

static void epoll_take(struct AioContext *ctx, int64_t timeout_ns)
{
	struct epoll_event events[EPOLL_BATCH];
	int i, n = epoll_wait_ns(ctx, events, timeout_ns);

	/* A node of another thread came to us through the kernel: acquire, pairs with
	 * handler_replace()'s change. */
	atomic_load(&ctx->handlers_gen);
	for (i = 0; i < n; i++)
		aio_add_ready(ctx, events[i].data.ptr, events[i].events, false);
}

static void epoll_wait_events(struct AioContext *ctx, int64_t timeout_ns)
{
	if (unlikely(atomic_load(&ctx->epoll_failed))) {
		epoll_downgrade(ctx);
		ctx->fdmon->wait(ctx, timeout_ns);
		return;
	}
	epoll_take(ctx, timeout_ns);
}

static void epoll_gsource_attach(struct AioContext *ctx)
{
	fdmon_gsource_watch(ctx, ctx->epoll_fd);
}

static void epoll_gsource_prepare(struct AioContext *ctx)
{
	if (unlikely(atomic_load(&ctx->epoll_failed))) {
		epoll_downgrade(ctx);
		ctx->fdmon->gsource_prepare(ctx);
	}
}

static bool epoll_gsource_check(struct AioContext *ctx)
{
	return ctx->source_gpfd.revents != 0;
}

static void epoll_gsource_dispatch(struct AioContext *ctx)
{
	if (!ctx->source_gpfd.revents)
		return;
	ctx->source_gpfd.revents = 0;
	epoll_take(ctx, 0);
}

int fdmon_epoll_setup(struct AioContext *ctx)
{
	struct AioHandler *node;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int ret = 0;

	if (epoll_fd < 0)
		return -errno;
	/* One stretch under the lock, so no handler falls between list and set (QEMU lost one
	 * there, e62da98527). */
	pthread_mutex_lock(&ctx->lock);
	for (node = aio_handler_first(ctx); node && !ret; node = aio_handler_next(node)) {
		if (!aio_handler_deleted(node))
			ret = epoll_control(epoll_fd, EPOLL_CTL_ADD, node);
	}
	if (!ret) {
		ctx->epoll_fd = epoll_fd;
		fdmon_set(ctx, &fdmon_epoll_ops);
	}
	pthread_mutex_unlock(&ctx->lock);
	if (ret)
		close(epoll_fd);
	return ret;
}

void fdmon_epoll_release(struct AioContext *ctx)
{
	if (ctx->epoll_fd >= 0)
		close(ctx->epoll_fd);
	ctx->epoll_fd = -1;
}

const struct FDMonOps fdmon_epoll_ops = {
	.id = AIO_FDMON_EPOLL,
	.update = epoll_update,
	.need_wait = epoll_need_wait,
	.wait = epoll_wait_events,
	.gsource_attach = epoll_gsource_attach,
	.gsource_detach = fdmon_gsource_unwatch,
	.gsource_prepare = epoll_gsource_prepare,
	.gsource_check = epoll_gsource_check,
	.gsource_dispatch = epoll_gsource_dispatch,
};
