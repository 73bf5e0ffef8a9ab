// SPDX-License-Identifier: BSD-2-Clause
/* An interrupt sink that counts; see fake_irq_sink.h. */
#include "fake_irq_sink.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <handoff/event_notifier.h>

struct irq_route {
	struct fake_irq_sink *sink;
	struct msi_message msg;
	struct EventNotifier *e;
	bool masked;
	struct list_head node;
};

static struct fake_irq_sink *sink_of(struct irq_sink *sink)
{
	return container_of(sink, struct fake_irq_sink, sink);
}

/* An eventfd adds up, an interrupt does not: one, however often it was signalled. */
static void fire_pending_locked(struct irq_route *route)
{
	if (!route->masked && event_notifier_test_and_clear(route->e))
		route->sink->fired[route->msg.data % FAKE_IRQ_MESSAGES]++;
}

static int fake_send(struct irq_sink *sink, const struct msi_message *msg)
{
	struct fake_irq_sink *fake = sink_of(sink);

	pthread_mutex_lock(&fake->lock);
	fake->fired[msg->data % FAKE_IRQ_MESSAGES]++;
	pthread_mutex_unlock(&fake->lock);
	return 0;
}

static struct irq_route *fake_route_new(struct irq_sink *sink, const struct msi_message *msg,
					struct EventNotifier *e, struct error *err)
{
	struct fake_irq_sink *fake = sink_of(sink);
	struct irq_route *route;

	if (!fake->routes_left) {
		error_set(err, -ENOSPC, "no route left");
		return NULL;
	}
	route = calloc(1, sizeof(*route));
	route->sink = fake;
	route->msg = *msg;
	route->e = e;
	pthread_mutex_lock(&fake->lock);
	fake->routes_left--;
	fake->n_routes++;
	list_add_tail(&route->node, &fake->routes);
	pthread_mutex_unlock(&fake->lock);
	return route;
}

static int fake_route_set(struct irq_route *route, const struct msi_message *msg)
{
	pthread_mutex_lock(&route->sink->lock);
	fire_pending_locked(route);
	route->msg = *msg;
	pthread_mutex_unlock(&route->sink->lock);
	return 0;
}

static int fake_route_mask(struct irq_route *route, bool masked)
{
	pthread_mutex_lock(&route->sink->lock);
	fire_pending_locked(route);
	route->masked = masked;
	fire_pending_locked(route);
	pthread_mutex_unlock(&route->sink->lock);
	return 0;
}

static void fake_route_free(struct irq_route *route)
{
	pthread_mutex_lock(&route->sink->lock);
	fire_pending_locked(route);
	list_del(&route->node);
	route->sink->n_routes--;
	route->sink->routes_left++;
	pthread_mutex_unlock(&route->sink->lock);
	free(route);
}

static const struct irq_sink_ops fake_ops = {
	.send = fake_send,
	.route_new = fake_route_new,
	.route_set = fake_route_set,
	.route_mask = fake_route_mask,
	.route_free = fake_route_free,
};

void fake_irq_sink_init(struct fake_irq_sink *sink)
{
	*sink = (struct fake_irq_sink){ .sink.ops = &fake_ops, .routes_left = 1024 };
	pthread_mutex_init(&sink->lock, NULL);
	list_init(&sink->routes);
}

void fake_irq_sink_release(struct fake_irq_sink *sink)
{
	assert(list_empty(&sink->routes));
	pthread_mutex_destroy(&sink->lock);
}

uint64_t fake_irq_sink_fired(struct fake_irq_sink *sink, uint32_t data)
{
	struct irq_route *route;
	uint64_t fired;

	pthread_mutex_lock(&sink->lock);
	list_for_each_entry(route, &sink->routes, node)
		fire_pending_locked(route);
	fired = sink->fired[data % FAKE_IRQ_MESSAGES];
	pthread_mutex_unlock(&sink->lock);
	return fired;
}
