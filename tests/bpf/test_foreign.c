// SPDX-License-Identifier: BSD-2-Clause
/*
 * What BPF makes of a VMM that tells nothing (fake_other.h): what each kick met, what became of
 * it, whose an interrupt is, and where the loop's time went.
 */
#include "privileged.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "fake_other.h"

#define MSI 0xfee00000u

/* Kicks of a sleeping loop: each met it asleep, is notified, and has a sample of each leg. */
static void test_foreign__notified(void **state)
{
	struct fake_other *f = *state;
	struct kick_state row;
	struct hist hist;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 1; i <= 10; i++) {
		other_kick(f, 0);
		other_wait(f, i);
	}
	row = other_row(f, 0);
	assert_int_equal(row.kicks, 10);
	assert_int_equal(row.met_asleep, 10);
	assert_int_equal(row.notified, 10);
	assert_int_equal(row.busy + row.lost + row.spurious, 0);
	assert_int_equal(row.served_tid, other_tid(f));
	assert_int_equal(other_view(f)->queue[0].tid, other_tid(f));
	kernel_stage_hist(other_view(f), 0, STAGE_WAKE, &hist);
	assert_int_equal(hist.count, 10);
	kernel_stage_hist(other_view(f), 0, STAGE_DISPATCH, &hist);
	assert_int_equal(hist.count, 10);
	assert_int_equal(other_row(f, 1).kicks, 0);
}

static bool sees_signals(struct fake_other *f)
{
	static const enum program hooks[] = { PROGRAM_SIGNAL_MASK, PROGRAM_SIGNAL_MASK_KP,
					      PROGRAM_SIGNAL, PROGRAM_SIGNAL_KP };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(hooks); i++)
		if (kernel_program(other_kernel(f), hooks[i])->attached)
			return true;
	return false;
}

/* The vCPU's thread wakes the loop before the first signal of all, as an interrupt may that borrows
 * it: that wake is not the kick's, and the loop was awake when the signal came. */
static void test_foreign__woken_before_the_signal(void **state)
{
	struct fake_other *f = *state;
	struct kick_state row;
	struct hist hist;

	NEED_PRIVILEGE();
	if (!sees_signals(f))
		skip_because("functions of this kernel cannot be hooked");
	other_write(f, OTHER_GPA, 0);
	other_hold(f);
	assert_int_equal(other_view(f)->seen.signals_inferred, 1);
	other_signal_in_kernel(f, 0);
	other_go_on(f);
	other_release(f);
	other_wait(f, 1);
	row = other_row(f, 0);
	assert_int_equal(row.woke, 0);
	assert_int_equal(row.met_awake, 1);
	assert_int_equal(row.busy, 1);
	assert_int_equal(other_view(f)->seen.signals_inferred, 0);
	kernel_stage_hist(other_view(f), 0, STAGE_SIGNAL, &hist);
	assert_int_equal(hist.count, 1);
	assert_true(hist.min_ns == hist.max_ns && hist.sum_ns == hist.max_ns);
	/* From now on none is taken for it. */
	other_write(f, OTHER_GPA, 0);
	other_signal_in_kernel(f, 0);
	other_go_on(f);
	other_wait(f, 2);
	row = other_row(f, 0);
	assert_int_equal(row.woke, 1);
	assert_int_equal(row.notified, 1);
	assert_int_equal(other_view(f)->seen.signals_inferred, 0);
	kernel_stage_hist(other_view(f), 0, STAGE_SIGNAL, &hist);
	assert_int_equal(hist.count, 2);
}

/* The loop is awake: the first kick met it so, those that follow are coalesced. */
static void test_foreign__awake_and_coalesced(void **state)
{
	struct fake_other *f = *state;
	struct kick_state row;

	NEED_PRIVILEGE();
	other_hold(f);
	other_kick(f, 0);
	other_kick(f, 0);
	other_kick(f, 0);
	row = other_row(f, 0);
	assert_int_equal(row.coalesced, 2);
	assert_int_equal(row.pending, 3);
	other_release(f);
	other_wait(f, 1);
	row = other_row(f, 0);
	assert_int_equal(row.kicks, 3);
	assert_int_equal(row.coalesced, 2);
	assert_int_equal(row.met_awake, 1);
	assert_int_equal(row.busy, 1);
	assert_int_equal(row.pending, 0);
}

/* A kick whose signal comes after the read begins a window of its own: it is coalesced no more. */
static void test_foreign__fresh_kick_stays(void **state)
{
	struct fake_other *f = *state;
	struct kick_state row;

	NEED_PRIVILEGE();
	other_hold(f);
	other_kick(f, 0);
	other_write(f, OTHER_GPA, 0);
	other_release(f);
	other_wait(f, 1);
	row = other_row(f, 0);
	/* The machine may have been too slow for it to be fresh. */
	if (row.pending) {
		assert_int_equal(row.coalesced, 0);
		assert_int_equal(row.met_awake, 1);
	}
	other_signal(f, 0);
	other_wait(f, 2);
	row = other_row(f, 0);
	assert_int_equal(row.kicks, 2);
	assert_int_equal(row.pending, 0);
}

/* Kicks that leave to user space are none: alone, among others, and after the loop has read. */
static void test_foreign__left_to_user_space(void **state)
{
	struct fake_other *f = *state;
	struct kick_state row;

	NEED_PRIVILEGE();
	other_write(f, OTHER_GPA, 0);
	OTHER_RUN(f, "ho_user_exit", 6, 0);
	row = other_row(f, 0);
	assert_int_equal(row.user_exits, 1);
	assert_int_equal(row.pending + row.coalesced, 0);
	other_hold(f);
	other_kick(f, 0);
	other_write(f, OTHER_GPA, 0);
	OTHER_RUN(f, "ho_user_exit", 6, 0);
	row = other_row(f, 0);
	assert_int_equal(row.coalesced, 0);
	assert_int_equal(row.pending, 1);
	other_write(f, OTHER_GPA, 0);
	other_release(f);
	other_wait(f, 1);
	OTHER_RUN(f, "ho_user_exit", 6, 0);
	row = other_row(f, 0);
	assert_int_equal(row.kicks, 4);
	assert_int_equal(row.user_exits, 3);
	assert_int_equal(row.met_awake, 1);
	assert_int_equal(row.pending + row.coalesced, 0);
}

/* The VMM writes to its eventfd itself: no kick, so no arrival. */
static void test_foreign__signal_without_kick(void **state)
{
	struct fake_other *f = *state;
	struct kick_state row;

	NEED_PRIVILEGE();
	other_kick(f, 0);
	other_wait(f, 1);
	other_signal(f, 0);
	other_wait(f, 2);
	row = other_row(f, 0);
	assert_int_equal(row.notified, 1);
	assert_int_equal(row.spurious, 1);
	assert_int_equal(other_loop(f)->consumes, 2);
}

/* Queues that share an address, and a port, are told apart by what is written. */
static void test_foreign__by_value(void **state)
{
	struct fake_other *f = *state;
	struct kernel_queue queue;
	uint32_t i;

	NEED_PRIVILEGE();
	for (i = 0; i < OTHER_QUEUES; i++) {
		queue = other_queue(f, i);
		queue.ways = (struct queue_ways){
			.n = 2,
			.way = { { OTHER_GPA + 0x100, i, BUS_MMIO | BUS_BY_VALUE, 0 },
				 { 0xc010, i, BUS_PIO | BUS_BY_VALUE, 0 } },
		};
		other_bind(f, i, &queue);
	}
	for (i = 0; i < 4; i++) {
		other_write(f, OTHER_GPA + 0x100, i & 1);
		other_signal(f, i & 1);
		other_wait(f, i + 1);
	}
	other_out(f, 0xc010, 1);
	other_signal(f, 1);
	other_wait(f, 5);
	other_out(f, 0xc010, 7); /* nobody's */
	OTHER_RUN(f, "ho_user_exit", 2, 0);
	assert_int_equal(other_row(f, 0).kicks, 2);
	assert_int_equal(other_row(f, 0).notified, 2);
	assert_int_equal(other_row(f, 1).kicks, 3);
	assert_int_equal(other_row(f, 1).notified, 3);
}

/* What an address has counted stays with the row that had it; a row may lose all, and come back. */
static void test_foreign__bound_anew(void **state)
{
	struct fake_other *f = *state;
	struct kernel_queue none = { .n_fds = 0 }, first, second;
	unsigned int i;

	NEED_PRIVILEGE();
	first = other_queue(f, 0);
	second = other_queue(f, 1);
	for (i = 0; i < 3; i++)
		other_bind(f, 0, &first);
	other_kick(f, 0);
	other_wait(f, 1);
	other_bind(f, 0, &none);
	other_kick(f, 0);
	other_wait(f, 2);
	assert_int_equal(other_row(f, 0).kicks, 1);
	assert_int_equal(other_loop(f)->consumes, 1);
	second.ways.way[0].gpa = OTHER_GPA; /* adopts the kick that was nobody's */
	other_bind(f, 1, &second);
	other_write(f, OTHER_GPA, 0);
	other_signal(f, 1);
	other_wait(f, 3);
	assert_int_equal(other_row(f, 1).kicks, 2);
	other_bind(f, 1, &none);
	other_bind(f, 0, &first);
	other_kick(f, 0);
	other_wait(f, 4);
	assert_int_equal(other_row(f, 0).kicks, 2);
	assert_int_equal(other_row(f, 0).notified, 2);
	assert_int_equal(other_row(f, 1).kicks, 2);
}

struct binder {
	struct fake_other *f;
	atomic_bool end;
};

static void *binder_thread(void *opaque)
{
	struct binder *b = opaque;
	struct kernel_queue queue = other_queue(b->f, 0);

	while (!atomic_load(&b->end))
		other_bind(b->f, 0, &queue);
	return NULL;
}

/* Told again what they know already, the programs miss no read meanwhile. */
static void test_foreign__read_while_bound_anew(void **state)
{
	struct binder b = { .f = *state };
	struct kick_state row;
	pthread_t thread;
	unsigned int i;

	NEED_PRIVILEGE();
	assert_int_equal(pthread_create(&thread, NULL, binder_thread, &b), 0);
	for (i = 1; i <= 300; i++) {
		other_kick(b.f, 0);
		other_wait(b.f, i);
	}
	atomic_store(&b.end, true);
	pthread_join(thread, NULL);
	row = other_row(b.f, 0);
	assert_int_equal(row.kicks, 300);
	assert_int_equal(row.notified + row.busy, 300);
}

static void show_account(const struct loop_state *l)
{
	print_message("# handling %" PRIu64 ", polled %" PRIu64 ", waste %" PRIu64 ", run %" PRIu64
		      " ns; %" PRIu64 " sleeps, %" PRIu64 " irqs, mark %" PRIu64 "\n",
		      (uint64_t)l->handling_ns, (uint64_t)l->polled_ns, (uint64_t)l->waste_ns,
		      (uint64_t)l->run_ns, (uint64_t)l->sleeps, (uint64_t)l->irqs,
		      (uint64_t)l->mark_ns);
}

/* Time on the CPU is told apart by what it led to, and is never more than there was. */
static void test_foreign__account(void **state)
{
	struct fake_other *f = *state;
	const struct loop_state *loop;
	struct loop_state before;

	NEED_PRIVILEGE();
	other_kick(f, 0);
	other_wait(f, 1);
	loop = other_loop(f);
	assert_int_equal(loop->consumes, 1);
	assert_true(loop->handling_ns > 0);
	assert_int_equal(loop->waste_ns + loop->polled_ns, 0);
	before = *loop;
	other_irq(f, MSI, 0x41); /* the kick's; then it sleeps */
	loop = other_loop(f);
	show_account(&before);
	show_account(loop);
	assert_true(loop->handling_ns > before.handling_ns);
	assert_true(loop->waste_ns > 0);
	before = *loop;
	assert_int_equal(loop->polled_ns, 0);
	other_irqs(f, MSI, 0x41, 2); /* no kick before the second, and no sleep */
	loop = other_loop(f);
	assert_true(loop->polled_ns > 0);
	assert_true(loop->waste_ns > before.waste_ns);
	assert_true(loop->sleeps >= 3);
	assert_true(loop->handling_ns + loop->polled_ns + loop->waste_ns <= loop->run_ns);
	other_read_empty(f);
	assert_int_equal(other_loop(f)->reads_empty, 1);
	assert_int_equal(other_loop(f)->consumes, 1);
}

static void consumes(struct fake_other *f)
{
	struct kick_state row;
	unsigned int i;

	for (i = 1; i <= 5; i++) {
		other_kick(f, 0);
		other_wait(f, i);
	}
	row = other_row(f, 0);
	assert_int_equal(row.kicks, 5);
	assert_int_equal(row.notified, 5);
	assert_int_equal(row.met_asleep, 5);
	assert_int_equal(other_loop(f)->consumes, 5);
	assert_int_equal(other_loop(f)->reads_empty, 0);
}

/* A consumer that sleeps in read(). */
static void test_foreign__blocking_read(void **state)
{
	NEED_PRIVILEGE();
	consumes(*state);
}

/* A consumer that has an io_uring read its eventfd. */
static void test_foreign__ring(void **state)
{
	NEED_PRIVILEGE();
	consumes(*state);
}

/* A worker that never reads: its queue is looked at whenever it runs. */
static void test_foreign__worker(void **state)
{
	struct fake_other *f = *state;
	struct kernel_queue queue;

	NEED_PRIVILEGE();
	queue = other_queue(f, 0);
	queue.consumer_tid = other_tid(f);
	other_bind(f, 0, &queue);
	consumes(f);
}

static int teardown(void **state)
{
	other_free(*state);
	return 0;
}

#define SETUP(name, style, hooks)                                                                  \
	static int setup_##name(void **state)                                                      \
	{                                                                                          \
		*state = other_new(style, hooks);                                                  \
		return 0;                                                                          \
	}
SETUP(poll, OTHER_POLL, OTHER_BEST)
SETUP(poll_tp, OTHER_POLL, OTHER_TRACEPOINTS)
SETUP(poll_sys_exit, OTHER_POLL, OTHER_SYS_EXIT)
SETUP(block, OTHER_BLOCK, OTHER_BEST)
SETUP(block_tp, OTHER_BLOCK, OTHER_TRACEPOINTS)
SETUP(ring, OTHER_RING, OTHER_BEST)
SETUP(ring_tp, OTHER_RING, OTHER_TRACEPOINTS)
SETUP(worker, OTHER_WORKER, OTHER_BEST)

int main(void)
{
#define TEST(name, style)                                                                          \
	cmocka_unit_test_setup_teardown(test_foreign__##name, setup_##style, teardown)
	const struct CMUnitTest tests[] = {
		TEST(notified, poll),
		TEST(woken_before_the_signal, poll),
		TEST(awake_and_coalesced, poll),
		TEST(fresh_kick_stays, poll),
		TEST(left_to_user_space, poll),
		TEST(signal_without_kick, poll),
		TEST(by_value, poll),
		TEST(bound_anew, poll),
		TEST(read_while_bound_anew, poll),
		TEST(account, poll),
		TEST(account, poll_tp),
		TEST(account, poll_sys_exit),
		TEST(fresh_kick_stays, poll_sys_exit),
		TEST(blocking_read, block),
		TEST(blocking_read, block_tp),
		TEST(ring, ring),
		TEST(ring, ring_tp),
		TEST(worker, worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
