// SPDX-License-Identifier: BSD-2-Clause
/* Events with data: QEMU's SHUTDOWN, and our own. Main context. Neighbour: monitor.c sends them. */
#include "monitor.h"

#include <string.h>
#include <handoff/iothread.h>
#include "board.h"

void monitor_event_shutdown(struct machine *m)
{
	const char *reason = m->quit_cause;

	monitor_event(m, "SHUTDOWN",
		      json_pack("{s:b, s:s}", "guest", !strncmp(reason, "guest-", 6), "reason",
				reason));
}

/* A loop's row as a name; the row's own copy ends with a NUL. */
static const char *loop_name(const struct machine *m, uint32_t row)
{
	return row < STATS_MAX_LOOPS ? m->stats->loop[row].id : "?";
}

void monitor_event_handed_over(struct machine *m)
{
	uint64_t newest = (m->stats->n_handovers - 1) % STATS_MAX_HANDOVERS;
	const struct stats_handover *h = &m->stats->handover[newest];

	monitor_event(m, "X_HANDOFF_DEVICE_HANDED_OVER",
		      json_pack("{s:s, s:s, s:s, s:I}", "device", h->device, "from",
				loop_name(m, h->from), "to", loop_name(m, h->to), "duration-ns",
				(json_int_t)h->duration_ns));
}

void monitor_event_iothread_changed(struct machine *m, struct IOThread *iothread,
				    const char *property)
{
	struct aio_poll_params p;

	aio_context_get_poll_params(iothread_get_aio_context(iothread), &p);
	monitor_event(m, "X_HANDOFF_IOTHREAD_CHANGED",
		      json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s}", "id",
				iothread_get_id(iothread), "property", property, "poll-max-ns",
				(json_int_t)p.poll_max_ns, "poll-grow", (json_int_t)p.poll_grow,
				"poll-shrink", (json_int_t)p.poll_shrink, "poll-weight",
				(json_int_t)p.poll_weight, "poll-latency-percent",
				(json_int_t)p.poll_latency_percent, "poll-policy", p.policy));
}
