// SPDX-License-Identifier: BSD-2-Clause
/*
 * Timers of a context: a list sorted by expiry under a small lock, so any thread can move one
 * without allocation. The earliest expiry is also kept in an atomic, which is all a turn looks at.
 * Search from the end: most deadlines are the latest yet.
 */
#include "context.h"

#include <handoff/clock.h>

static struct AioTimer *timer_at(struct list_head *node)
{
	return list_entry(node, struct AioTimer, node);
}

/* timer_lock held. */
static void timers_publish_first(struct AioContext *ctx)
{
	struct list_head *head =
		list_empty(&ctx->timers_expired) ? &ctx->timers : &ctx->timers_expired;

	atomic_store(&ctx->timer_first_ns,
		     list_empty(head) ? INT64_MAX : timer_at(head->next)->expire_ns);
}

void aio_timer_init(struct AioContext *ctx, struct AioTimer *timer, QEMUBHFunc *cb, void *opaque)
{
	*timer = (struct AioTimer){ .ctx = ctx, .cb = cb, .opaque = opaque, .expire_ns = -1 };
	list_init(&timer->node);
}

void aio_timer_set_context(struct AioTimer *timer, struct AioContext *ctx)
{
	if (timer->expire_ns >= 0)
		aio_bug("an armed timer cannot change its context");
	timer->ctx = ctx;
}

void aio_timer_mod_any(struct AioTimer *timer, int64_t expire_ns)
{
	struct AioContext *ctx = timer->ctx;
	struct list_head *pos;
	bool earlier;

	if (expire_ns < 0)
		expire_ns = 0;
	pthread_mutex_lock(&ctx->timer_lock);
	if (timer->expire_ns >= 0)
		list_del(&timer->node);
	timer->expire_ns = expire_ns;
	for (pos = ctx->timers.prev; pos != &ctx->timers; pos = pos->prev) {
		if (timer_at(pos)->expire_ns <= expire_ns)
			break;
	}
	list_add(&timer->node, pos);
	earlier = expire_ns < atomic_load_explicit(&ctx->timer_first_ns, memory_order_relaxed);
	timers_publish_first(ctx);
	pthread_mutex_unlock(&ctx->timer_lock);
	/* The loop's own thread computes its timeout afresh before it sleeps. */
	if (earlier && !aio_is_loop_thread(ctx))
		aio_notify(ctx);
}

void aio_timer_del(struct AioTimer *timer)
{
	struct AioContext *ctx = timer->ctx;

	pthread_mutex_lock(&ctx->timer_lock);
	if (timer->expire_ns >= 0) {
		list_del(&timer->node);
		timer->expire_ns = -1;
		timers_publish_first(ctx);
	}
	pthread_mutex_unlock(&ctx->timer_lock);
}

/*
 * Those due now move to a second list, which a nested turn empties too; one that a callback arms
 * anew waits for the next turn, even if it is due at once.
 */
bool aio_run_timers(struct AioContext *ctx)
{
	struct AioTimer *timer;
	bool progress = false;
	int64_t now_ns;

	if (atomic_load_explicit(&ctx->timer_first_ns, memory_order_relaxed) == INT64_MAX)
		return false;
	now_ns = clock_ns();
	if (atomic_load_explicit(&ctx->timer_first_ns, memory_order_relaxed) > now_ns)
		return false;
	pthread_mutex_lock(&ctx->timer_lock);
	while (!list_empty(&ctx->timers) && timer_at(ctx->timers.next)->expire_ns <= now_ns) {
		timer = timer_at(ctx->timers.next);
		list_del(&timer->node);
		list_add_tail(&timer->node, &ctx->timers_expired);
	}
	while (!list_empty(&ctx->timers_expired)) {
		timer = timer_at(ctx->timers_expired.next);
		list_del(&timer->node);
		timer->expire_ns = -1;
		timers_publish_first(ctx);
		pthread_mutex_unlock(&ctx->timer_lock);
		/* From here the callback may free the timer. */
		timer->cb(timer->opaque);
		progress = true;
		pthread_mutex_lock(&ctx->timer_lock);
	}
	timers_publish_first(ctx);
	pthread_mutex_unlock(&ctx->timer_lock);
	return progress;
}
