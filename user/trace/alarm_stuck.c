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
		f->last_kick_ns = MAX(f->last_kick_ns, (int64_t)s->last_ns);
		f->served_ns = MAX(f->served_ns, (int64_t)s->served_ns);
		f->drained |= s->served_ns != 0;
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

static void take_eventfd(const struct watched_eventfd *known, struct stuck_facts *f)
{
	f->count_known = known;
	if (!known)
		return;
	f->readable_ns = known->readable_ns;
	f->how = known->how;
	f->drained |= known->drained;
}

/* Whether somebody may be polling for it is known at the second check that looks. */
static enum alarm_poller find_poller(struct tracer *t, uint32_t tid, const struct vm_eventfd *e,
				     struct thread_share *share)
{
	const struct watched_thread *thread = alarm_watch_tid(t, tid);

	if (!thread)
		return alarm_find_poller(t, e);
	*share = thread->share;
	if (share->cpu < 0)
		return POLLER_MAYBE;
	return alarm_runs_always(share) ? POLLER_THERE : POLLER_NONE;
}

static void look_at(struct tracer *t, uint32_t row, const struct vm_queue *q)
{
	struct alarms *a = t->alarms;
	struct stuck_facts f = { .now_ns = a->watch.now_ns,
				 .stuck_ns = alarm_stuck_ns(t),
				 .unwatched = foreign_is_unwatched(&t->foreign->row[row]),
				 .consumer = { -1, -1 } };
	const struct watched_eventfd *known = NULL;
	struct alarm_key key = { .kind = ALARM_STUCK, .row = row };
	struct watched_queue *queue;
	enum alarm_poller poller;
	struct vm_eventfd e;
	uint32_t tid = 0;
	int64_t since_ns;

	if (alarm_count_known(t->config.pid, &q->eventfd, &e))
		known = watch_eventfd(&a->watch, &e);
	queue = watch_queue(&a->watch, row, &e);
	take_kicks(&t->view, row, &f, &tid);
	take_service(&t->view, row, &f, &tid);
	take_eventfd(known, &f);
	f.polled_ns = queue->polled_ns;
	/* Looked at from its first moment: who polled for it may have stopped a moment later. */
	if (!alarm_pending_since(&f))
		return;
	tid = or_else_waiting(t, row, known, tid);
	poller = find_poller(t, tid, &e, &f.consumer);
	if (poller == POLLER_THERE)
		queue->polled_ns = f.now_ns;
	if (poller == POLLER_MAYBE)
		alarm_hold(t, &key);
	since_ns = poller == POLLER_NONE ? alarm_stuck_since(&f) : 0;
	if (since_ns && watch_stuck(&a->watch, queue))
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
