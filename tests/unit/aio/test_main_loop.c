// SPDX-License-Identifier: BSD-2-Clause
/* The main loop: vCPU-like threads with the BQL, waiting for other loops, quitting. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <handoff/bql.h>
#include <handoff/clock.h>
#include <handoff/iothread.h>
#include <handoff/main_loop.h>
#include "../../../user/aio/uring.h"

static struct stats_loop row;

static int setup(void **state)
{
	memset(&row, 0, sizeof(row));
	return main_loop_init(&row, NULL);
}

static int teardown(void **state)
{
	main_loop_release();
	return bql_locked();
}

static void quit_bh(void *opaque)
{
	assert_true(bql_locked());
	main_loop_quit_any((int)(intptr_t)opaque);
}

/* The first exit status counts; the loop holds the BQL in its callbacks; its row knows its thread.
 */
static void test_main_loop__quits_with_first_status(void **state)
{
	struct AioContext *ctx = main_loop_aio_context_any();

	assert_ptr_equal(aio_current_context_any(), ctx);
	assert_int_equal(row.tid, gettid());
	aio_bh_schedule_oneshot(ctx, quit_bh, (void *)7, "quit");
	assert_int_equal(main_loop(), 7);
	main_loop_quit_any(8);
	assert_int_equal(main_loop(), 7);
}

static void *quit_thread(void *opaque)
{
	while (!__atomic_load_n(&row.blocks, __ATOMIC_RELAXED))
		;
	main_loop_quit_any(3);
	return NULL;
}

/* Quitting from another thread wakes the wait. */
static void test_main_loop__quits_from_outside(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, quit_thread, NULL), 0);
	assert_int_equal(main_loop(), 3);
	pthread_join(thread, NULL);
}

/* A source that GLib prepares before ours, so it runs between the loop's look at the exit status
 * and its sleep. */
struct quit_source {
	GSource base; /* first */
	bool armed;
};

static gboolean quit_prepare(GSource *source, gint *timeout_ms)
{
	*timeout_ms = -1;
	if (((struct quit_source *)source)->armed)
		main_loop_quit_any(6);
	return FALSE;
}

static void too_late(void *opaque)
{
	*(bool *)opaque = true;
}

/* Quitting right before the sleep, as a signal handler may, is not lost: a bare notify finds the
 * loop neither asleep nor with work. */
static void test_main_loop__quits_right_before_sleep(void **state)
{
	static GSourceFuncs funcs = { .prepare = quit_prepare };
	GSource *source = g_source_new(&funcs, sizeof(struct quit_source));
	struct AioTimer watchdog;
	bool slept = false;
	int status;

	g_source_set_priority(source, G_PRIORITY_HIGH);
	g_source_attach(source, NULL);
	/* GLib's own wake-up for the new source must not help. */
	while (g_main_context_iteration(NULL, false))
		;
	g_main_context_iteration(NULL, false);
	((struct quit_source *)source)->armed = true;
	aio_timer_init(main_loop_aio_context_any(), &watchdog, too_late, &slept);
	aio_timer_mod_any(&watchdog, clock_ns() + 5 * NS_PER_S);
	status = main_loop();
	aio_timer_del(&watchdog);
	assert_int_equal(status, 6);
	assert_false(slept);
	assert_int_equal(row.blocks, 0);
	g_source_destroy(source);
	g_source_unref(source);
}

static void quit_read(struct EventNotifier *e)
{
	struct counted_notifier *n = (struct counted_notifier *)e;

	event_notifier_test_and_clear(e);
	n->reads++;
	main_loop_quit_any(0);
}

/* An fd event of the main context reaches its handler through GLib's dispatch, not through
 * aio_poll. */
static void test_main_loop__serves_handlers_by_dispatch(void **state)
{
	struct AioContext *ctx = main_loop_aio_context_any();
	struct counted_notifier n;
	uint64_t turns = ctx->dispatches;

	counted_init(&n, ctx);
	aio_set_event_notifier(ctx, &n.e, quit_read, NULL, NULL);
	event_notifier_set(&n.e);
	assert_int_equal(main_loop(), 0);
	assert_int_equal(n.reads, 1);
	assert_true(ctx->dispatches > turns);
	assert_true(row.iterations >= 1);
	assert_int_equal(row.polls, 0);
	counted_release(&n);
}

struct vcpu {
	struct AioContext *ctx;
	struct CqeHandler cqe; /* by vcpu_sqe */
	struct AioTimer timer;
	struct IOThread *iothread;
	_Atomic int runs;
	sem_t ran;
	int rounds;
};

static void vcpu_note(void *opaque)
{
	atomic_fetch_add(&((struct vcpu *)opaque)->runs, 1);
}

static void *vcpu_poll_thread(void *opaque)
{
	struct vcpu *v = opaque;
	int i;

	for (i = 1; i <= v->rounds; i++) {
		bql_lock();
		assert_ptr_equal(aio_current_context_any(), v->ctx);
		aio_bh_schedule_oneshot(v->ctx, vcpu_note, v, "vcpu");
		while (atomic_load(&v->runs) < i)
			aio_poll(v->ctx, true);
		bql_unlock();
		assert_null(aio_current_context_any());
	}
	main_loop_quit_any(0);
	return NULL;
}

/* A thread that holds the BQL may run the main context, time and again, while the main thread waits
 * in GLib. */
static void test_main_loop__vcpu_thread_runs_main_context(void **state)
{
	struct vcpu v = { .ctx = main_loop_aio_context_any(), .rounds = 2000 };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, vcpu_poll_thread, &v), 0);
	assert_int_equal(main_loop(), 0);
	pthread_join(thread, NULL);
	assert_int_equal(v.runs, v.rounds);
}

static void pin_to_first_cpu(void)
{
	cpu_set_t set;
	int cpu = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void vcpu_timer(void *opaque)
{
	vcpu_note(opaque);
	sem_post(&((struct vcpu *)opaque)->ran);
}

static void *vcpu_timer_thread(void *opaque)
{
	struct vcpu *v = opaque;
	int i;

	/* On the main thread's CPU, so that it cannot run between the two. */
	pin_to_first_cpu();
	for (i = 1; i <= v->rounds; i++) {
		while (i == 1 && !__atomic_load_n(&row.blocks, __ATOMIC_RELAXED))
			sched_yield();
		bql_lock();
		aio_timer_mod_any(&v->timer, clock_ns() + 200 * NS_PER_US);
		/* This turn takes the wake-up that the timer has sent. */
		aio_poll(v->ctx, false);
		bql_unlock();
		sem_wait(&v->ran);
	}
	main_loop_quit_any(0);
	return NULL;
}

/*
 * A wake-up that a vCPU thread's turn has taken is given back: the main thread learns of the timer
 * (b37548fcd1). Without that it would sleep for ever in one round or the other.
 */
static void test_main_loop__foreign_turn_steals_no_wakeup(void **state)
{
	struct vcpu v = { .ctx = main_loop_aio_context_any(), .rounds = 300 };
	cpu_set_t old;
	pthread_t thread;

	assert_int_equal(sched_getaffinity(0, sizeof(old), &old), 0);
	pin_to_first_cpu();
	sem_init(&v.ran, 0, 0);
	aio_timer_init(v.ctx, &v.timer, vcpu_timer, &v);
	assert_int_equal(pthread_create(&thread, NULL, vcpu_timer_thread, &v), 0);
	assert_int_equal(main_loop(), 0);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(old), &old);
	sem_destroy(&v.ran);
	assert_int_equal(v.runs, 300);
}

static void prep_nop(struct io_uring_sqe *sqe, void *opaque)
{
	io_uring_prep_nop(sqe);
}

static void vcpu_sqe(struct CqeHandler *cqe)
{
	assert_true(bql_locked());
	main_loop_quit_any(cqe->res);
}

static void *vcpu_sqe_thread(void *opaque)
{
	struct vcpu *v = opaque;

	while (!__atomic_load_n(&row.blocks, __ATOMIC_RELAXED))
		;
	bql_lock();
	aio_add_sqe(v->ctx, prep_nop, NULL, &v->cqe);
	bql_unlock();
	return NULL;
}

/* A request queued by a vCPU thread while the main thread sleeps for ever is submitted all the same
 * (2ae361ef1d). */
static void test_main_loop__vcpu_request_is_submitted(void **state)
{
	struct vcpu v = { .ctx = main_loop_aio_context_any(), .cqe.cb = vcpu_sqe };
	pthread_t thread;

	if (aio_uring_setup(v.ctx)) {
		print_message("# no io_uring\n");
		skip();
	}
	assert_int_equal(pthread_create(&thread, NULL, vcpu_sqe_thread, &v), 0);
	assert_int_equal(main_loop(), 0);
	pthread_join(thread, NULL);
	assert_int_equal(v.ctx->uring->in_flight, 0);
}

static void in_iothread(void *opaque)
{
	struct vcpu *v = opaque;

	assert_ptr_equal(aio_current_context_any(), iothread_get_aio_context(v->iothread));
	assert_false(bql_locked());
	vcpu_note(v);
}

static void *wait_thread(void *opaque)
{
	struct vcpu *v = opaque;
	int i;

	for (i = 0; i < v->rounds; i++) {
		bql_lock();
		aio_wait_bh_oneshot(iothread_get_aio_context(v->iothread), in_iothread, v);
		assert_true(atomic_load(&v->runs) >= i + 1);
		bql_unlock();
	}
	main_loop_quit_any(0);
	return NULL;
}

/* Waiting for an iothread, from the main thread and from a vCPU thread: returns after it ran there,
 * each time. */
static void test_main_loop__waits_for_iothread(void **state)
{
	struct iothread_config config = { .id = "io0", .poll.poll_max_ns = 32768, .cpu = -1 };
	struct vcpu v = { .ctx = main_loop_aio_context_any(), .rounds = 1000 };
	pthread_t thread;
	int i;

	v.iothread = iothread_new(&config, NULL);
	for (i = 1; i <= 1000; i++) {
		aio_wait_bh_oneshot(iothread_get_aio_context(v.iothread), in_iothread, &v);
		assert_int_equal(atomic_load(&v.runs), i);
	}
	atomic_store(&v.runs, 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_thread, &v), 0);
	assert_int_equal(main_loop(), 0);
	pthread_join(thread, NULL);
	assert_int_equal(v.runs, 1000);
	/* In its own context it runs inline. */
	aio_wait_bh_oneshot(v.ctx, vcpu_note, &v);
	assert_int_equal(v.runs, 1001);
	iothread_free(v.iothread);
}

static gboolean glib_timeout(gpointer opaque)
{
	main_loop_quit_any(5);
	return G_SOURCE_REMOVE;
}

/* Other sources of GLib's default context are served, too; polling stays off whatever is set. */
static void test_main_loop__other_sources_and_no_polling(void **state)
{
	struct AioContext *ctx = main_loop_aio_context_any();

	loop_set_poll(ctx, NS_PER_S, NULL);
	assert_false(aio_polling_enabled(ctx));
	g_timeout_add(1, glib_timeout, NULL);
	assert_int_equal(main_loop(), 5);
	assert_int_equal(row.polls + row.poll_begins, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_main_loop__quits_with_first_status, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__quits_from_outside, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__quits_right_before_sleep, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__serves_handlers_by_dispatch, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__vcpu_thread_runs_main_context,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__foreign_turn_steals_no_wakeup,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__vcpu_request_is_submitted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__waits_for_iothread, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_main_loop__other_sources_and_no_polling, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("main_loop", tests, NULL, NULL);
}
