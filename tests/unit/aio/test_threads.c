// SPDX-License-Identifier: BSD-2-Clause
/* Several threads at one loop: storms of wake-ups, registration, hopping between loops, and the
 * promise never to sleep suppressed. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/iothread.h>

#define THREADS 4
#define ROUNDS	5000

static struct IOThread *iothread_on(enum aio_fdmon fdmon, const char *id, int64_t poll_max_ns)
{
	struct iothread_config config = {
		.id = id, .poll.poll_max_ns = poll_max_ns, .aio.fdmon = fdmon, .cpu = -1
	};
	struct IOThread *t = iothread_new(&config, NULL);

	assert_non_null(t);
	return t;
}

static enum aio_fdmon monitor(void **state)
{
	loop_ctx(state); /* skips where it is not to be had */
	return ((struct loop_fixture *)*state)->fdmon;
}

/* --- bottom-half storm ------------------------------------------------------------------------ */

struct storm {
	struct AioContext *ctx;
	struct QEMUBH *bh;
	_Atomic int scheduled, ran, oneshots;
};

static void storm_bh(void *opaque)
{
	atomic_fetch_add(&((struct storm *)opaque)->ran, 1);
}

static void storm_oneshot(void *opaque)
{
	atomic_fetch_add(&((struct storm *)opaque)->oneshots, 1);
}

static void *storm_thread(void *opaque)
{
	struct storm *s = opaque;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		atomic_fetch_add(&s->scheduled, 1);
		aio_bh_schedule(s->bh);
		if (!(i % 8))
			aio_bh_schedule_oneshot(s->ctx, storm_oneshot, s, "storm");
		if (!(i % 64))
			aio_notify(s->ctx);
	}
	return NULL;
}

/* Four threads schedule one bottom half and many oneshots: each oneshot runs once, the last
 * schedule is followed by a run. */
static void test_threads__bottom_half_storm(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct storm s = { .ctx = ctx };
	pthread_t threads[THREADS];
	int i, ran;

	s.bh = aio_bh_new(ctx, storm_bh, &s, "storm");
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, storm_thread, &s), 0);
	while (atomic_load(&s.oneshots) < THREADS * (ROUNDS / 8))
		aio_poll(ctx, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	loop_drain(ctx);
	assert_int_equal(s.oneshots, THREADS * (ROUNDS / 8));
	assert_true(s.ran >= 1 && s.ran <= s.scheduled);
	ran = s.ran;
	aio_bh_schedule(s.bh);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(s.ran, ran + 1);
	aio_bh_delete(s.bh);
}

/* --- wake-ups, one by one --------------------------------------------------------------------- */

struct ping {
	struct AioContext *ctx;
	struct QEMUBH *bh;
	_Atomic int asked, answered;
};

static void ping_bh(void *opaque)
{
	struct ping *p = opaque;

	atomic_store(&p->answered, atomic_load(&p->asked));
}

static void *ping_thread(void *opaque)
{
	struct ping *p = opaque;
	int i;

	/* The next only when the last was answered: the loop is at every stage of going to sleep
	 * when it comes. */
	for (i = 1; i <= ROUNDS; i++) {
		atomic_store(&p->asked, i);
		aio_bh_schedule(p->bh);
		while (atomic_load(&p->answered) != i)
			sched_yield();
	}
	return NULL;
}

/* No wake-up is lost: with one missing, both sides would wait for ever. */
static void test_threads__no_wakeup_is_lost(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct ping p = { .ctx = ctx };
	pthread_t thread;

	p.bh = aio_bh_new(ctx, ping_bh, &p, "ping");
	assert_int_equal(pthread_create(&thread, NULL, ping_thread, &p), 0);
	while (atomic_load(&p.answered) < ROUNDS)
		aio_poll(ctx, true);
	pthread_join(thread, NULL);
	assert_true(row->notifies + row->kicks_suppressed >= ROUNDS);
	aio_bh_delete(p.bh);
}

/* --- a queue whose notifications poll mode suppresses ----------------------------------------- */

struct queue {
	struct EventNotifier e; /* first */
	_Atomic int avail, seen;
	_Atomic bool suppressed;
	_Atomic int kicks, skipped, spurious;
};

static void queue_serve(struct queue *q)
{
	if (atomic_load(&q->avail) == q->seen)
		q->spurious++;
	while (q->seen != atomic_load(&q->avail))
		atomic_store(&q->seen, q->seen + 1);
}

static void queue_read(struct EventNotifier *e)
{
	event_notifier_test_and_clear(e);
	queue_serve((struct queue *)e);
}

static bool queue_poll(struct EventNotifier *e)
{
	struct queue *q = (struct queue *)e;

	return atomic_load(&q->avail) != q->seen;
}

static void queue_ready(struct EventNotifier *e)
{
	queue_serve((struct queue *)e);
}

static void queue_begin(struct EventNotifier *e)
{
	atomic_store(&((struct queue *)e)->suppressed, true);
}

static void queue_end(struct EventNotifier *e)
{
	atomic_store(&((struct queue *)e)->suppressed, false);
}

static void queue_detach(void *opaque)
{
	struct queue *q = opaque;

	aio_set_event_notifier(aio_current_context_any(), &q->e, NULL, NULL, NULL);
}

/*
 * A guest that kicks only when it is allowed to, with pauses around the length of the spin: an
 * arrival that is neither polled nor kicked would stop it for ever. Pauses are busy ones: a sleep
 * would only ever hit the blocked loop.
 */
static void test_threads__never_sleeps_suppressed(void **state)
{
	struct IOThread *t = iothread_on(monitor(state), "queue", 20000);
	struct AioContext *ctx = iothread_get_aio_context(t);
	struct queue q = { .avail = 0 };
	uint32_t random = 1;
	int i;

	assert_int_equal(event_notifier_init(&q.e, true), 0);
	aio_set_event_notifier(ctx, &q.e, queue_read, queue_poll, queue_ready);
	aio_set_event_notifier_poll(ctx, &q.e, queue_begin, queue_end);
	for (i = 1; i <= ROUNDS; i++) {
		int64_t until;

		atomic_store(&q.avail, i);
		if (atomic_load(&q.suppressed)) {
			q.skipped++;
		} else {
			q.kicks++;
			event_notifier_set(&q.e);
		}
		while (atomic_load(&q.seen) != i)
			sched_yield();
		random = random * 1664525 + 1013904223;
		for (until = clock_ns() + (random >> 16) % 40000; clock_ns() < until;)
			;
	}
	assert_int_equal(q.seen, ROUNDS);
	assert_int_equal(q.kicks + q.skipped, ROUNDS);
	aio_bh_schedule_oneshot(ctx, queue_detach, &q, "detach");
	iothread_free(t);
	event_notifier_release(&q.e);
}

/* --- registration from outside ---------------------------------------------------------------- */

static void outside_read(struct EventNotifier *e)
{
	event_notifier_test_and_clear(e);
}

/* Handlers come and go from another thread while the loop serves them. */
static void test_threads__registration_from_outside(void **state)
{
	struct IOThread *t = iothread_on(monitor(state), "outside", 0);
	struct AioContext *ctx = iothread_get_aio_context(t);
	struct EventNotifier e[8];
	int i, k;

	for (k = 0; k < 8; k++)
		assert_int_equal(event_notifier_init(&e[k], true), 0);
	for (i = 0; i < 300; i++) {
		for (k = 0; k < 8; k++) {
			aio_set_event_notifier(ctx, &e[k], outside_read, NULL, NULL);
			event_notifier_set(&e[k]);
		}
		for (k = 0; k < 8; k++)
			aio_set_event_notifier(ctx, &e[k], NULL, NULL, NULL);
	}
	iothread_free(t);
	for (k = 0; k < 8; k++)
		event_notifier_release(&e[k]);
	assert_int_equal(i, 300);
}

/* --- hopping ---------------------------------------------------------------------------------- */

struct hop {
	struct AioContext *loops[THREADS];
	_Atomic int left, wrong;
	uint32_t random;
	int at;
};

static void hop_bh(void *opaque)
{
	struct hop *h = opaque;

	if (!aio_in_home_thread_any(h->loops[h->at]) ||
	    aio_current_context_any() != h->loops[h->at])
		atomic_fetch_add(&h->wrong, 1);
	h->random = h->random * 1664525 + 1013904223;
	h->at = (h->random >> 16) % THREADS;
	if (atomic_fetch_sub(&h->left, 1) > 1)
		aio_bh_schedule_oneshot(h->loops[h->at], hop_bh, h, "hop");
}

/* Work that hops at random between loops always runs in the loop it was sent to, and none is lost.
 */
static void test_threads__hopping_between_loops(void **state)
{
	struct AioContext *contexts[THREADS];
	struct IOThread *t[THREADS];
	struct hop hops[3];
	int i, k;

	for (i = 0; i < THREADS; i++) {
		char id[8] = { 'h', 'o', 'p', (char)('0' + i) };

		t[i] = iothread_on(monitor(state), id, i & 1 ? 8000 : 0);
	}
	for (k = 0; k < 3; k++) {
		hops[k] = (struct hop){ .left = ROUNDS, .random = k };
		for (i = 0; i < THREADS; i++)
			hops[k].loops[i] = iothread_get_aio_context(t[i]);
		aio_bh_schedule_oneshot(hops[k].loops[0], hop_bh, &hops[k], "hop");
	}
	for (k = 0; k < 3; k++) {
		while (atomic_load(&hops[k].left) > 0)
			sched_yield();
		assert_int_equal(hops[k].wrong, 0);
	}
	/* The last schedule of a hop may still be in aio_notify() of a loop that has run it
	 * already. */
	for (i = 0; i < THREADS; i++) {
		contexts[i] = iothread_get_aio_context(t[i]);
		aio_context_ref(contexts[i]);
	}
	for (i = 0; i < THREADS; i++)
		iothread_free(t[i]);
	for (i = 0; i < THREADS; i++)
		aio_context_unref(contexts[i]);
}

/* --- timers from outside ---------------------------------------------------------------------- */

static void timer_note(void *opaque)
{
	atomic_fetch_add((_Atomic int *)opaque, 1);
}

static void timer_noop(void *opaque)
{
}

static void delete_timer(void *opaque)
{
	aio_timer_del(opaque);
}

/* A timer moved forward by another thread wakes a loop that sleeps for a later one. */
static void test_threads__timer_moved_from_outside(void **state)
{
	struct IOThread *t = iothread_on(monitor(state), "timer", 0);
	struct AioTimer late, timer;
	_Atomic int ran = 0;
	int i;

	aio_timer_init(iothread_get_aio_context(t), &late, timer_noop, NULL);
	aio_timer_init(iothread_get_aio_context(t), &timer, timer_note, &ran);
	aio_timer_mod_any(&late, clock_ns() + 3600 * NS_PER_S);
	for (i = 1; i <= 20; i++) {
		aio_timer_mod_any(&timer, clock_ns() + 1800 * NS_PER_S);
		aio_timer_mod_any(&timer, clock_ns() + 100 * NS_PER_US);
		while (atomic_load(&ran) < i)
			sched_yield();
	}
	/* What was scheduled before the stop runs before the loop ends. */
	aio_bh_schedule_oneshot(iothread_get_aio_context(t), delete_timer, &late, "delete");
	iothread_free(t);
	assert_int_equal(ran, 20);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_threads__bottom_half_storm),
		LOOP_TEST(test_threads__no_wakeup_is_lost),
		LOOP_TEST(test_threads__never_sleeps_suppressed),
		LOOP_TEST(test_threads__registration_from_outside),
		LOOP_TEST(test_threads__hopping_between_loops),
		LOOP_TEST(test_threads__timer_moved_from_outside),
	};

	return loop_tests_run("threads", tests, sizeof(tests) / sizeof(tests[0]));
}
