// SPDX-License-Identifier: BSD-2-Clause
/* What keeps a loop from spinning for nothing: handlers without progress, and others that want the
 * CPU. White-box. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <handoff/clock.h>
#include "../../../user/aio/context.h"

struct idler {
	struct counted_notifier n; /* first */
	int idle;		   /* so many more times there is nothing to be done */
};

static void idler_read(struct EventNotifier *e)
{
	event_notifier_test_and_clear(e);
	((struct idler *)e)->n.reads++;
}

static bool idler_poll(struct EventNotifier *e)
{
	((struct idler *)e)->n.polls++;
	return ((struct idler *)e)->n.work;
}

static void idler_ready(struct EventNotifier *e)
{
	struct idler *t = (struct idler *)e;

	t->n.readies++;
	if (t->idle-- > 0)
		aio_count_idle_poll(t->n.ctx);
}

static void idler_begin(struct EventNotifier *e)
{
	((struct idler *)e)->n.begins++;
}

static void idler_end(struct EventNotifier *e)
{
	((struct idler *)e)->n.ends++;
}

static void idler_setup(struct idler *t, struct AioContext *ctx)
{
	*t = (struct idler){ .idle = 0 };
	counted_init(&t->n, ctx);
	aio_set_event_notifier(ctx, &t->n.e, idler_read, idler_poll, idler_ready);
	aio_set_event_notifier_poll(ctx, &t->n.e, idler_begin, idler_end);
	loop_set_poll(ctx, NS_PER_S, NULL);
	counted_make_polled(&t->n);
	t->n.work = true;
}

/* Ready again and again with nothing to be done, it goes back to its fd, with notifications on; by
 * its next event it comes back. */
static void test_guard__idle_handler_is_polled_no_more(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct idler t;
	int i;

	idler_setup(&t, ctx);
	t.idle = 1000000;
	for (i = 1; i <= AIO_IDLE_POLLS_MAX; i++) {
		assert_int_equal(t.n.ends, 0);
		ctx->poll.poll_ns = 200 * NS_PER_MS;
		assert_true(aio_poll(ctx, true));
		assert_int_equal(t.n.readies, i);
	}
	assert_int_equal(t.n.begins, 1);
	assert_int_equal(t.n.ends, 1);
	/* The last is of the look after notifications were on. */
	loop_drain(ctx);
	assert_int_equal(t.n.readies, AIO_IDLE_POLLS_MAX + 1);
	i = t.n.polls;
	loop_drain(ctx);
	assert_int_equal(t.n.polls, i);

	t.idle = 0;
	t.n.readies = 0;
	event_notifier_set(&t.n.e);
	while (t.n.reads < 2)
		aio_poll(ctx, true);
	while (t.n.readies < 3) {
		ctx->poll.poll_ns = 200 * NS_PER_MS;
		aio_poll(ctx, true);
	}
	counted_release(&t.n);
}

/* Only in a row: one time with progress, and it counts anew. */
static void test_guard__handler_with_progress_stays(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct idler t;
	int i;

	idler_setup(&t, ctx);
	for (i = 1; i <= 20 * AIO_IDLE_POLLS_MAX; i++) {
		t.idle = i % AIO_IDLE_POLLS_MAX ? 1 : 0;
		ctx->poll.poll_ns = 200 * NS_PER_MS;
		assert_true(aio_poll(ctx, true));
		assert_int_equal(t.n.readies, i);
	}
	assert_int_equal(t.n.ends, 0);
	counted_release(&t.n);
}

static void *rival(void *opaque)
{
	while (!atomic_load((_Atomic bool *)opaque))
		;
	return NULL;
}

static void set_e(void *opaque)
{
	event_notifier_set(opaque);
}

/* A turn that spins for 20 ms, if it may, and is woken after 30. */
static void spin_once(struct counted_notifier *n, struct AioTimer *timer)
{
	int reads = n->reads;

	aio_timer_mod_any(timer, clock_ns() + 30 * NS_PER_MS);
	while (n->reads == reads) {
		n->ctx->poll.poll_ns = 20 * NS_PER_MS;
		aio_poll(n->ctx, true);
	}
}

/*
 * With a rival on the same CPU: the loop notices that it was put aside in a spin, and the next
 * waits have none; under "qemu", the yardstick, it goes on as QEMU does.
 */
static void test_guard__lets_others_have_the_cpu(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	struct AioTimer timer;
	_Atomic bool end = false;
	cpu_set_t before, one;
	pthread_t thread;
	uint64_t polls;
	int i;

	counted_init(&n, ctx);
	counted_attach_polled(&n);
	aio_timer_init(ctx, &timer, set_e, &n.e);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(pthread_create(&thread, NULL, rival, (void *)&end), 0);
	loop_set_poll(ctx, NS_PER_S, "qemu");
	counted_make_polled(&n);
	for (i = 0; i < 3; i++)
		spin_once(&n, &timer);
	assert_int_equal(row->poll_yields, 0);

	loop_set_poll(ctx, NS_PER_S, "break-even");
	counted_make_polled(&n);
	while (!row->poll_yields)
		spin_once(&n, &timer);
	ctx->spin_pause = 3;
	polls = row->polls;
	for (i = 0; i < 3; i++) {
		ctx->poll.poll_ns = 20 * NS_PER_MS;
		event_notifier_set(&n.e);
		aio_poll(ctx, true);
	}
	assert_int_equal(row->polls, polls);
	assert_int_equal(ctx->spin_pause, 0);
	atomic_store(&end, true);
	pthread_join(thread, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	aio_timer_del(&timer);
	counted_release(&n);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_guard__idle_handler_is_polled_no_more),
		LOOP_TEST(test_guard__handler_with_progress_stays),
		LOOP_TEST(test_guard__lets_others_have_the_cpu),
	};

	return loop_tests_run("guard_rails", tests, sizeof(tests) / sizeof(tests[0]));
}
