// SPDX-License-Identifier: BSD-2-Clause
/*
 * Poll mode: notifications of the polled handlers are off, and the loop spins on their io_poll
 * before it sleeps. The mode begins with a spin, or right after a sleep if a spin is to come; it is
 * left right before sleeping and not earlier, so a loop that always finds work in time never turns
 * them on. Home. semantics.md 1.5.
 */
#include "context.h"

#include <handoff/clock.h>
#include <handoff/probes.h>
#include "account.h"

bool aio_polling_enabled(const struct AioContext *ctx)
{
	return ctx->poll_params.max_ns > 0 &&
	       !atomic_load_explicit(&ctx->no_polling, memory_order_relaxed);
}

static void handler_poll_begin(struct AioHandler *node)
{
	EventNotifierHandler *fn = atomic_load_explicit(&node->io_poll_begin, memory_order_relaxed);

	if (node->poll_begun)
		return;
	node->poll_begun = true;
	if (fn)
		fn(node->notifier);
}

/*
 * Notifications on, then one more look: what arrived before they were on has sent none. A handler
 * that is being run by an outer turn is looked at when it returns.
 */
static bool handler_poll_end(struct AioContext *ctx, struct AioHandler *node)
{
	EventNotifierHandler *fn = atomic_load_explicit(&node->io_poll_end, memory_order_relaxed);

	if (!node->poll_begun)
		return false;
	node->poll_begun = false;
	if (fn)
		fn(node->notifier);
	if (node->in_callback) {
		node->look_again = true;
		return false;
	}
	if (!aio_handler_poll(node))
		return false;
	aio_add_ready(ctx, node, 0, true);
	return true;
}

/* A handler is polled from its first event on. */
void aio_poll_list_add(struct AioContext *ctx, struct AioHandler *node)
{
	if (list_linked(&node->node_poll) || !aio_handler_pollable(node) || node->poll_muted ||
	    !aio_polling_enabled(ctx))
		return;
	list_add(&node->node_poll, &ctx->poll_handlers);
	if (ctx->poll_started)
		handler_poll_begin(node);
}

void aio_count_idle_poll(struct AioContext *ctx)
{
	if (ctx->dispatching)
		ctx->dispatching->found_none = true;
}

/* Left in the list it would end each spin at once, and the loop would be all spins: it goes back to
 * its fd. The look that must follow runs it once more at most, as it is in the list no longer. */
void aio_poll_mute_idle(struct AioContext *ctx, struct AioHandler *node)
{
	if (!node->found_none) {
		node->idle_polls = 0;
		return;
	}
	node->found_none = false;
	if (++node->idle_polls < AIO_IDLE_POLLS_MAX || !list_linked(&node->node_poll))
		return;
	node->idle_polls = 0;
	node->poll_muted = true;
	list_del(&node->node_poll);
	if (!aio_handler_deleted(node))
		handler_poll_end(ctx, node);
}

/* Polling was switched off: all fall back to their fds. */
void aio_poll_list_clear(struct AioContext *ctx)
{
	struct AioHandler *node, *tmp;

	poll_set_started(ctx, false);
	list_for_each_entry_safe(node, tmp, &ctx->poll_handlers, node_poll)
		list_del(&node->node_poll);
}

bool aio_poll_handlers_once(struct AioContext *ctx)
{
	struct AioHandler *node;
	bool progress = false;

	list_for_each_entry(node, &ctx->poll_handlers, node_poll) {
		if (aio_handler_deleted(node) || node->in_callback || !aio_handler_poll(node))
			continue;
		aio_add_ready(ctx, node, 0, true);
		progress = true;
	}
	return progress;
}

/* Before the first spin of a poll mode: from now on the queues are looked at all the time. */
static void tell_poll_begin(struct AioContext *ctx, int64_t max_ns)
{
	if (ctx->poll_told)
		return;
	ctx->poll_told = true;
	ctx->poll_spun_ns = 0;
	stats_inc(&ctx->row->poll_begins);
	HANDOFF_PROBE2(poll_begin, ctx->row->tid, max_ns);
}

FRAME bool poll_set_started(struct AioContext *ctx, bool started)
{
	struct AioHandler *node;
	bool progress = false;

	if (started == ctx->poll_started)
		return false;
	ctx->poll_started = started;
	if (!started && ctx->poll_told) {
		ctx->poll_told = false;
		stats_inc(&ctx->row->poll_ends);
		HANDOFF_PROBE2(poll_end, ctx->row->tid, ctx->poll_spun_ns);
	}
	list_for_each_entry(node, &ctx->poll_handlers, node_poll) {
		if (aio_handler_deleted(node))
			continue; /* no io_poll_end either: its owner turns notifications on when it
				     attaches anew */
		if (started)
			handler_poll_begin(node);
		else
			progress |= handler_poll_end(ctx, node);
	}
	return progress;
}

/*
 * Only where the fd monitor sees unpolled fds during a spin. Elsewhere one fd-only handler would
 * end all spinning, so the idle stay.
 */
static bool remove_idle_poll_handlers(struct AioContext *ctx, int64_t now_ns)
{
	struct AioHandler *node, *tmp;
	bool progress = false;

	if (!ctx->fdmon->mixed_polling || now_ns < ctx->idle_check_ns)
		return false;
	ctx->idle_check_ns = now_ns + AIO_POLL_IDLE_NS / 8;
	list_for_each_entry_safe(node, tmp, &ctx->poll_handlers, node_poll) {
		if (node->poll_ready || node->in_callback ||
		    now_ns - node->last_ran_ns < AIO_POLL_IDLE_NS)
			continue;
		list_del(&node->node_poll);
		node->poll.ns = 0;
		if (!aio_handler_deleted(node))
			progress |= handler_poll_end(ctx, node);
	}
	return progress;
}

static void spin_ended(struct AioContext *ctx, struct aio_turn *turn, bool hit, bool found)
{
	struct stats_loop *row = ctx->row;
	int64_t spun_ns = turn->now_ns - turn->start_ns;

	ctx->poll_spun_ns = spun_ns;
	if (ctx->fdmon->mixed_polling)
		ctx->blind_turns = 0; /* need_wait() has had an eye on the fds */
	stats_add(&row->poll_spin_ns, spun_ns);
	turn->spun_ns = spun_ns;
	if (hit) {
		stats_inc(&row->poll_hits);
		if (found && stats_armed())
			hist_add(&row->spin_hit, spun_ns);
		loop_account(row, &row->polling_hit_ns, STATS_PHASE_HANDLING, turn->now_ns);
		HANDOFF_PROBE2(poll_hit, row->tid, spun_ns);
	} else {
		stats_add(&row->poll_waste_ns, spun_ns);
		loop_account(row, &row->polling_waste_ns, STATS_PHASE_HANDLING, turn->now_ns);
	}
}

/*
 * The spin was held up. If it was by a thread that wants our CPU, do not spin for a while: it may
 * be the one that is to bring the work, and it waits for the end of our time slice (tuning.md,
 * guard rails). For one wait if that is rare, for twice as many each time if spins go on being held
 * up.
 */
static void spin_disturbed(struct AioContext *ctx)
{
	if (!aio_cost_preempted(ctx))
		return;
	if (ctx->spins_calm >= AIO_SPIN_CALM)
		ctx->spin_pause_next = 1;
	ctx->spins_calm = 0;
	ctx->spin_pause = ctx->spin_pause_next;
	ctx->spin_pause_next = MIN(2 * ctx->spin_pause_next, AIO_SPIN_PAUSE_MAX);
	stats_inc(&ctx->row->poll_yields);
}

/* The spin. Ends after a whole round with a hit, so that several handlers can be ready; on a
 * notification; or after max_ns. */
FRAME static bool run_poll_handlers(struct AioContext *ctx, struct aio_turn *turn, int64_t max_ns,
				    int64_t *timeout_ns)
{
	bool progress, hit, disturbed = false;
	int64_t last_ns =
		INT64_MAX - AIO_SPIN_JUMP_NS; /* of what came before the spin, no matter */

	stats_inc(&ctx->row->polls);
	loop_account(ctx->row, &ctx->row->handling_ns, STATS_PHASE_POLLING, turn->start_ns);
	do {
		progress = aio_poll_handlers_once(ctx);
		turn->now_ns = clock_ns();
		disturbed |= turn->now_ns > last_ns + AIO_SPIN_JUMP_NS;
		last_ns = turn->now_ns;
		hit = progress || atomic_load_explicit(&ctx->notified, memory_order_relaxed) ||
		      ctx->fdmon->need_wait(ctx);
	} while (!hit && turn->now_ns - turn->start_ns < max_ns);
	spin_ended(ctx, turn, hit, progress);
	ctx->spins_calm++;
	if (unlikely(disturbed) && ctx->measuring)
		spin_disturbed(ctx);
	progress |= remove_idle_poll_handlers(ctx, turn->now_ns);
	if (hit || progress)
		*timeout_ns = 0;
	else if (*timeout_ns > 0)
		*timeout_ns = MAX(*timeout_ns - (turn->now_ns - turn->start_ns), 0);
	return progress;
}

FRAME bool try_poll_mode(struct AioContext *ctx, struct aio_turn *turn, int64_t *timeout_ns)
{
	int64_t max_ns;

	if (list_empty(&ctx->poll_handlers) || !aio_polling_enabled(ctx))
		return false;
	max_ns = ctx->poll.poll_ns;
	if (ctx->wait_start_ns) /* some of it is spun already */
		max_ns = MAX(max_ns - (turn->start_ns - ctx->wait_start_ns), 0);
	max_ns = aio_soonest(*timeout_ns, max_ns);
	if (!max_ns || atomic_load_explicit(&ctx->notified, memory_order_relaxed))
		return false;
	if (unlikely(ctx->nap)) {
		turn->nap = true;
		return false;
	}
	if (unlikely(ctx->spin_pause)) {
		ctx->spin_pause--;
		return false;
	}
	/* What is queued for the kernel must not wait for the end of a spin. */
	if (ctx->fdmon->before_spin)
		ctx->fdmon->before_spin(ctx);
	if (ctx->fdmon->need_wait(ctx)) {
		/* No spin. With a ring there is something to be had at once, so no sleep either. */
		if (ctx->fdmon->mixed_polling)
			*timeout_ns = 0;
		return false;
	}
	poll_set_started(ctx, true);
	tell_poll_begin(ctx, max_ns);
	return run_poll_handlers(ctx, turn, max_ns, timeout_ns);
}

/*
 * Woken, with a spin to come: what the guest adds while its work is served needs no kick. It would
 * be one for nothing, as the spin finds the work long before; and its exit would hold the vCPU up
 * for longer than a short spin lasts, so that the loop slept again, and was kicked again.
 */
void aio_poll_begin_early(struct AioContext *ctx, const struct aio_turn *turn)
{
	if (turn->slept && ctx->poll.poll_ns && aio_polling_enabled(ctx))
		poll_set_started(ctx, true);
}

/*
 * A wake for nothing (by us, to be measured; by a kick whose work a spin had found long before)
 * ends no wait, for a policy that lives by when work came: the next turn's is the rest of it.
 * QEMU's rules take each for a wait of its own, as in QEMU.
 */
static bool wait_goes_on(struct AioContext *ctx, const struct aio_turn *turn)
{
	if (!ctx->measuring || turn->worked)
		return false;
	if (!ctx->wait_start_ns)
		ctx->wait_start_ns = turn->start_ns;
	return true;
}

void aio_poll_learn(struct AioContext *ctx, const struct aio_turn *turn)
{
	struct AioHandler *node;
	struct poll_wait wait;
	int64_t before_ns;

	if (!turn->timed || !aio_polling_enabled(ctx) || wait_goes_on(ctx, turn))
		return;
	/* One that a turn inside this one's handlers began is later, and none of it. */
	before_ns = ctx->wait_start_ns ? MAX(turn->start_ns - ctx->wait_start_ns, (int64_t)0) : 0;
	ctx->wait_start_ns = 0;
	wait = (struct poll_wait){
		.block_ns = before_ns + turn->now_ns - turn->start_ns,
		.arrival_ns = turn->arrival_ns < 0 ? -1 : before_ns + turn->arrival_ns,
		.spun_ns = before_ns + turn->spun_ns,
		.slept = turn->slept,
		.nap = turn->nap && turn->slept,
	};
	if (ctx->measuring)
		aio_cost_waited(ctx, &wait, turn->now_ns);
	if (ctx->policy->handler_waited) {
		list_for_each_entry(node, &ctx->poll_handlers, node_poll)
			ctx->policy->handler_waited(&ctx->poll, &node->poll, &ctx->poll_params,
						    &wait, node->ran_turn == turn->id);
	}
	ctx->policy->loop_waited(&ctx->poll, &ctx->poll_params, &wait);
	stats_set(&ctx->row->poll_ns, ctx->poll.poll_ns);
}
