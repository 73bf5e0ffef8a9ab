// SPDX-License-Identifier: BSD-2-Clause
/*
 * Running handlers that were found ready, and a whole turn on behalf of GLib. Home. Handlers may
 * nest aio_poll, register and remove others, and remove themselves.
 */
#include "context.h"

#include <handoff/stats.h>

static void call_read(struct AioHandler *node)
{
	if (node->is_notifier)
		node->notifier_read(node->notifier);
	else
		node->io_read(node->opaque);
}

static void call_poll_ready(struct AioHandler *node)
{
	if (node->is_notifier)
		node->notifier_poll_ready(node->notifier);
	else
		node->io_poll_ready(node->opaque);
}

static bool handler_readable(const struct AioHandler *node)
{
	return node->io_read || node->notifier_read;
}

static bool call_handler(struct AioHandler *node, short revents, bool poll_ready)
{
	bool called = false;

	if ((revents & (POLLIN | POLLHUP | POLLERR)) && handler_readable(node)) {
		call_read(node);
		called = true;
	}
	if ((revents & (POLLOUT | POLLERR)) && node->io_write && !aio_handler_deleted(node)) {
		node->io_write(node->opaque);
		called = true;
	}
	/* The read handler does all that io_poll_ready would. */
	if (poll_ready && !called && !aio_handler_deleted(node)) {
		call_poll_ready(node);
		called = true;
	}
	return called;
}

/* True if something but our own notifier ran. */
static bool dispatch_handler(struct AioContext *ctx, struct AioHandler *node, struct aio_turn *turn)
{
	short revents = node->revents & node->events;
	bool poll_ready = node->poll_ready;
	bool nested = node->in_callback;
	struct AioHandler *outer = ctx->dispatching;
	bool called, idle;

	node->revents = 0;
	node->poll_ready = false;
	if (aio_handler_deleted(node))
		return false;
	node->ran_turn = turn->id;
	node->last_ran_ns = turn->now_ns;
	if (revents)
		node->poll_muted = false;
	aio_poll_list_add(ctx, node);

	node->in_callback = true;
	ctx->dispatching = node;
	called = call_handler(node, revents, poll_ready) && node != ctx->notifier_node;
	idle = node->found_none || node->woke_none;
	node->woke_none = false;
	turn->worked |= called && !idle;
	ctx->dispatching = outer;
	node->in_callback = nested;
	if (!nested)
		aio_poll_mute_idle(ctx, node);
	if (unlikely(node->look_again) && !nested) {
		node->look_again = false;
		if (!aio_handler_deleted(node) && aio_handler_poll(node))
			aio_add_ready(ctx, node, 0, true);
	}
	return called;
}

void aio_count_spurious_wake(struct AioContext *ctx)
{
	stats_inc(&ctx->row->spurious_wakes);
	if (ctx->dispatching)
		ctx->dispatching->woke_none = true;
}

/*
 * Runs those that are ready now. One that becomes ready meanwhile waits for the next turn; a nested
 * turn takes over what is left here, since it counts `dispatches` on, so nothing runs twice and a
 * nested wait cannot miss what its caller had found.
 */
FRAME bool aio_dispatch_handlers(struct AioContext *ctx, struct aio_turn *turn)
{
	uint64_t limit = ++ctx->dispatches;
	struct AioHandler *node;
	bool progress = false;

	while (!list_empty(&ctx->ready)) {
		node = list_first_entry(&ctx->ready, struct AioHandler, node_ready);
		if (node->ready_turn >= limit)
			break;
		list_del(&node->node_ready);
		progress |= dispatch_handler(ctx, node, turn);
	}
	return progress;
}

/* What GLib's wait has found, and all else that is due. Nothing here sleeps. */
FRAME void aio_dispatch(struct AioContext *ctx)
{
	struct aio_turn turn = { .id = ++ctx->turns };

	aio_assert_home(ctx, "dispatch");
	ctx->walking++;
	if (unlikely(atomic_load_explicit(&ctx->params_pending, memory_order_relaxed)))
		aio_params_apply(ctx);
	stats_inc(&ctx->row->iterations);
	ctx->fdmon->gsource_dispatch(ctx);
	aio_uring_dispatch(ctx);
	aio_bh_poll(ctx);
	aio_dispatch_handlers(ctx, &turn);
	if (!--ctx->walking)
		aio_free_deleted(ctx);
	aio_run_timers(ctx);
}
