// SPDX-License-Identifier: BSD-2-Clause
/* The row of a loop: the account adds up to the ns, counters say what happened, nothing is timed
 * while nobody listens. */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/iothread.h>
#include <handoff/main_loop.h>
#include <handoff/stats.h>
#include "../../../user/aio/account.h"
#include "../../../user/aio/context.h"

/* What a tracer's uprobe would do through the kernel. */
static void arm(bool on)
{
	__atomic_store_n(&handoff_stats_armed_semaphore, on, __ATOMIC_RELAXED);
}

static uint64_t account_sum(const struct stats_loop *row)
{
	return row->handling_ns + row->polling_hit_ns + row->polling_waste_ns + row->blocked_ns;
}

typedef uint64_t __attribute__((may_alias)) row_word;

/* A consistent copy of a row that is being written, as a tracer takes it. */
static struct stats_loop snapshot(struct stats_loop *row)
{
	struct stats_loop copy;
	row_word *to = (row_word *)&copy;
	size_t i;
	uint32_t seq;

	do {
		seq = __atomic_load_n(&row->seq, __ATOMIC_ACQUIRE);
		for (i = 0; i < sizeof(copy) / 8; i++)
			to[i] = __atomic_load_n((row_word *)row + i, __ATOMIC_ACQUIRE);
	} while ((seq & 1) || __atomic_load_n(&row->seq, __ATOMIC_ACQUIRE) != seq);
	return copy;
}

static void nothing(void *opaque)
{
}

/* A loop of every phase: polled hits, wasted spins, sleeps. */
static void run_all_phases(struct AioContext *ctx, struct counted_notifier *n)
{
	struct AioTimer timer;
	int i;

	counted_init(n, ctx);
	counted_attach_polled(n);
	loop_set_poll(ctx, NS_PER_S, NULL);
	counted_make_polled(n);
	aio_timer_init(ctx, &timer, nothing, NULL);
	for (i = 0; i < 5; i++) {
		n->work = true;
		ctx->poll.poll_ns = NS_PER_S;
		aio_poll(ctx, true); /* hit */
		ctx->poll.poll_ns = 50 * NS_PER_US;
		aio_timer_mod_any(&timer, clock_ns() + 2 * NS_PER_MS);
		while (timer.expire_ns >= 0)
			aio_poll(ctx, true); /* waste, then sleep */
	}
}

/* Armed: the four parts add up to the time between the account's start and the running phase's,
 * exactly; each has its share. */
static void test_account__adds_up_exactly(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;

	arm(true);
	run_all_phases(ctx, &n);
	arm(false);
	assert_true(row->account_start_ns > 0);
	assert_int_equal(account_sum(row), row->phase_since_ns - row->account_start_ns);
	assert_true(row->blocked_ns >= 5 * NS_PER_MS);
	assert_true(row->polling_hit_ns > 0);
	assert_true(row->polling_waste_ns >= 5 * 50 * NS_PER_US);
	assert_true(row->handling_ns > 0);
	assert_int_equal(row->phase, STATS_PHASE_HANDLING);
	assert_true(row->poll_hits >= 5);
	assert_true(row->blocks >= 5);
	counted_release(&n);
}

/* Disarmed: counters yes, clocks no. */
static void test_account__disarmed_keeps_counters_only(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n;

	run_all_phases(ctx, &n);
	assert_int_equal(account_sum(row), 0);
	assert_int_equal(row->account_start_ns + row->phase_since_ns, 0);
	assert_true(row->polls >= 5 && row->poll_hits >= 5 && row->blocks >= 5);
	assert_true(row->poll_begins >= 5);
	assert_true(row->poll_spin_ns >= row->poll_waste_ns);
	assert_int_equal(row->poll_max_ns, NS_PER_S);
	counted_release(&n);
}

/* Armed anew, the account starts anew, and does not count the time in between. */
static void test_account__rearming_starts_again(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	struct counted_notifier n, m;
	uint64_t first;

	arm(true);
	run_all_phases(ctx, &n);
	first = row->account_start_ns;
	arm(false);
	run_all_phases(ctx, &m);
	assert_int_equal(account_sum(row), 0);
	assert_int_equal(row->phase_since_ns, 0);
	counted_release(&m);
	arm(true);
	run_all_phases(ctx, &m);
	arm(false);
	assert_true(row->account_start_ns > first);
	assert_int_equal(account_sum(row), row->phase_since_ns - row->account_start_ns);
	counted_release(&n);
	counted_release(&m);
}

static void stop_waiting(void *opaque)
{
	atomic_store((_Atomic bool *)opaque, true);
}

/* A reader beside a running loop: whatever moment it hits, a copy's parts add up, the running phase
 * included, to its wall time. */
static void test_account__any_snapshot_adds_up(void **state)
{
	struct stats_loop row = { 0 };
	struct iothread_config config = { .id = "io0",
					  .poll.poll_max_ns = 32768,
					  .aio.stats = &row,
					  .aio.fdmon = ((struct loop_fixture *)*state)->fdmon,
					  .cpu = -1 };
	struct IOThread *t;
	int i, checked = 0;

	loop_ctx(state);
	t = iothread_new(&config, NULL);
	arm(true);
	for (i = 0; i < 2000 || checked < 100; i++) {
		_Atomic bool done = false;
		struct stats_loop s;
		int64_t now;

		aio_bh_schedule_oneshot(iothread_get_aio_context(t), stop_waiting, &done, "stop");
		s = snapshot(&row);
		now = clock_ns();
		if (s.phase_since_ns) {
			assert_int_equal(account_sum(&s), s.phase_since_ns - s.account_start_ns);
			assert_true(s.phase_since_ns <= (uint64_t)now);
			checked++;
		}
		while (!atomic_load(&done))
			sched_yield();
	}
	iothread_free(t);
	arm(false);
	assert_true(checked >= 100);
}

/* A wake-up for a loop that is awake costs no syscall, and is counted as such. */
static void test_account__kicks_suppressed(void **state)
{
	struct AioContext *ctx = loop_ctx(state);
	struct stats_loop *row = loop_row(state);
	uint64_t before = row->kicks_suppressed;

	aio_notify(ctx);
	aio_notify(ctx);
	assert_int_equal(row->kicks_suppressed, before + 2);
	assert_int_equal(row->notifies, 0);
	aio_count_spurious_wake(ctx);
	assert_int_equal(row->spurious_wakes, 1);
}

static void main_quit(void *opaque)
{
	main_loop_quit_any(0);
}

/* The main loop's account: blocked while GLib waits, and it adds up, too. */
static void test_account__main_loop(void **state)
{
	struct stats_loop row = { 0 };
	struct AioContext *ctx, *own = loop_ctx(state);
	struct AioTimer timer;

	aio_set_current_context(NULL);
	assert_int_equal(main_loop_init(&row, NULL), 0);
	ctx = main_loop_aio_context_any();
	arm(true);
	aio_timer_init(ctx, &timer, nothing, NULL);
	aio_timer_mod_any(&timer, clock_ns() + NS_PER_MS);
	while (timer.expire_ns >= 0)
		aio_poll(ctx, true);
	aio_timer_init(ctx, &timer, main_quit, NULL);
	aio_timer_mod_any(&timer, clock_ns() + 5 * NS_PER_MS);
	assert_int_equal(main_loop(), 0);
	arm(false);
	assert_int_equal(account_sum(&row), row.phase_since_ns - row.account_start_ns);
	assert_true(row.blocked_ns >= 4 * NS_PER_MS);
	assert_int_equal(row.polling_hit_ns + row.polling_waste_ns, 0);
	assert_true(row.blocks >= 1);
	main_loop_release();
	aio_set_current_context(own);
}

int main(void)
{
	static const struct loop_test tests[] = {
		LOOP_TEST(test_account__adds_up_exactly),
		LOOP_TEST(test_account__disarmed_keeps_counters_only),
		LOOP_TEST(test_account__rearming_starts_again),
		LOOP_TEST(test_account__any_snapshot_adds_up),
		LOOP_TEST(test_account__kicks_suppressed),
		LOOP_TEST_ON(test_account__main_loop, AIO_FDMON_POLL),
	};

	return loop_tests_run("account", tests, sizeof(tests) / sizeof(tests[0]));
}
