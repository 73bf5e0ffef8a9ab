// SPDX-License-Identifier: BSD-2-Clause
/*
 * A context as a GLib source, which is how the main context runs: GLib's wait takes the place of
 * aio_poll's. Bit 0 of notify_me belongs to it, since GLib does not promise a check for each
 * prepare (semantics.md 1.3, 1.8). Main thread, BQL held.
 */
#include "context.h"

#include <handoff/clock.h>

struct aio_source {
	GSource base;
	struct AioContext *ctx; /* which destroys the source before it goes */
};

static struct AioContext *source_context(GSource *source)
{
	return ((struct aio_source *)source)->ctx;
}

/* GLib counts in ms: up, never early. main_loop.c waits by the ns. */
static gint timeout_to_ms(int64_t timeout_ns)
{
	if (timeout_ns < 0)
		return -1;
	return MIN((timeout_ns + NS_PER_MS - 1) / NS_PER_MS, (int64_t)G_MAXINT);
}

static gboolean aio_ctx_prepare(GSource *source, gint *timeout)
{
	struct AioContext *ctx = source_context(source);
	int64_t timeout_ns;

	/* A sleep is coming. Hits of the last look stay on ctx->ready, which makes the timeout 0.
	 */
	poll_set_started(ctx, false);
	/* Full barrier (B) of aio_notify(); the work itself is looked at next. */
	atomic_store(&ctx->notify_me, atomic_load(&ctx->notify_me) | 1);
	ctx->fdmon->gsource_prepare(ctx);
	aio_uring_flush(ctx);
	timeout_ns = aio_compute_timeout(ctx);
	/* A notify since the last turn, sent before notify_me was up, left the eventfd alone; and
	 * it need not be for anything that the timeout shows (settings, an end of the loop). */
	if (atomic_load(&ctx->notified))
		timeout_ns = 0;
	*timeout = timeout_to_ms(timeout_ns);
	return timeout_ns == 0;
}

static void source_awake(struct AioContext *ctx)
{
	atomic_store_explicit(&ctx->notify_me, atomic_load(&ctx->notify_me) & ~1u,
			      memory_order_release);
	aio_notify_accept(ctx);
}

static gboolean aio_ctx_check(GSource *source)
{
	struct AioContext *ctx = source_context(source);

	source_awake(ctx);
	return ctx->fdmon->gsource_check(ctx) || aio_bh_timeout(ctx) >= 0 ||
	       !aio_compute_timeout(ctx);
}

FRAME static gboolean aio_ctx_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
	struct AioContext *ctx = source_context(source);

	source_awake(ctx); /* check is skipped when prepare said yes */
	aio_dispatch(ctx);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs aio_source_funcs = {
	.prepare = aio_ctx_prepare,
	.check = aio_ctx_check,
	.dispatch = aio_ctx_dispatch,
};

GSource *aio_get_g_source(struct AioContext *ctx)
{
	if (!ctx->source) {
		GSource *source = g_source_new(&aio_source_funcs, sizeof(struct aio_source));

		((struct aio_source *)source)->ctx = ctx;
		g_source_set_name(source, "aio-context");
		g_source_set_can_recurse(source, TRUE);
		atomic_store(&ctx->no_polling, true);
		atomic_store(&ctx->params_pending, true);
		pthread_mutex_lock(&ctx->lock);
		ctx->source = source;
		ctx->fdmon->gsource_attach(ctx);
		pthread_mutex_unlock(&ctx->lock);
	}
	return g_source_ref(ctx->source);
}

void fdmon_gsource_watch(struct AioContext *ctx, int fd)
{
	ctx->source_gpfd = (GPollFD){ .fd = fd, .events = G_IO_IN };
	g_source_add_poll(ctx->source, &ctx->source_gpfd);
}

void fdmon_gsource_unwatch(struct AioContext *ctx)
{
	g_source_remove_poll(ctx->source, &ctx->source_gpfd);
	ctx->source_gpfd.revents = 0;
}

void aio_gsource_release(struct AioContext *ctx)
{
	if (!ctx->source)
		return;
	pthread_mutex_lock(&ctx->lock);
	if (aio_has_source(ctx))
		ctx->fdmon->gsource_detach(ctx);
	pthread_mutex_unlock(&ctx->lock);
	g_source_destroy(ctx->source);
	g_source_unref(ctx->source);
	ctx->source = NULL;
}
