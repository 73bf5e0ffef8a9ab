// SPDX-License-Identifier: BSD-2-Clause
/* Bottom halves, events and timers through aio_poll: the behaviours of QEMU's test-aio
 * (semantics.md 7), per fd monitor. */
#include "fixture.h"

#include <handoff/clock.h>

/* --- bottom halves ---------------------------------------------------------------------------- */

struct bh_data {
	struct QEMUBH *bh;
	int runs, max;
};

static void bh_run(void *opaque)
{
	struct bh_data *d = opaque;

	assert_true(d->runs < d->max);
	if (++d->runs < d->max)
		aio_bh_schedule(d->bh);
}

static void bh_run_and_delete(void *opaque)
{
	struct bh_data *d = opaque;

	assert_true(d->runs < d->max);
	if (++d->runs < d->max) {
		aio_bh_schedule(d->bh);
	} else {
		aio_bh_delete(d->bh);
		d->bh = NULL;
	}
}

static void bh_init(struct bh_data *d, struct AioContext *ctx, QEMUBHFunc *cb, int max)
{
	*d = (struct bh_data){ .max = max };
	d->bh = aio_bh_new(ctx, cb, d, "test");
	assert_non_null(d->bh);
}

/* A scheduled bottom half does not run at once, runs once, and then there is nothing to do. */
static void test_bh__runs_once_and_not_inline(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct bh_data d;

	bh_init(&d, ctx, bh_run, 1);
	aio_bh_schedule(d.bh);
	assert_int_equal(d.runs, 0);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(d.runs, 1);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(d.runs, 1);
	aio_bh_delete(d.bh);
}

/* One that schedules itself runs exactly once a turn. */
static void test_bh__reschedule_waits_for_next_turn(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct bh_data d;
	int i;

	bh_init(&d, ctx, bh_run, 10);
	aio_bh_schedule(d.bh);
	for (i = 1; i <= 10; i++) {
		assert_true(aio_poll(ctx, false));
		assert_int_equal(d.runs, i);
	}
	assert_false(aio_poll(ctx, false));
	assert_int_equal(d.runs, 10);
	aio_bh_delete(d.bh);
}

/* A cancelled one never runs and is no progress. */
static void test_bh__cancelled_does_not_run(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct bh_data d;

	bh_init(&d, ctx, bh_run, 1);
	aio_bh_schedule(d.bh);
	aio_bh_cancel(d.bh);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(d.runs, 0);
	/* ... and can be scheduled again */
	aio_bh_schedule(d.bh);
	assert_true(aio_poll(ctx, false));
	assert_int_equal(d.runs, 1);
	aio_bh_delete(d.bh);
}

/* Deletion wins over scheduling, in either order. */
static void test_bh__deleted_does_not_run(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct bh_data d;

	bh_init(&d, ctx, bh_run, 1);
	aio_bh_schedule(d.bh);
	aio_bh_delete(d.bh);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(d.runs, 0);
}

/* One may delete itself in its callback. */
static void test_bh__deletes_itself(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct bh_data d;

	bh_init(&d, ctx, bh_run_and_delete, 1);
	aio_bh_schedule(d.bh);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(d.runs, 1);
	assert_null(d.bh);
	assert_false(aio_poll(ctx, false));
}

/* Several with lives of different length, one run each per turn. */
static void test_bh__many_delete_themselves(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct bh_data d[4];
	int i, turn;

	for (i = 0; i < 4; i++) {
		bh_init(&d[i], ctx, bh_run_and_delete, i + 1);
		aio_bh_schedule(d[i].bh);
	}
	for (turn = 1; turn <= 4; turn++) {
		assert_true(aio_poll(ctx, false));
		for (i = 0; i < 4; i++)
			assert_int_equal(d[i].runs, turn < i + 1 ? turn : i + 1);
	}
	assert_false(aio_poll(ctx, false));
	for (i = 0; i < 4; i++)
		assert_null(d[i].bh);
}

struct order {
	int seen[3], n;
};
static struct order order;

static void order_note(void *opaque)
{
	order.seen[order.n++] = (int)(intptr_t)opaque;
}

/* Within one taking the order is last in, first out. */
static void test_bh__slice_is_lifo(void **state)
{
	struct AioContext *ctx = loop_ctx(state);

	order.n = 0;
	aio_bh_schedule_oneshot(ctx, order_note, (void *)1, "one");
	aio_bh_schedule_oneshot(ctx, order_note, (void *)2, "two");
	aio_bh_schedule_oneshot(ctx, order_note, (void *)3, "three");
	assert_true(aio_poll(ctx, true));
	assert_int_equal(order.n, 3);
	assert_int_equal(order.seen[0], 3);
	assert_int_equal(order.seen[2], 1);
}

static void nest_turn(void *opaque)
{
	struct AioContext *ctx = opaque;

	order.seen[order.n++] = 10;
	aio_poll(ctx, false);
	order.seen[order.n++] = 11;
}

/* A nested turn runs the rest of the outer one's slice, so a wait inside a bottom half cannot wait
 * for its neighbour in vain. */
static void test_bh__nested_turn_drains_outer_slice(void **state)
{
	struct AioContext *ctx = loop_ctx(state);

	order.n = 0;
	aio_bh_schedule_oneshot(ctx, order_note, (void *)1, "one");
	aio_bh_schedule_oneshot(ctx, nest_turn, ctx, "nest");
	assert_true(aio_poll(ctx, true));
	assert_int_equal(order.n, 3);
	assert_int_equal(order.seen[0], 10);
	assert_int_equal(order.seen[1], 1);
	assert_int_equal(order.seen[2], 11);
}

static void idle_run(void *opaque)
{
	struct bh_data *d = opaque;

	d->runs++;
	if (d->runs < d->max)
		aio_bh_schedule_idle(d->bh);
}

/* An idle one caps the sleep at 10 ms, is no progress, and does not keep the loop awake by
 * scheduling itself. */
static void test_bh__idle_runs_but_lets_loop_sleep(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct bh_data d;
	int64_t start = clock_ns();

	bh_init(&d, ctx, idle_run, 5);
	aio_bh_schedule_idle(d.bh);
	while (d.runs < 5)
		assert_false(aio_poll(ctx, true));
	assert_true(row->blocks >= 4);
	assert_true(clock_ns() - start >= 4 * 9 * NS_PER_MS);
	aio_bh_delete(d.bh);
}

/* --- events ----------------------------------------------------------------------------------- */

/* Coming and going of a silent notifier is neither progress nor a call. */
static void test_event__add_remove_is_silent(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;

	counted_init(&n, ctx);
	counted_attach(&n);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(n.reads, 0);
	counted_detach(&n);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(n.reads, 0);
	counted_release(&n);
}

/* A set notifier gives exactly one call, and none after it was removed. */
static void test_event__one_call_per_set(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;

	counted_init(&n, ctx);
	counted_attach(&n);
	loop_drain(ctx);
	event_notifier_set(&n.e);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(n.reads, 1);
	assert_false(aio_poll(ctx, false));
	event_notifier_set(&n.e);
	counted_detach(&n);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(n.reads, 1);
	counted_release(&n);
}

/* A notifier set again in its own callback needs one turn each. */
static void test_event__set_again_in_callback(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	int i;

	counted_init(&n, ctx);
	counted_attach(&n);
	n.again = 9;
	event_notifier_set(&n.e);
	loop_drain(ctx);
	assert_int_equal(n.reads, 10);
	n.again = 4;
	event_notifier_set(&n.e);
	for (i = 0; i < 5; i++)
		assert_true(aio_poll(ctx, true));
	assert_false(aio_poll(ctx, false));
	assert_int_equal(n.reads, 15);
	counted_release(&n);
}

/* A blocking turn does not sleep over a set notifier, whoever else is active. */
static void test_event__blocking_turn_sees_set_notifier(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n, other;

	counted_init(&n, ctx);
	counted_init(&other, ctx);
	counted_attach(&n);
	counted_attach(&other);
	event_notifier_set(&n.e);
	while (!n.reads)
		aio_poll(ctx, true);
	event_notifier_set(&n.e);
	event_notifier_set(&other.e);
	while (n.reads < 2 || other.reads < 1)
		assert_true(aio_poll(ctx, true));
	assert_false(aio_poll(ctx, false));
	assert_int_equal(n.reads, 2);
	assert_int_equal(other.reads, 1);
	counted_release(&n);
	counted_release(&other);
}

/* A handler that is replaced does not run any more; its successor gets what is pending. */
static void test_event__replaced_handler_hands_over(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;

	counted_init(&n, ctx);
	counted_attach(&n);
	loop_drain(ctx);
	event_notifier_set(&n.e);
	counted_attach_polled(&n);
	assert_true(aio_poll(ctx, true) || aio_poll(ctx, true));
	assert_int_equal(n.reads, 1);
	assert_false(aio_poll(ctx, false));
	counted_release(&n);
}

/* --- timers ----------------------------------------------------------------------------------- */

struct timer_data {
	struct AioTimer timer;
	int64_t due_ns, period_ns;
	int runs, max;
};

static void timer_run(void *opaque)
{
	struct timer_data *d = opaque;

	assert_true(clock_ns() >= d->due_ns); /* never early */
	assert_int_equal(d->timer.expire_ns, -1);
	if (++d->runs < d->max) {
		d->due_ns = clock_ns() + d->period_ns;
		aio_timer_mod_any(&d->timer, d->due_ns);
	}
}

/* A timer is not early, and wakes a blocking turn each time it is armed. */
static void test_timer__wakes_blocking_turn_never_early(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct timer_data d = { .period_ns = 20 * NS_PER_MS, .max = 5 };
	struct stats_loop *row = loop_row(state);

	aio_timer_init(ctx, &d.timer, timer_run, &d);
	d.due_ns = clock_ns() + d.period_ns;
	aio_timer_mod_any(&d.timer, d.due_ns);
	loop_drain(ctx);
	while (d.runs < d.max)
		aio_poll(ctx, true);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(d.runs, 5);
	assert_true(row->blocks >= 5 && row->blocks < 50);
}

/* One armed in the past by its own callback runs once a turn, not for ever in one. */
static void test_timer__past_expiry_runs_once_per_turn(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct timer_data d = { .period_ns = -1, .max = 3 };

	aio_timer_init(ctx, &d.timer, timer_run, &d);
	aio_timer_mod_any(&d.timer, 0);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(d.runs, 1);
	assert_true(aio_poll(ctx, true));
	assert_true(aio_poll(ctx, true));
	assert_int_equal(d.runs, 3);
	assert_false(aio_poll(ctx, false));
}

/* A deleted timer does not run; moving one changes its place in the queue. */
static void test_timer__delete_and_move(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct timer_data a = { .max = 1 }, b = { .max = 1 };

	aio_timer_init(ctx, &a.timer, timer_run, &a);
	aio_timer_init(ctx, &b.timer, timer_run, &b);
	aio_timer_mod_any(&a.timer, 1);
	aio_timer_mod_any(&b.timer, clock_ns() + 1000 * NS_PER_S);
	aio_timer_del(&a.timer);
	assert_false(aio_poll(ctx, false));
	assert_int_equal(a.runs, 0);
	aio_timer_mod_any(&b.timer, 1);
	assert_true(aio_poll(ctx, true));
	assert_int_equal(b.runs, 1);
	assert_int_equal(a.runs, 0);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_bh__runs_once_and_not_inline),
		LOOP_TEST(test_bh__reschedule_waits_for_next_turn),
		LOOP_TEST(test_bh__cancelled_does_not_run),
		LOOP_TEST(test_bh__deleted_does_not_run),
		LOOP_TEST(test_bh__deletes_itself),
		LOOP_TEST(test_bh__many_delete_themselves),
		LOOP_TEST(test_bh__slice_is_lifo),
		LOOP_TEST(test_bh__nested_turn_drains_outer_slice),
		LOOP_TEST(test_bh__idle_runs_but_lets_loop_sleep),
		LOOP_TEST(test_event__add_remove_is_silent),
		LOOP_TEST(test_event__one_call_per_set),
		LOOP_TEST(test_event__set_again_in_callback),
		LOOP_TEST(test_event__blocking_turn_sees_set_notifier),
		LOOP_TEST(test_event__replaced_handler_hands_over),
		LOOP_TEST(test_timer__wakes_blocking_turn_never_early),
		LOOP_TEST(test_timer__past_expiry_runs_once_per_turn),
		LOOP_TEST(test_timer__delete_and_move),
	};

	return loop_tests_run("aio", tests, sizeof(tests) / sizeof(tests[0]));
}
