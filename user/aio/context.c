// SPDX-License-Identifier: BSD-2-Clause
/*
 * An AioContext's life, whose it is, and the wake-up protocol. Neighbours: handler.c, bh.c, timer.c
 * and uring.c hold what a context consists of, aio_poll.c and gsource.c run it, fdmon_*.c wait for
 * it.
 */
#include "context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/bql.h>
#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>
#include <handoff/stats.h>

/* The thread's own loop. Initial-exec: read on hot paths, and we are never dlopened. */
static _Thread_local struct AioContext *my_context __attribute__((tls_model("initial-exec")));

void aio_bug(const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("event loop: %s: a bug", text);
	abort();
}

/* --- whose is it ------------------------------------------------------------------------------ */

struct AioContext *aio_current_context_any(void)
{
	if (my_context)
		return my_context;
	return bql_locked() ? main_loop_aio_context_any() : NULL;
}

void aio_set_current_context(struct AioContext *ctx)
{
	my_context = ctx;
	if (!ctx)
		return;
	atomic_store(&ctx->claimed, true);
	__atomic_store_n(&ctx->stats->tid, gettid(), __ATOMIC_RELAXED);
}

bool aio_in_home_thread_any(const struct AioContext *ctx)
{
	return aio_current_context_any() == ctx;
}

struct stats_loop *aio_context_stats(const struct AioContext *ctx)
{
	return ctx->stats;
}

bool aio_is_loop_thread(const struct AioContext *ctx)
{
	return my_context == ctx;
}

/* A context that nobody has claimed is its creator's business. */
void aio_assert_home(const struct AioContext *ctx, const char *what)
{
	if (unlikely(my_context != ctx) &&
	    atomic_load_explicit(&ctx->claimed, memory_order_relaxed) &&
	    !aio_in_home_thread_any(ctx))
		aio_bug("%s of loop '%s' in a thread that is neither its home nor holds the BQL",
			what, ctx->stats->id);
}

/* --- wake-up protocol ------------------------------------------------------------------------- */

/*
 *   waker, any thread                         sleeper, home
 *     publish work                              notify_me += 2        (B)
 *     notified = true          (A)              if notified: do not sleep
 *     if notify_me: write eventfd               sleep on the eventfd among others
 *                                               notify_me -= 2; notified = false; look at the work
 *
 * (A) before the load of notify_me and (B) before the load of notified must both be full barriers,
 * else each side misses the other's store: all four accesses are seq_cst. The eventfd may be left
 * set, or notified be set for work already done: then a turn finds nothing, once. Never skip the
 * eventfd because notified is set already (semantics.md 1.3).
 */
void aio_notify(struct AioContext *ctx)
{
	atomic_store(&ctx->notified, true);
	if (atomic_load(&ctx->notify_me)) {
		if (unlikely(atomic_load_explicit(&ctx->stamps_wanted, memory_order_relaxed)))
			aio_cost_stamp(ctx);
		event_notifier_set(&ctx->notifier);
		__atomic_fetch_add(&ctx->stats->notifies, 1, __ATOMIC_RELAXED);
	} else {
		/* The only two counters of the row with many writers. */
		__atomic_fetch_add(&ctx->stats->kicks_suppressed, 1, __ATOMIC_RELAXED);
	}
}

/*
 * Before anything is looked at: a waker that publishes after the look sets notified again. An
 * exchange, not a store: it reads what it overwrites, so what that waker published with less than
 * seq_cst is seen, too. Skipping it while notified is false is safe, and spares the polled path a
 * full barrier: a waker that has not stored yet will, and the next turn does not sleep.
 */
void aio_notify_accept(struct AioContext *ctx)
{
	if (atomic_load(&ctx->notified))
		atomic_exchange(&ctx->notified, false);
}

int64_t aio_compute_timeout(struct AioContext *ctx)
{
	int64_t timeout_ns, first_ns, left_ns;

	if (!list_empty(&ctx->ready) || !list_empty(&ctx->cqe_done) ||
	    !list_empty(&ctx->cqe_running))
		return 0;
	timeout_ns = aio_bh_timeout(ctx);
	if (!timeout_ns)
		return 0;
	first_ns = atomic_load(&ctx->timer_first_ns);
	if (first_ns == INT64_MAX)
		return timeout_ns;
	/* Read once: a clock passing first_ns between two looks would give -1, for ever. */
	left_ns = first_ns - clock_ns();
	return aio_soonest(timeout_ns, MAX(left_ns, 0));
}

/* --- life ------------------------------------------------------------------------------------- */

static void notifier_read(struct EventNotifier *e)
{
	event_notifier_test_and_clear(e);
}

static void context_init(struct AioContext *ctx, const struct aio_context_config *config)
{
	atomic_init(&ctx->refs, 1);
	atomic_init(&ctx->timer_first_ns, INT64_MAX);
	ctx->epoll_fd = -1;
	ctx->stats = config->stats ? config->stats : &ctx->own_row;
	ctx->row = ctx->stats;
	if (!config->stats)
		snprintf(ctx->own_row.id, sizeof(ctx->own_row.id), "(unnamed)");
	pthread_mutex_init(&ctx->lock, NULL);
	pthread_mutex_init(&ctx->timer_lock, NULL);
	list_init(&ctx->ready);
	list_init(&ctx->bh_slices);
	list_init(&ctx->bh_alive);
	list_init(&ctx->poll_handlers);
	list_init(&ctx->uring_rearm);
	list_init(&ctx->uring_updates);
	list_init(&ctx->cqe_done);
	list_init(&ctx->cqe_running);
	list_init(&ctx->timers);
	list_init(&ctx->timers_expired);
	aio_params_init(ctx);
}

/* The main loop's wait is GLib's ppoll: a ring beside it would only add a hop. It may grow into
 * epoll all the same. */
static int context_choose_fdmon(struct AioContext *ctx, enum aio_fdmon wanted, struct error *err)
{
	int ret;

	fdmon_set(ctx, &fdmon_poll_ops);
	switch (wanted) {
	case AIO_FDMON_POLL:
		return 0;
	case AIO_FDMON_IO_URING:
		return fdmon_io_uring_setup(ctx, err);
	case AIO_FDMON_EPOLL:
		ret = fdmon_epoll_setup(ctx);
		return ret ? error_set(err, ret, "event loop: epoll does not work here: %s",
				       strerror(-ret))
			   : 0;
	case AIO_FDMON_AUTO:
		break;
	}
	ctx->may_upgrade = true;
	if (!ctx->shared_by_bql && fdmon_io_uring_setup(ctx, NULL) < 0)
		log_debug("event loop: io_uring does not work here, using ppoll and epoll");
	return 0;
}

struct AioContext *aio_context_new_flags(const struct aio_context_config *config, bool threaded,
					 bool shared_by_bql, struct error *err)
{
	static const struct aio_context_config defaults;
	struct AioContext *ctx = aligned_alloc(64, ROUND_UP(sizeof(*ctx), 64));
	int ret;

	if (!ctx) {
		error_set(err, -ENOMEM, "event loop: no memory");
		return NULL;
	}
	memset(ctx, 0, sizeof(*ctx));
	if (!config)
		config = &defaults;
	context_init(ctx, config);
	ctx->threaded = threaded;
	ctx->shared_by_bql = shared_by_bql;
	ret = event_notifier_init(&ctx->notifier, false);
	if (ret) {
		error_set(err, ret, "event loop: no eventfd: %s", strerror(-ret));
		free(ctx);
		return NULL;
	}
	if (context_choose_fdmon(ctx, config->fdmon, err) < 0) {
		event_notifier_release(&ctx->notifier);
		free(ctx);
		return NULL;
	}
	ctx->notifier_node = aio_handler_add_own_notifier(ctx, notifier_read);
	return ctx;
}

struct AioContext *aio_context_new(const struct aio_context_config *config, struct error *err)
{
	return aio_context_new_flags(config, false, false, err);
}

void aio_context_ref(struct AioContext *ctx)
{
	atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
}

static void context_free(struct AioContext *ctx)
{
	if (ctx->walking)
		aio_bug("loop '%s' freed from inside a turn of its own", ctx->stats->id);
	aio_bh_release(ctx);
	if (atomic_load(&ctx->timer_first_ns) != INT64_MAX)
		aio_bug("a timer is armed at its context's end");
	aio_gsource_release(ctx);
	aio_uring_release(ctx);
	fdmon_epoll_release(ctx);
	aio_handlers_release(ctx);
	fdmon_poll_release(ctx);
	event_notifier_release(&ctx->notifier);
	pthread_mutex_destroy(&ctx->lock);
	pthread_mutex_destroy(&ctx->timer_lock);
	if (my_context == ctx)
		my_context = NULL;
	free(ctx);
}

void aio_context_unref(struct AioContext *ctx)
{
	if (ctx && atomic_fetch_sub(&ctx->refs, 1) == 1)
		context_free(ctx);
}

/* --- fd monitor ------------------------------------------------------------------------------- */

/* Home, lock held. What the handlers need in the new monitor is the caller's business, but for
 * GLib's share. */
void fdmon_set(struct AioContext *ctx, const struct FDMonOps *ops)
{
	if (aio_has_source(ctx))
		ctx->fdmon->gsource_detach(ctx);
	ctx->fdmon = ops;
	atomic_store(&ctx->fdmon_id, ops->id);
	if (aio_has_source(ctx))
		ops->gsource_attach(ctx);
}

enum aio_fdmon aio_context_fdmon(const struct AioContext *ctx)
{
	return atomic_load(&ctx->fdmon_id);
}

const char *aio_fdmon_name(enum aio_fdmon fdmon)
{
	switch (fdmon) {
	case AIO_FDMON_AUTO:
		return "auto";
	case AIO_FDMON_POLL:
		return "poll";
	case AIO_FDMON_EPOLL:
		return "epoll";
	case AIO_FDMON_IO_URING:
		return "io_uring";
	}
	return "?";
}
