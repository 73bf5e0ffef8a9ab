// SPDX-License-Identifier: BSD-2-Clause
/*
 * aio_poll: one turn of a loop. Spin if it pays, else sleep; then run what was found: completions,
 * bottom halves, handlers, timers. Phases and why they have this order: semantics.md 1.2. Home
 * thread; may be nested in any callback.
 */
#include "context.h"

#include <handoff/clock.h>
#include <handoff/stats.h>
#include "account.h"

/* A vCPU thread runs a turn of the main context: the main loop's row keeps telling what the main
 * thread does. */
static bool turn_is_foreign(const struct AioContext *ctx)
{
	return ctx->shared_by_bql && !aio_is_loop_thread(ctx);
}

static void sleep_begin(struct AioContext *ctx, struct aio_turn *turn)
{
	stats_inc(&ctx->row->blocks);
	loop_account(ctx->row, &ctx->row->handling_ns, STATS_PHASE_BLOCKED, turn->now_ns);
	if (ctx->measuring)
		aio_cost_sleep_begin(ctx, turn);
}

static void sleep_end(struct AioContext *ctx, struct aio_turn *turn, int64_t begin_ns)
{
	turn->slept = true;
	if (turn->timed)
		turn->now_ns = clock_ns();
	loop_account(ctx->row, &ctx->row->blocked_ns, STATS_PHASE_HANDLING, turn->now_ns);
	if (ctx->measuring)
		aio_cost_sleep_end(ctx, turn, begin_ns);
}

/*
 * Sleeps at most timeout_ns, or just looks. notify_me is up from before the last look at `notified`
 * until after the sleep. The one rule above all: no sleep in poll mode. True if leaving poll mode
 * found work.
 */
static bool wait_for_events(struct AioContext *ctx, struct aio_turn *turn, int64_t timeout_ns,
			    bool look)
{
	bool may_sleep = timeout_ns != 0;
	bool progress = false;
	int64_t begin_ns = turn->now_ns;

	if (may_sleep) {
		/* Full barrier (B) of aio_notify(); a plain addition, since home alone writes
		 * notify_me. */
		atomic_store(&ctx->notify_me, atomic_load(&ctx->notify_me) + 2);
		if (atomic_load(&ctx->notified)) {
			timeout_ns = 0;
		} else if (poll_set_started(ctx, false)) {
			timeout_ns = 0;
			progress = true;
		}
	}
	if (timeout_ns || look || ctx->fdmon->need_wait(ctx)) {
		if (timeout_ns)
			sleep_begin(ctx, turn);
		ctx->fdmon->wait(ctx, timeout_ns);
		if (timeout_ns)
			sleep_end(ctx, turn, begin_ns);
		ctx->blind_turns = 0;
	}
	if (may_sleep)
		atomic_store_explicit(&ctx->notify_me, atomic_load(&ctx->notify_me) - 2,
				      memory_order_release);
	return progress;
}

/* Everything that was found. What runs here is not part of the wait that the policy judges. */
static bool run_found(struct AioContext *ctx, struct aio_turn *turn)
{
	bool progress;

	/* Before the first look at any work, else a wake-up for work that we miss now would be
	 * lost. */
	aio_notify_accept(ctx);
	progress = aio_uring_dispatch(ctx);
	progress |= aio_bh_poll(ctx);
	turn->worked = progress;
	progress |= aio_dispatch_handlers(ctx, turn);
	aio_poll_learn(ctx, turn);
	return progress;
}

static void turn_begin(struct AioContext *ctx, struct aio_turn *turn)
{
	aio_assert_home(ctx, "aio_poll");
	ctx->walking++;
	if (unlikely(atomic_load_explicit(&ctx->params_pending, memory_order_relaxed)))
		aio_params_apply(ctx);
	stats_inc(&ctx->row->iterations);
	*turn = (struct aio_turn){
		.id = ++ctx->turns,
		.arrival_ns = -1,
		.timed = aio_polling_enabled(ctx) || stats_armed(),
	};
	if (turn->timed)
		turn->start_ns = turn->now_ns = clock_ns();
	aio_uring_flush(ctx);
}

FRAME bool aio_poll(struct AioContext *ctx, bool blocking)
{
	struct stats_loop *row = ctx->row;
	bool foreign = turn_is_foreign(ctx);
	struct aio_turn turn;
	int64_t timeout_ns;
	bool progress, look;

	if (unlikely(foreign))
		ctx->row = &ctx->foreign_row;
	turn_begin(ctx, &turn);
	timeout_ns = blocking ? aio_compute_timeout(ctx) : 0;
	/* Even while work never ends, every source is looked at now and then; a caller who will not
	 * wait wants it now. */
	look = !blocking || ++ctx->blind_turns >= AIO_BLIND_TURNS_MAX;
	if (look && aio_poll_handlers_once(ctx))
		timeout_ns = 0;
	progress = try_poll_mode(ctx, &turn, &timeout_ns);
	progress |= wait_for_events(ctx, &turn, timeout_ns, look);
	aio_poll_begin_early(ctx, &turn);
	progress |= run_found(ctx, &turn);
	if (!--ctx->walking)
		aio_free_deleted(ctx);
	progress |= aio_run_timers(ctx);
	if (unlikely(foreign)) {
		ctx->row = row;
		/* We may have taken a wake-up, or set a timer, that the main thread in its own wait
		 * does not know of. */
		if (!ctx->walking)
			aio_notify(ctx);
	}
	return progress;
}
