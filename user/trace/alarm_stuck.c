// SPDX-License-Identifier: BSD-2-Clause
/* Looks for kicks that nobody comes for: what the maps, the walk and the scheduler tell of each
 * queue, put together for alarm_decide.c. */
#include "alarm_look.h"

#include <handoff/compiler.h>

/* Of all ways to kick it. What was there before the address became this queue's is not its. */
static void take_kicks(const struct kernel_view *view, uint32_t row, struct stuck_facts *f,
		       uint32_t *tid)
{
	uint64_t served_ns = 0;
	uint32_t i;

	for (i = 0; i < view->n_kicks; i++) {
		const struct kick_state *s = &view->kick[i].state;

		if (s->row != row + 1 || view->kick[i].key.past)
			continue;
		if (s->pending && s->first_ns &&
		    (!f->kicked_ns || (int64_t)s->first_ns < f->kicked_ns))
			f->kicked_ns = s->first_ns;
		f->served_ns = MAX(f->served_ns, (int64_t)s->served_ns);
		if (!s->served_tid || s->served_ns < served_ns)
			continue;
		served_ns = s->served_ns;
		*tid = s->served_tid;
	}
}

static void take_service(const struct kernel_view *view, uint32_t row, struct stuck_facts *f,
			 uint32_t *tid)
{
	const struct queue_state *q = &view->queue[row];

	f->served_ns = MAX(f->served_ns, (int64_t)q->last_serve_ns);
	f->served_ns = MAX(f->served_ns, (int64_t)q->last_irq_ns);
	if (q->tid)
		*tid = q->tid;
}

/* The thread that should have come: who served it last, who waits for it now, whose loop it is. */
static uint32_t or_else_waiting(const struct tracer *t, uint32_t row,
				const struct watched_eventfd *known, uint32_t tid)
{
	uint32_t loop = t->now->queue[row].loop;

	if (tid && alarm_thread_state(tid) != '?')
		return tid;
	if (known && known->consumer_tid && alarm_thread_state(known->consumer_tid) != '?')
		return known->consumer_tid;
	return loop < STATS_MAX_LOOPS ? t->now->loop[loop].tid : 0;
}

static void look_at(struct tracer *t, uint32_t row, const struct vm_queue *q)
{
	struct alarms *a = t->alarms;
	struct stuck_facts f = { .now_ns = a->watch.now_ns,
				 .stuck_ns = alarm_stuck_ns(t),
				 .consumer = { -1, -1 } };
	const struct watched_eventfd *known = NULL;
	const struct watched_thread *thread;
	struct alarm_key key = { .kind = ALARM_STUCK, .row = row };
	struct vm_eventfd e;
	uint32_t tid = 0;
	int64_t since_ns;

	f.count_known = alarm_count_known(t->config.pid, &q->eventfd, &e);
	if (f.count_known)
		known = watch_eventfd(&a->watch, &e);
	if (known)
		f.readable_ns = known->readable_ns;
	f.count_known = known;
	take_kicks(&t->view, row, &f, &tid);
	take_service(&t->view, row, &f, &tid);
	if (!alarm_stuck_since(&f))
		return;
	tid = or_else_waiting(t, row, known, tid);
	thread = alarm_watch_tid(t, tid);
	/* Whether it runs all the time is known at the next check. */
	if (thread ? thread->share.cpu < 0 : alarm_find_poller(t, &e) != POLLER_NONE)
		return;
	if (thread)
		f.consumer = thread->share;
	since_ns = alarm_stuck_since(&f);
	if (since_ns)
		alarm_raise(t, &key, &e, row, tid, since_ns, f.consumer.cpu);
}

void alarm_look_stuck(struct tracer *t)
{
	const struct vm_queue *q;
	uint32_t row;

	for (row = 0; row < STATS_MAX_QUEUES && row < MODEL_MAX_QUEUES; row++) {
		q = foreign_queue(t->foreign, row);
		if (q)
			look_at(t, row, q);
	}
}
