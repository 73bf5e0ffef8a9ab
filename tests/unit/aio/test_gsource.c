// SPDX-License-Identifier: BSD-2-Clause
/* The same behaviours with the context as a source of GLib's main context (QEMU's /aio-gsource),
 * per fd monitor. */
#include "fixture.h"

#include <handoff/clock.h>
#include "../../../user/aio/uring.h"

static GSource *attach(struct AioContext *ctx)
{
	GSource *source = aio_get_g_source(ctx);

	g_source_attach(source, NULL);
	while (g_main_context_iteration(NULL, false))
		;
	return source;
}

static void detach(GSource *source)
{
	g_source_destroy(source);
	g_source_unref(source);
	while (g_main_context_iteration(NULL, false))
		;
}

struct bh_data {
	struct QEMUBH *bh;
	int runs, max;
};

static void bh_run(void *opaque)
{
	struct bh_data *d = opaque;

	if (++d->runs < d->max)
		aio_bh_schedule(d->bh);
	else
		aio_bh_delete(d->bh);
}

/* A notify may give one turn, then it is quiet again. */
static void test_gsource__notify_then_quiet(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	GSource *source = attach(ctx);
	int i;

	assert_false(g_main_context_iteration(NULL, false));
	aio_notify(ctx);
	for (i = 0; g_main_context_iteration(NULL, false); i++)
		assert_true(i < 3);
	assert_false(g_main_context_iteration(NULL, false));
	detach(source);
}

/* A bottom half wakes GLib's wait, one that schedules itself runs once per iteration, a cancelled
 * or deleted one never. */
static void test_gsource__bottom_halves(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	GSource *source = attach(ctx);
	struct bh_data d = { .max = 10 }, cancelled = { .max = 1 }, deleted = { .max = 1 };
	int i;

	d.bh = aio_bh_new(ctx, bh_run, &d, "self");
	cancelled.bh = aio_bh_new(ctx, bh_run, &cancelled, "cancelled");
	deleted.bh = aio_bh_new(ctx, bh_run, &deleted, "deleted");
	aio_bh_schedule(d.bh);
	aio_bh_schedule(cancelled.bh);
	aio_bh_cancel(cancelled.bh);
	aio_bh_schedule(deleted.bh);
	aio_bh_delete(deleted.bh);
	for (i = 1; i <= 10; i++) {
		assert_true(g_main_context_iteration(NULL, true));
		assert_int_equal(d.runs, i);
	}
	while (g_main_context_iteration(NULL, false))
		;
	assert_int_equal(d.runs, 10);
	assert_int_equal(cancelled.runs + deleted.runs, 0);
	aio_bh_delete(cancelled.bh);
	detach(source);
}

/* An idle bottom half, which wakes nobody, runs when GLib's wait ends for its sake. */
static void test_gsource__idle_bottom_half(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	GSource *source = attach(ctx);
	struct bh_data d = { .max = 1 };

	d.bh = aio_bh_new(ctx, bh_run, &d, "idle");
	aio_bh_schedule_idle(d.bh);
	while (!d.runs)
		g_main_context_iteration(NULL, true);
	assert_int_equal(d.runs, 1);
	detach(source);
}

/* A set notifier: one call each, in as many iterations; none after removal. Handlers added later
 * are watched, too. */
static void test_gsource__events(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier before, after;
	GSource *source;

	counted_init(&before, ctx);
	counted_init(&after, ctx);
	counted_attach(&before);
	source = attach(ctx);
	counted_attach(&after);
	while (g_main_context_iteration(NULL, false))
		;
	assert_int_equal(before.reads + after.reads, 0);
	before.again = 9;
	event_notifier_set(&before.e);
	event_notifier_set(&after.e);
	while (before.reads < 10 || after.reads < 1)
		assert_true(g_main_context_iteration(NULL, true));
	while (g_main_context_iteration(NULL, false))
		;
	assert_int_equal(before.reads, 10);
	assert_int_equal(after.reads, 1);
	counted_detach(&before);
	event_notifier_set(&before.e);
	while (g_main_context_iteration(NULL, false))
		;
	assert_int_equal(before.reads, 10);
	counted_release(&before);
	counted_release(&after);
	detach(source);
}

static void note_time(void *opaque)
{
	*(int64_t *)opaque = clock_ns();
}

/* A timer wakes GLib, late rather than early. */
static void test_gsource__timer_never_early(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	GSource *source = attach(ctx);
	int64_t due, ran = 0;
	struct AioTimer timer;

	aio_timer_init(ctx, &timer, note_time, &ran);
	due = clock_ns() + 25 * NS_PER_MS + 1;
	aio_timer_mod_any(&timer, due);
	while (!ran)
		g_main_context_iteration(NULL, true);
	assert_true(ran >= due);
	detach(source);
}

static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
	io_uring_prep_nop(sqe);
}

struct request {
	struct CqeHandler cqe;
	int done;
};

static void request_done(struct CqeHandler *cqe)
{
	((struct request *)cqe)->done++;
}

/* A request queued between two iterations is submitted by prepare, and its completion seen. */
static void test_gsource__ring_requests(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct request r = { .cqe.cb = request_done };
	GSource *source = attach(ctx);
	int i;

	if (aio_uring_setup(ctx)) {
		print_message("# no io_uring\n");
		skip();
	}
	for (i = 1; i <= 3; i++) {
		aio_add_sqe(ctx, prep_nop, NULL, &r.cqe);
		while (r.done < i)
			g_main_context_iteration(NULL, true);
	}
	assert_int_equal(ctx->uring->in_flight, 0);
	detach(source);
}

static void nest(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	event_notifier_test_and_clear(e);
	n->reads++;
	if (n->again-- > 0) {
		event_notifier_set(e);
		while (n->again >= 0)
			aio_poll(n->ctx, true);
	}
}

/* aio_poll inside a handler that GLib dispatched. */
static void test_gsource__nested_aio_poll(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	GSource *source = attach(ctx);
	struct counted_notifier n;

	counted_init(&n, ctx);
	aio_set_event_notifier(ctx, &n.e, nest, NULL, NULL);
	n.again = 1;
	event_notifier_set(&n.e);
	while (n.reads < 2)
		g_main_context_iteration(NULL, true);
	assert_int_equal(n.reads, 2);
	counted_release(&n);
	detach(source);
}

/* Poll mode that was on when GLib took over is left, and what the last look finds is run, not
 * forgotten. */
static void test_gsource__leaves_poll_mode_and_keeps_its_hits(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct counted_notifier n;
	GSource *source;

	counted_init(&n, ctx);
	counted_attach_polled(&n);
	loop_set_poll(ctx, NS_PER_S, NULL);
	counted_make_polled(&n);
	ctx->poll.poll_ns = NS_PER_S;
	n.work = true;
	assert_true(aio_poll(ctx, true));
	assert_int_equal(n.begins, 1);
	n.work = true;
	source = attach(ctx);
	assert_int_equal(n.ends, 1);
	assert_int_equal(n.readies, 2);
	assert_int_equal(n.begins, 1);
	counted_release(&n);
	detach(source);
}

/* Settings reach the row, and start the learning anew, though no aio_poll runs. */
static void test_gsource__settings_take_effect(void **state)
{
	struct aio_poll_params params = { .policy = "qemu", .poll_max_ns = 12345 };
	struct AioContext *ctx = loop_ctx(state);
	GSource *source = attach(ctx);
	struct error err;

	assert_int_equal(aio_context_set_poll_params(ctx, &params, &err), 0);
	while (g_main_context_iteration(NULL, false))
		;
	assert_int_equal(loop_row(state)->poll_max_ns, 12345);
	assert_string_equal(ctx->policy->name, "qemu");
	assert_int_equal(loop_row(state)->polls, 0);
	detach(source);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_gsource__notify_then_quiet),
		LOOP_TEST(test_gsource__bottom_halves),
		LOOP_TEST(test_gsource__idle_bottom_half),
		LOOP_TEST(test_gsource__events),
		LOOP_TEST(test_gsource__timer_never_early),
		LOOP_TEST(test_gsource__ring_requests),
		LOOP_TEST(test_gsource__nested_aio_poll),
		LOOP_TEST(test_gsource__settings_take_effect),
		LOOP_TEST(test_gsource__leaves_poll_mode_and_keeps_its_hits),
	};

	return loop_tests_run("gsource", tests, sizeof(tests) / sizeof(tests[0]));
}
