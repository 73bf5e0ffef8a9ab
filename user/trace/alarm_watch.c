// SPDX-License-Identifier: BSD-2-Clause
/* See alarm.h: counts of eventfds and times of threads at the check before; what became of queues.
 * Pure. */
#include "alarm.h"

#include <string.h>

void watch_begin(struct alarm_watch *w, int64_t now_ns)
{
	uint32_t i, n;

	for (i = n = 0; i < w->n_eventfds; i++)
		if (w->eventfd[i].seen == w->check)
			w->eventfd[n++] = w->eventfd[i];
	w->n_eventfds = n;
	for (i = n = 0; i < w->n_threads; i++)
		if (w->thread[i].seen == w->check)
			w->thread[n++] = w->thread[i];
	w->n_threads = n;
	w->check++;
	w->last_ns = w->now_ns;
	w->now_ns = now_ns;
}

static struct watched_eventfd *find_eventfd(struct alarm_watch *w, const struct vm_eventfd *e)
{
	uint32_t i;

	for (i = 0; i < w->n_eventfds; i++)
		if (w->eventfd[i].ctx == e->ctx && w->eventfd[i].id == e->id)
			return &w->eventfd[i];
	if (w->n_eventfds == WATCH_EVENTFDS)
		return NULL;
	w->eventfd[i] = (struct watched_eventfd){ .ctx = e->ctx, .id = e->id };
	w->n_eventfds++;
	return &w->eventfd[i];
}

static void take_consumer(struct watched_eventfd *known, const struct vm_eventfd *e)
{
	uint32_t i;

	for (i = 0; i < e->n_consumers && i < VM_CONSUMERS; i++) {
		const struct vm_consumer *c = &e->consumer[i];

		if (c->how == CONSUMER_IRQFD)
			continue;
		if (c->how != CONSUMER_UNKNOWN)
			known->how = c->how;
		if (c->tid)
			known->consumer_tid = c->tid;
	}
}

const struct watched_eventfd *watch_eventfd(struct alarm_watch *w, const struct vm_eventfd *e)
{
	struct watched_eventfd *known = find_eventfd(w, e);

	if (!known || known->seen == w->check)
		return known;
	known->count_before = known->count;
	known->count = e->count;
	known->drained |= e->count < known->count_before;
	if (!e->count)
		known->readable_ns = 0;
	else if (!known->readable_ns || e->count < known->count_before)
		known->readable_ns = w->now_ns; /* for the first time, or again: it was drained */
	take_consumer(known, e);
	known->seen = w->check;
	return known;
}

struct watched_queue *watch_queue(struct alarm_watch *w, uint32_t row, const struct vm_eventfd *e)
{
	struct watched_queue *q = &w->queue[row];

	if (q->ctx != e->ctx || q->id != e->id)
		*q = (struct watched_queue){ .ctx = e->ctx, .id = e->id };
	return q;
}

bool watch_stuck(const struct alarm_watch *w, struct watched_queue *q)
{
	if (q->stuck_at != w->check)
		q->stuck = q->stuck && q->stuck_at + 1 == w->check ? q->stuck + 1 : 1;
	q->stuck_at = w->check;
	return q->stuck >= 2;
}

static struct watched_thread *find_thread(struct alarm_watch *w, uint32_t tid)
{
	uint32_t i;

	for (i = 0; i < w->n_threads; i++)
		if (w->thread[i].tid == tid)
			return &w->thread[i];
	if (w->n_threads == WATCH_THREADS)
		return NULL;
	w->thread[i] = (struct watched_thread){ .tid = tid };
	w->n_threads++;
	return &w->thread[i];
}

const struct watched_thread *watch_thread(struct alarm_watch *w, uint32_t tid,
					  const struct thread_times *now)
{
	struct watched_thread *t = find_thread(w, tid);
	struct thread_times *old;
	double ns;

	if (!t || t->seen == w->check)
		return t;
	old = &t->times;
	ns = w->now_ns - t->t_ns;
	t->share = (struct thread_share){ -1, -1, false };
	/* A number that goes back is another thread's. */
	if (t->seen && ns > 0 && now->run_ns >= old->run_ns && now->wait_ns >= old->wait_ns) {
		t->share.cpu = (now->run_ns - old->run_ns) / ns;
		t->share.awake = t->share.cpu + (now->wait_ns - old->wait_ns) / ns;
		t->share.never_slept =
			old->runnable && now->runnable && now->switches == old->switches;
	}
	t->worked = t->seen && (now->consumes != old->consumes || now->irqs != old->irqs);
	*old = *now;
	t->t_ns = w->now_ns;
	t->seen = w->check;
	return t;
}
