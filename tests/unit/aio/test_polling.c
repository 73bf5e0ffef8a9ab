// SPDX-License-Identifier: BSD-2-Clause
/* Poll mode: when it is entered and left, what its edges guarantee, nesting, idleness. White-box:
 * the spin's length is set by hand. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <handoff/clock.h>
#include "../../../user/aio/context.h"

#define LONG_SPIN_NS (200 * NS_PER_MS)

/* n fires once, and the next turn would spin for LONG_SPIN_NS. */
static void polled_setup(struct counted_notifier *n, struct AioContext *ctx)
{
	counted_init(n, ctx);
	counted_attach_polled(n);
	loop_set_poll(ctx, NS_PER_S, NULL);
	counted_make_polled(n);
	ctx->poll.poll_ns = LONG_SPIN_NS;
}

/* A handler is polled from its first event on, not earlier; poll mode begins once and is kept from
 * hit to hit. */
static void test_poll_mode__begins_after_first_event_and_stays(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	uint64_t blocks;
	int i;

	polled_setup(&n, ctx);
	assert_int_equal(n.begins, 0);
	assert_int_equal(n.readies, 0);
	blocks = row->blocks;
	for (i = 1; i <= 5; i++) {
		n.work = true;
		assert_true(aio_poll(ctx, true));
		assert_int_equal(n.readies, i);
		ctx->poll.poll_ns = LONG_SPIN_NS;
	}
	assert_int_equal(n.begins, 1);
	assert_int_equal(n.ends, 0);
	assert_int_equal(n.reads, 1);
	assert_int_equal(row->blocks, blocks);
	assert_int_equal(row->poll_hits, 5);
	assert_int_equal(row->poll_begins, 1);
	counted_release(&n);
}

static void set_other(void *opaque)
{
	event_notifier_set(opaque);
}

/* Before it sleeps the loop leaves poll mode, and the look after io_poll_end catches what arrived
 * without a signal. */
static void poll_end_with_arrival(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	n->ends++;
	n->work = true; /* the guest added it just before notifications were on: no kick */
}

static void test_poll_mode__look_after_end_catches_arrival(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	uint64_t blocks;

	polled_setup(&n, ctx);
	n.work = true;
	assert_true(aio_poll(ctx, true));
	assert_int_equal(n.begins, 1);
	n.work = false;
	ctx->poll.poll_ns = 1000; /* the spin finds nothing ... */
	aio_set_event_notifier_poll(ctx, &n.e, NULL, poll_end_with_arrival);
	atomic_store(&ctx->notified, false);
	blocks = row->blocks;
	assert_true(aio_poll(ctx, true)); /* ... and without the look this would sleep for ever */
	assert_int_equal(n.ends, 1);
	assert_int_equal(n.readies, 2);
	assert_int_equal(row->blocks, blocks);
	assert_int_equal(row->poll_ends, 1);
	counted_release(&n);
}

/* No poll mode while the loop sleeps: begin and end alternate, and the sleep is outside. */
static void test_poll_mode__left_before_sleep(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	struct AioTimer timer;
	struct EventNotifier *e = &n.e;
	int i;

	polled_setup(&n, ctx);
	aio_timer_init(ctx, &timer, set_other, e);
	for (i = 1; i <= 10; i++) {
		uint64_t blocks = row->blocks;

		ctx->poll.poll_ns = 1000;
		aio_timer_mod_any(&timer, clock_ns() + NS_PER_MS);
		while (n.reads < 1 + i) {
			aio_poll(ctx, true);
			if (row->blocks > blocks)
				assert_false(ctx->poll_started && n.begins != n.ends + 1);
			ctx->poll.poll_ns = 1000;
		}
		assert_true(row->blocks > blocks);
		assert_true(n.begins == n.ends || n.begins == n.ends + 1);
	}
	assert_true(n.ends >= 10);
	assert_true(row->poll_waste_ns > 0);
	assert_true(row->poll_spin_ns >= row->poll_waste_ns);
	counted_release(&n);
}

/* A handler that joins the polled ones while poll mode is on gets its io_poll_begin, too. */
static void test_poll_mode__begin_for_late_handler(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n, late;

	polled_setup(&n, ctx);
	n.work = true;
	assert_true(aio_poll(ctx, true));
	assert_true(ctx->poll_started);
	counted_init(&late, ctx);
	counted_attach_polled(&late);
	event_notifier_set(&late.e);
	while (!late.reads)
		aio_poll(ctx, false);
	assert_int_equal(late.begins, 1);
	assert_int_equal(late.ends, 0);
	counted_release(&late);
	counted_release(&n);
}

/* A removal in poll mode gives no io_poll_end, nor any call to the removed handler; others go on
 * being polled. */
static void test_poll_mode__removal_is_silent(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n, other;
	int polls;

	polled_setup(&n, ctx);
	counted_init(&other, ctx);
	counted_attach_polled(&other);
	ctx->poll.poll_ns = 0;
	counted_make_polled(&other);
	ctx->poll.poll_ns = LONG_SPIN_NS;
	n.work = true;
	assert_true(aio_poll(ctx, true));
	assert_int_equal(n.begins, 1);
	assert_int_equal(other.begins, 1);
	counted_detach(&n);
	polls = n.polls;
	n.work = other.work = true;
	ctx->poll.poll_ns = LONG_SPIN_NS;
	while (!other.readies)
		aio_poll(ctx, true);
	assert_int_equal(other.readies, 1);
	assert_int_equal(n.polls, polls);
	assert_int_equal(n.ends, 0);
	counted_release(&other);
	counted_release(&n);
}

struct nest {
	struct counted_notifier n; /* first */
	struct counted_notifier other;
	bool running;
};

static bool nest_poll(struct EventNotifier *e)
{
	return true; /* always: a queue that its handler does not empty */
}

static void nest_ready(struct EventNotifier *e)
{
	struct nest *t = (struct nest *)e;

	assert_false(t->running);
	t->running = true;
	event_notifier_set(&t->other.e);
	assert_true(aio_poll(t->n.ctx, true));
	t->n.readies++;
	t->running = false;
}

static void nest_read(struct EventNotifier *e)
{
	event_notifier_test_and_clear(e);
	((struct nest *)e)->n.reads++;
}

/* io_poll is true all the time: a blocking turn inside io_poll_ready does not enter it again, and
 * polling works afterwards. */
static void test_poll_mode__nested_turn_does_not_recurse(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct nest t = { .running = false };
	int i;

	counted_init(&t.n, ctx);
	counted_init(&t.other, ctx);
	loop_set_poll(ctx, NS_PER_MS, NULL);
	event_notifier_set(&t.n.e);
	aio_set_event_notifier(ctx, &t.n.e, nest_read, nest_poll, nest_ready);
	counted_attach_polled(&t.other);
	/* The first event comes by the fd, and makes the handler a polled one. */
	while (!t.n.reads)
		aio_poll(ctx, true);
	for (i = 1; i <= 5; i++) {
		ctx->poll.poll_ns = NS_PER_MS;
		while (t.n.readies < i)
			assert_true(aio_poll(ctx, true));
		assert_true(t.other.reads + t.other.readies >= 1);
	}
	assert_int_equal(t.n.readies, 5);
	counted_release(&t.n);
	counted_release(&t.other);
}

static void sleeping_ready(struct EventNotifier *e)
{
	struct nest *t = (struct nest *)e;
	int reads = t->other.reads;

	t->n.readies++;
	t->n.work = false;
	if (t->running)
		return;
	t->running = true;
	assert_int_equal(t->n.begins, 1);
	/* Sleeps until the other one's timer: this handler's notifications must be on by then,
	 * though it is running. */
	while (t->other.reads == reads) {
		t->n.ctx->poll.poll_ns = 0;
		aio_poll(t->n.ctx, true);
	}
	assert_int_equal(t->n.ends, 1);
	/* Arrived in the nested turn, before notifications were on, so without a kick. */
	t->n.work = true;
}

static bool nest_work(struct EventNotifier *e)
{
	return ((struct nest *)e)->n.work;
}

static void remover_ready(struct EventNotifier *e)
{
	struct nest *t = (struct nest *)e;
	int polls;

	t->n.readies++;
	t->n.work = false;
	/* Inside a turn: the node stays until the walk is over. */
	counted_detach(&t->other);
	polls = t->other.polls;
	t->other.work = true;
	aio_poll(t->n.ctx, false);
	assert_int_equal(t->other.polls, polls);
}

/* A handler removed by another one's callback is not polled any more, not even in a nested turn. */
static void test_poll_mode__removed_in_callback_is_not_polled(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct nest t = { .running = false };

	counted_init(&t.n, ctx);
	counted_init(&t.other, ctx);
	counted_attach_polled(&t.other);
	aio_set_event_notifier(ctx, &t.n.e, nest_read, nest_work, remover_ready);
	loop_set_poll(ctx, NS_PER_S, NULL);
	counted_make_polled(&t.other);
	ctx->poll.poll_ns = 0;
	counted_make_polled(&t.n);
	ctx->poll.poll_ns = LONG_SPIN_NS;
	t.n.work = true;
	assert_true(aio_poll(ctx, true));
	assert_int_equal(t.n.readies, 1);
	assert_int_equal(t.other.readies, 0);
	counted_release(&t.n);
	counted_release(&t.other);
}

static void nest_begin(struct EventNotifier *e)
{
	((struct nest *)e)->n.begins++;
}

static void nest_end(struct EventNotifier *e)
{
	((struct nest *)e)->n.ends++;
}

/* Poll mode left by a nested turn: notifications of the handler that runs are on, and it is looked
 * at when it returns. */
static void test_poll_mode__left_inside_its_own_handler(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct nest t = { .running = false };
	struct AioTimer timer;

	counted_init(&t.n, ctx);
	counted_init(&t.other, ctx);
	counted_attach(&t.other);
	/* One fd-only handler: of the three monitors only io_uring can spin beside it. */
	if (aio_context_fdmon(ctx) != AIO_FDMON_IO_URING)
		counted_attach_polled(&t.other);
	loop_set_poll(ctx, NS_PER_S, NULL);
	aio_set_event_notifier(ctx, &t.n.e, nest_read, nest_work, sleeping_ready);
	aio_set_event_notifier_poll(ctx, &t.n.e, nest_begin, nest_end);
	counted_make_polled(&t.n);
	ctx->poll.poll_ns = LONG_SPIN_NS;
	t.n.work = true;
	aio_timer_init(ctx, &timer, set_other, &t.other.e);
	aio_timer_mod_any(&timer, clock_ns() + 20 * NS_PER_MS);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(t.n.readies, 1);
	ctx->poll.poll_ns = 0;
	/* No notification, no io_poll in between: the look at its return has put it on the ready
	 * list. */
	assert_true(aio_poll(ctx, true));
	assert_int_equal(t.n.readies, 2);
	counted_release(&t.n);
	counted_release(&t.other);
}

/* After 7 s of silence a handler is polled no more where fds are watched during the spin, and still
 * is elsewhere. */
static void test_poll_mode__idle_handler_leaves(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier idle, busy;
	struct AioHandler *node;

	polled_setup(&idle, ctx);
	counted_init(&busy, ctx);
	counted_attach_polled(&busy);
	ctx->poll.poll_ns = 0;
	counted_make_polled(&busy);
	ctx->poll.poll_ns = LONG_SPIN_NS;
	busy.work = true;
	assert_true(aio_poll(ctx, true));
	assert_int_equal(idle.begins, 1);
	list_for_each_entry(node, &ctx->poll_handlers, node_poll)
		if (node->fd == idle.e.fd)
			node->last_ran_ns -= AIO_POLL_IDLE_NS;
	ctx->idle_check_ns = 0;
	ctx->poll.poll_ns = LONG_SPIN_NS;
	busy.work = true;
	assert_true(aio_poll(ctx, true));
	if (aio_context_fdmon(ctx) == AIO_FDMON_IO_URING) {
		int polls = idle.polls;

		assert_int_equal(idle.ends, 1);
		busy.work = true;
		ctx->poll.poll_ns = LONG_SPIN_NS;
		assert_true(aio_poll(ctx, true));
		assert_int_equal(idle.polls, polls);
		/* ... and comes back by its fd */
		counted_make_polled(&idle);
		assert_int_equal(idle.reads, 2);
	} else {
		assert_int_equal(idle.ends, 0);
	}
	counted_release(&idle);
	counted_release(&busy);
}

/* One handler without io_poll ends all spinning, except where its fd is watched during the spin. */
static void test_poll_mode__fd_only_handler_is_not_starved(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n, fd_only;
	int turns = 0;

	polled_setup(&n, ctx);
	counted_init(&fd_only, ctx);
	counted_attach(&fd_only);
	loop_drain(ctx);
	event_notifier_set(&fd_only.e);
	while (!fd_only.reads) {
		n.work = true;
		ctx->poll.poll_ns = LONG_SPIN_NS;
		assert_true(aio_poll(ctx, true));
		assert_true(++turns < 100);
	}
	if (aio_context_fdmon(ctx) != AIO_FDMON_IO_URING)
		assert_int_equal(row->polls, 0);
	counted_release(&n);
	counted_release(&fd_only);
}

/* A pollable handler that has not fired yet is found by its fd although another one's polling
 * always hits. */
static void test_poll_mode__new_handler_is_not_starved(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n, fresh;
	int turns = 0;

	polled_setup(&n, ctx);
	counted_init(&fresh, ctx);
	counted_attach_polled(&fresh);
	loop_drain(ctx);
	event_notifier_set(&fresh.e);
	while (!fresh.reads) {
		n.work = true;
		ctx->poll.poll_ns = LONG_SPIN_NS;
		assert_true(aio_poll(ctx, true));
		assert_true(++turns <= 2 * AIO_BLIND_TURNS_MAX);
	}
	counted_release(&n);
	counted_release(&fresh);
}

/* Setting poll-max-ns to 0 leaves poll mode and empties the poll list; what was learned is gone. */
static void test_poll_mode__switched_off_live(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	int polls;

	polled_setup(&n, ctx);
	n.work = true;
	assert_true(aio_poll(ctx, true));
	loop_set_poll(ctx, 0, NULL);
	assert_int_equal(n.ends, 1);
	assert_int_equal(ctx->poll.poll_ns, 0);
	polls = n.polls;
	event_notifier_set(&n.e);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(n.reads, 2);
	assert_int_equal(n.polls, polls);
	counted_release(&n);
}

/* A wake-up ends a spin at once, without counting as work found. */
static void *notify_thread(void *opaque)
{
	struct AioContext *ctx = opaque;

	while (!__atomic_load_n(&ctx->stats->polls, __ATOMIC_RELAXED))
		;
	aio_notify(ctx);
	return NULL;
}

static void test_poll_mode__notify_ends_spin(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;
	pthread_t thread;

	polled_setup(&n, ctx);
	loop_set_poll(ctx, 3600 * NS_PER_S, NULL);
	ctx->poll.poll_ns = 3600 * NS_PER_S;
	assert_int_equal(pthread_create(&thread, NULL, notify_thread, ctx), 0);
	assert_false(aio_poll(ctx, true));
	pthread_join(thread, NULL);
	assert_int_equal(row->polls, 1);
	assert_int_equal(row->blocks, 1); /* the one of polled_setup */
	counted_release(&n);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_poll_mode__begins_after_first_event_and_stays),
		LOOP_TEST(test_poll_mode__look_after_end_catches_arrival),
		LOOP_TEST(test_poll_mode__left_before_sleep),
		LOOP_TEST(test_poll_mode__begin_for_late_handler),
		LOOP_TEST(test_poll_mode__removal_is_silent),
		LOOP_TEST(test_poll_mode__nested_turn_does_not_recurse),
		LOOP_TEST(test_poll_mode__removed_in_callback_is_not_polled),
		LOOP_TEST(test_poll_mode__left_inside_its_own_handler),
		LOOP_TEST(test_poll_mode__idle_handler_leaves),
		LOOP_TEST(test_poll_mode__fd_only_handler_is_not_starved),
		LOOP_TEST(test_poll_mode__new_handler_is_not_starved),
		LOOP_TEST(test_poll_mode__switched_off_live),
		LOOP_TEST(test_poll_mode__notify_ends_spin),
	};

	return loop_tests_run("poll_mode", tests, sizeof(tests) / sizeof(tests[0]));
}
