// SPDX-License-Identifier: BSD-2-Clause
/*
 * iothreads by QMP: asked, tuned, added, removed; and what the stats page knows of all loops.
 * Settings go the way of aio_context_set_poll_params: in force at the loop's next turn, for which
 * it is woken. Main thread. Neighbours: monitor_commands.c has the table, monitor_qom.c the paths;
 * iothreads.c.
 */
#include "monitor.h"

#include <errno.h>
#include <string.h>
#include <handoff/iothread.h>
#include <handoff/main_loop.h>
#include "board.h"

/* --- properties ------------------------------------------------------------------------------ */

const struct monitor_property monitor_iothread_properties[] = {
	{ "poll-max-ns", "int" },
	{ "poll-grow", "int" },
	{ "poll-shrink", "int" },
	{ "poll-weight", "int" },
	{ "poll-latency-percent", "int" },
	{ "poll-policy", "string" },
	{ NULL, NULL },
};

static const struct {
	const char *name;
	json_int_t max;
} ranges[] = {
	{ "poll-max-ns", MACHINE_POLL_MAX_NS_LIMIT },
	{ "poll-grow", MACHINE_POLL_FACTOR_LIMIT },
	{ "poll-shrink", MACHINE_POLL_FACTOR_LIMIT },
	{ "poll-weight", MACHINE_POLL_WEIGHT_LIMIT },
	{ "poll-latency-percent", MACHINE_POLL_LATENCY_LIMIT },
};

static json_t *params_get(const struct aio_poll_params *p, const char *property)
{
	if (!strcmp(property, "poll-max-ns"))
		return json_integer(p->poll_max_ns);
	if (!strcmp(property, "poll-grow"))
		return json_integer(p->poll_grow);
	if (!strcmp(property, "poll-shrink"))
		return json_integer(p->poll_shrink);
	if (!strcmp(property, "poll-weight"))
		return json_integer(p->poll_weight);
	if (!strcmp(property, "poll-latency-percent"))
		return json_integer(p->poll_latency_percent);
	return strcmp(property, "poll-policy") ? NULL : json_string(p->policy);
}

/* The policy's name stays the value's. */
static bool params_set(struct aio_poll_params *p, const char *property, const json_t *value,
		       struct qmp_failure *failure)
{
	json_int_t number = json_integer_value(value);
	unsigned int i;

	if (!strcmp(property, "poll-policy")) {
		p->policy = json_string_value(value);
		return qmp_type_check(property, QMP_STRING, value, failure);
	}
	if (!qmp_type_check(property, QMP_INTEGER, value, failure))
		return false;
	for (i = 0; strcmp(ranges[i].name, property);)
		i++;
	if (number < 0 || number > ranges[i].max) {
		qmp_fail(failure, QMP_GENERIC_ERROR, "%s value must be in range [0, %lld]",
			 property, (long long)ranges[i].max);
		return false;
	}
	if (!strcmp(property, "poll-max-ns"))
		p->poll_max_ns = number;
	else if (!strcmp(property, "poll-grow"))
		p->poll_grow = (uint32_t)number;
	else if (!strcmp(property, "poll-shrink"))
		p->poll_shrink = (uint32_t)number;
	else if (!strcmp(property, "poll-weight"))
		p->poll_weight = (uint32_t)number;
	else
		p->poll_latency_percent = (uint32_t)number;
	return true;
}

json_t *monitor_iothread_get(struct IOThread *iothread, const char *property)
{
	struct aio_poll_params p;

	aio_context_get_poll_params(iothread_get_aio_context(iothread), &p);
	return params_get(&p, property);
}

bool monitor_iothread_set(struct machine *m, struct IOThread *iothread, const char *property,
			  const json_t *value, struct qmp_failure *failure)
{
	struct AioContext *ctx = iothread_get_aio_context(iothread);
	struct aio_poll_params p;

	aio_context_get_poll_params(ctx, &p);
	if (!params_set(&p, property, value, failure))
		return false;
	board_know_kick_exit(m, p.policy);
	if (aio_context_set_poll_params(ctx, &p, &failure->error))
		return false;
	monitor_event_iothread_changed(m, iothread, property);
	return true;
}

/* --- commands -------------------------------------------------------------------------------- */

static json_t *iothread_info(struct IOThread *iothread)
{
	const struct monitor_property *p = monitor_iothread_properties;
	json_t *info = json_pack("{s:s, s:I}", "id", iothread_get_id(iothread), "thread-id",
				 (json_int_t)iothread_get_tid(iothread));

	for (; p->name; p++)
		json_object_set_new(info, p->name, monitor_iothread_get(iothread, p->name));
	return info;
}

json_t *monitor_query_iothreads(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	struct machine *m = opaque;
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < m->n_iothreads; i++)
		json_array_append_new(list, iothread_info(m->iothread[i].iothread));
	return list;
}

/* What board_iothread_add says would be about the command line. */
static bool judge_new(struct machine *m, const char *type, const char *id,
		      struct qmp_failure *failure)
{
	struct IOThread *other;

	if (strcmp(type, "iothread"))
		qmp_fail(failure, QMP_GENERIC_ERROR,
			 "Parameter 'qom-type' does not accept value '%s'", type);
	else if (!board_iothread_find(m, id, &other, NULL))
		qmp_fail(failure, QMP_GENERIC_ERROR,
			 "attempt to add duplicate property '%s' to object (type 'container')", id);
	else
		return true;
	return false;
}

json_t *monitor_object_add(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const char *id = json_string_value(json_object_get(arguments, "id"));
	const struct monitor_property *p = monitor_iothread_properties;
	struct aio_poll_params params = { .policy = NULL };
	struct machine_iothread config;
	const json_t *value;

	if (!judge_new(opaque, json_string_value(json_object_get(arguments, "qom-type")), id,
		       failure))
		return NULL;
	for (; p->name; p++) {
		value = json_object_get(arguments, p->name);
		if (value && !params_set(&params, p->name, value, failure))
			return NULL;
	}
	config = (struct machine_iothread){
		.id = (char *)id,
		.poll_max_ns = (uint64_t)params.poll_max_ns,
		.poll_max_ns_seen = json_object_get(arguments, "poll-max-ns"),
		.poll_grow = params.poll_grow,
		.poll_shrink = params.poll_shrink,
		.poll_weight = params.poll_weight,
		.poll_latency_percent = params.poll_latency_percent,
		.policy = (char *)params.policy,
		.cpu = -1,
	};
	if (board_iothread_add(opaque, &config, &failure->error))
		return NULL;
	return json_object();
}

json_t *monitor_object_del(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const char *id = json_string_value(json_object_get(arguments, "id"));

	switch (board_iothread_del(opaque, id, NULL)) {
	case 0:
		return json_object();
	case -EBUSY:
		return qmp_fail(failure, QMP_GENERIC_ERROR,
				"object '%s' is in use, can not be deleted", id);
	default:
		return qmp_fail(failure, QMP_GENERIC_ERROR, "object '%s' not found", id);
	}
}

/* --- x-handoff-query-loops ------------------------------------------------------------------- */

static json_int_t figure(const __u64 *counter)
{
	return (json_int_t)__atomic_load_n(counter, __ATOMIC_RELAXED);
}

static json_t *queues_of(const struct machine *m, uint32_t loop)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		const struct stats_queue *q = &m->stats->queue[i];

		if (!q->used || q->loop != loop)
			continue;
		json_array_append_new(
			list,
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "device", q->device,
				  "queue", (json_int_t)q->queue, "arrivals", figure(&q->arrivals),
				  "arrivals-polled", figure(&q->arrivals_polled),
				  "arrivals-notified", figure(&q->arrivals_notified), "kicks",
				  figure(&q->signals) + figure(&q->userspace_kicks), "requests",
				  figure(&q->requests), "interrupts", figure(&q->interrupts)));
	}
	return list;
}

/* Each figure whole, not all of one moment: the loop goes on meanwhile. */
static json_t *loop_info(const struct machine *m, const struct stats_loop *row,
			 const struct aio_poll_params *p)
{
	json_t *info = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id", row->id, "kind",
				 row->kind == STATS_LOOP_MAIN ? "main" : "iothread", "thread-id",
				 (json_int_t)row->tid, "poll-max-ns", figure(&row->poll_max_ns),
				 "poll-grow", figure(&row->poll_grow), "poll-shrink",
				 figure(&row->poll_shrink), "poll-weight",
				 figure(&row->poll_weight), "poll-ns", figure(&row->poll_ns));
	json_t *counters =
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "iterations",
			  figure(&row->iterations), "polls", figure(&row->polls), "poll-hits",
			  figure(&row->poll_hits), "poll-spin-ns", figure(&row->poll_spin_ns),
			  "poll-waste-ns", figure(&row->poll_waste_ns), "blocks",
			  figure(&row->blocks), "kicks-suppressed", figure(&row->kicks_suppressed),
			  "notifies", figure(&row->notifies), "spurious-wakes",
			  figure(&row->spurious_wakes));

	json_object_update(info, counters);
	json_decref(counters);
	/* What "break-even" measured, 0 where it does not. */
	json_object_set_new(info, "poll-block-cost-ns",
			    json_integer(figure(&row->poll_block_cost_ns)));
	json_object_set_new(info, "poll-wake-ns", json_integer(figure(&row->poll_wake_ns)));
	json_object_set_new(info, "kick-exit-ns", json_integer(aio_get_kick_exit_ns_any()));
	json_object_set_new(info, "poll-yields", json_integer(figure(&row->poll_yields)));
	json_object_set_new(info, "poll-latency-percent", json_integer(p->poll_latency_percent));
	json_object_set_new(info, "poll-policy", json_string(p->policy));
	json_object_set_new(info, "queues", queues_of(m, stats_loop_index(m->stats, row)));
	return info;
}

json_t *monitor_query_loops(void *opaque, const json_t *arguments, struct qmp_failure *failure)
{
	const struct machine *m = opaque;
	struct aio_poll_params p;
	json_t *list = json_array();
	unsigned int i;

	aio_context_get_poll_params(main_loop_aio_context_any(), &p);
	json_array_append_new(list, loop_info(m, m->main_stats, &p));
	for (i = 0; i < m->n_iothreads; i++) {
		aio_context_get_poll_params(iothread_get_aio_context(m->iothread[i].iothread), &p);
		json_array_append_new(list, loop_info(m, m->iothread[i].stats, &p));
	}
	return list;
}
