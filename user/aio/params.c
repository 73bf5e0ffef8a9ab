// SPDX-License-Identifier: BSD-2-Clause
/* Poll settings: set by any thread, put in force by home at the start of its next turn, which the
 * setter wakes it for. */
#include "context.h"

#include <errno.h>
#include <stdio.h>
#include <handoff/clock.h>
#include <handoff/stats.h>

static void params_publish(struct AioContext *ctx)
{
	struct stats_loop *row = ctx->stats;

	stats_write_begin(&row->seq);
	stats_set(&row->poll_max_ns, ctx->poll_params.max_ns);
	stats_set(&row->poll_grow, ctx->poll_params.grow);
	stats_set(&row->poll_shrink, ctx->poll_params.shrink);
	stats_set(&row->poll_weight, ctx->poll_params.weight);
	stats_set(&row->poll_ns, 0);
	snprintf(row->poll_policy, sizeof(row->poll_policy), "%s", ctx->policy->name);
	stats_write_end(&row->seq);
	aio_cost_publish(ctx);
}

/* Never spins until told otherwise. */
void aio_params_init(struct AioContext *ctx)
{
	ctx->policy = poll_policy_find(NULL, NULL);
	ctx->params_wanted = (struct aio_poll_params){
		.policy = ctx->policy->name,
		.poll_grow = ctx->policy->defaults.grow,
		.poll_shrink = ctx->policy->defaults.shrink,
		.poll_weight = ctx->policy->defaults.weight,
	};
	ctx->poll_params = ctx->policy->defaults;
	params_publish(ctx);
}

void aio_params_apply(struct AioContext *ctx)
{
	struct AioHandler *node;

	atomic_store(&ctx->params_pending, false);
	pthread_mutex_lock(&ctx->lock);
	ctx->policy = poll_policy_find(ctx->params_wanted.policy, NULL);
	ctx->poll_params = (struct poll_params){
		.max_ns = ctx->params_wanted.poll_max_ns,
		.grow = ctx->params_wanted.poll_grow,
		.shrink = ctx->params_wanted.poll_shrink,
		.weight = ctx->params_wanted.poll_weight,
		.latency_percent = ctx->params_wanted.poll_latency_percent,
	};
	pthread_mutex_unlock(&ctx->lock);
	ctx->measuring = ctx->policy->measured && aio_polling_enabled(ctx);
	ctx->wait_start_ns = 0;
	ctx->nap = 0;
	ctx->nap_due_ns = clock_ns() + AIO_NAP_SOON_NS; /* there is a mean of waits by then */
	ctx->nap_wake_ns = 0;
	ctx->naps = 0;
	ctx->nap_pause_ns = AIO_NAP_SOON_NS;
	ctx->spin_pause = 0;
	ctx->spin_pause_next = 1;
	if (ctx->measuring)
		aio_cost_preempted(ctx); /* from here on */
	ctx->poll = (struct poll_state){ 0 };
	for (node = aio_handler_first(ctx); node; node = aio_handler_next(node))
		node->poll = (struct poll_handler_state){ 0 };
	if (!aio_polling_enabled(ctx))
		aio_poll_list_clear(ctx);
	params_publish(ctx);
}

int aio_context_set_poll_params(struct AioContext *ctx, const struct aio_poll_params *params,
				struct error *err)
{
	const struct poll_policy *policy = poll_policy_find(params->policy, err);
	struct poll_params p = {
		.max_ns = params->poll_max_ns,
		.grow = params->poll_grow,
		.shrink = params->poll_shrink,
		.weight = params->poll_weight,
		.latency_percent = params->poll_latency_percent,
	};
	int ret;

	if (!policy)
		return -EINVAL;
	ret = poll_params_complete(policy, &p, err);
	if (ret)
		return ret;
	pthread_mutex_lock(&ctx->lock);
	ctx->params_wanted = (struct aio_poll_params){
		.policy = policy->name,
		.poll_max_ns = p.max_ns,
		.poll_grow = p.grow,
		.poll_shrink = p.shrink,
		.poll_weight = p.weight,
		.poll_latency_percent = p.latency_percent,
	};
	atomic_store(&ctx->stamps_wanted, policy->measured && p.max_ns);
	pthread_mutex_unlock(&ctx->lock);
	atomic_store(&ctx->params_pending, true);
	aio_notify(ctx);
	if (ctx->threaded && !aio_is_loop_thread(ctx))
		aio_cost_probe_arm(ctx);
	return 0;
}

void aio_context_get_poll_params(const struct AioContext *ctx, struct aio_poll_params *params)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&ctx->lock;

	pthread_mutex_lock(lock);
	*params = ctx->params_wanted;
	pthread_mutex_unlock(lock);
}
