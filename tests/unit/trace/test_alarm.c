// SPDX-License-Identifier: BSD-2-Clause
/* When there is something to raise an alarm for: decisions on plain facts, what is kept from check
 * to check, and what a thread waits for. */
#include "alarm.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <lib/tap.h>
#include "stack_regs.h"

#define SECOND 1000000000ll

static struct stuck_facts kicked_at(int64_t kicked_ns)
{
	return (struct stuck_facts){ .now_ns = 10 * SECOND,
				     .stuck_ns = SECOND,
				     .kicked_ns = kicked_ns,
				     .consumer = { 0, 0 } };
}

/* A kick that waits for longer than the limit is stuck since it came; a younger one is not. */
static void test_alarm__old_kick_is_stuck(void **state)
{
	struct stuck_facts f = kicked_at(7 * SECOND);

	assert_int_equal(alarm_stuck_since(&f), 7 * SECOND);
	f = kicked_at(9 * SECOND + 1);
	assert_int_equal(alarm_stuck_since(&f), 0);
}

/* A loop in poll mode serves the queue and leaves the eventfd as it is: no alarm, until it stops.
 */
static void test_alarm__service_without_reading_is_not_stuck(void **state)
{
	struct stuck_facts f = kicked_at(2 * SECOND);

	f.count_known = true;
	f.readable_ns = 3 * SECOND;
	f.last_kick_ns = 9 * SECOND + 600;
	f.served_ns = 9 * SECOND + 500;
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.served_ns = 8 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 8 * SECOND);
}

/* A consumer that runs all the time may poll for a guest that takes no interrupts. */
static void test_alarm__running_consumer_is_not_stuck(void **state)
{
	struct stuck_facts f = kicked_at(2 * SECOND);

	f.consumer = (struct thread_share){ 0.97, 0.98 };
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.consumer = (struct thread_share){ 0.3, 0.4 };
	assert_int_equal(alarm_stuck_since(&f), 2 * SECOND);
	f.consumer = (struct thread_share){ -1, -1 };
	assert_int_equal(alarm_stuck_since(&f), 2 * SECOND);
}

/* An eventfd that was drained unseen is not stuck, whatever the maps say. */
static void test_alarm__drained_unseen_is_not_stuck(void **state)
{
	struct stuck_facts f = kicked_at(2 * SECOND);

	f.count_known = true;
	assert_int_equal(alarm_stuck_since(&f), 0);
}

/* One that was signalled before the tracer came is stuck by its count alone. */
static void test_alarm__signalled_before_us_is_stuck(void **state)
{
	struct stuck_facts f = kicked_at(0);

	assert_int_equal(alarm_stuck_since(&f), 0);
	f.count_known = true;
	f.readable_ns = 5 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 5 * SECOND);
}

/* Who polls takes kicks without a trace: what is older than its last look is no kick's age. */
static void test_alarm__age_counts_from_the_last_poll(void **state)
{
	struct stuck_facts f = kicked_at(2 * SECOND);

	f.polled_ns = 9 * SECOND + 1;
	assert_int_equal(alarm_stuck_since(&f), 0);
	assert_int_equal(alarm_pending_since(&f), 9 * SECOND + 1);
	f.polled_ns = 8 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 8 * SECOND);
	f.polled_ns = 1 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 2 * SECOND);
}

/* A vhost worker never reads the eventfd: idle, it is readable for ever. */
static void test_alarm__vhost_is_judged_by_kicks(void **state)
{
	struct stuck_facts f = kicked_at(0);

	f.count_known = true;
	f.readable_ns = 3 * SECOND;
	f.how = CONSUMER_VHOST;
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.last_kick_ns = 4 * SECOND;
	f.served_ns = 4 * SECOND + 1;
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.kicked_ns = 5 * SECOND;
	f.last_kick_ns = 6 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 5 * SECOND);
}

/* Nor does an edge-triggered epoll: it was served, and stayed readable. One that reads is another
 * matter. */
static void test_alarm__who_never_reads_is_judged_by_kicks(void **state)
{
	struct stuck_facts f = kicked_at(2 * SECOND);

	f.count_known = true;
	f.readable_ns = 3 * SECOND;
	f.last_kick_ns = 4 * SECOND;
	f.served_ns = 5 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.last_kick_ns = 6 * SECOND;
	assert_int_equal(alarm_stuck_since(&f), 5 * SECOND);
	f.last_kick_ns = 4 * SECOND;
	f.drained = true;
	assert_int_equal(alarm_stuck_since(&f), 5 * SECOND);
}

/* Checks follow the user's limit, within bounds. */
static void test_alarm__period_follows_the_limit(void **state)
{
	assert_int_equal(alarm_period_ns(SECOND / 2), SECOND / 4);
	assert_int_equal(alarm_period_ns(10 * SECOND), SECOND / 2);
	assert_int_equal(alarm_period_ns(1), SECOND / 20);
}

static const struct spin_facts spins = { .thread = { 0.99, 1 },
					 .count_before = 1,
					 .count = 1,
					 .link = WAITS_FOR_IT,
					 .known = true };

/* All of it together is spinning, and nothing less is. */
static void test_alarm__spinning_takes_all_signs(void **state)
{
	struct spin_facts f = spins;

	assert_true(alarm_spins(&f));
	f.thread = (struct thread_share){ 0.7, 0.8 };
	assert_false(alarm_spins(&f));
	f = spins;
	f.thread = (struct thread_share){ -1, -1 };
	assert_false(alarm_spins(&f));
	f = spins;
	f.worked = true;
	assert_false(alarm_spins(&f));
	f = spins;
	f.count_before = 0;
	assert_false(alarm_spins(&f));
	f = spins;
	f.count_before = 2; /* it was read, and signalled again */
	assert_false(alarm_spins(&f));
}

/* A thread that spins in user mode, or waits for other things, is not spinning for this. Where it
 * cannot be asked, it must have been seen waiting. */
static void test_alarm__spinning_waits_for_the_eventfd(void **state)
{
	struct spin_facts f = spins;

	f.link = WAITS_NOT;
	assert_false(alarm_spins(&f));
	f.link = WAITS_MAY;
	assert_true(alarm_spins(&f));
	f.known = false;
	assert_false(alarm_spins(&f));
	f.link = WAITS_FOR_IT;
	assert_true(alarm_spins(&f));
}

/* One that was seen to spin goes on while nothing speaks against it: without a CPU, or between two
 * waits, it cannot be told. */
static void test_alarm__spinning_lasts_while_it_cannot_be_told(void **state)
{
	struct spin_facts f = spins;

	f.link = WAITS_NOT;
	assert_true(alarm_may_spin(&f));
	f.thread = (struct thread_share){ 0, 1 };
	assert_false(alarm_spins(&f));
	assert_true(alarm_may_spin(&f));
	f.worked = true;
	assert_false(alarm_may_spin(&f));
	f = spins;
	f.thread = (struct thread_share){ 0.5, 0.6 };
	assert_false(alarm_may_spin(&f));
	f = spins;
	f.count_before = 2;
	assert_false(alarm_may_spin(&f));
}

/* Two checks, and the user's limit. */
static void test_alarm__spinning_is_due_after_both(void **state)
{
	assert_false(alarm_spin_is_due(SECOND, 4 * SECOND, 1, SECOND));
	assert_false(alarm_spin_is_due(SECOND, 2 * SECOND - 1, 2, SECOND));
	assert_true(alarm_spin_is_due(SECOND, 2 * SECOND, 2, SECOND));
}

/* Readable since the first walk that saw it so; since the newest if it was drained between. */
static void test_alarm__readable_since_it_was_not_drained(void **state)
{
	struct alarm_watch w = { 0 };
	struct vm_eventfd e = { .ctx = 0x1000, .id = 3, .count = 2 };

	watch_begin(&w, 1 * SECOND);
	assert_int_equal(watch_eventfd(&w, &e)->readable_ns, SECOND);
	watch_begin(&w, 2 * SECOND);
	e.count = 5;
	assert_int_equal(watch_eventfd(&w, &e)->readable_ns, SECOND);
	assert_int_equal(watch_eventfd(&w, &e)->count_before, 2);
	watch_begin(&w, 3 * SECOND);
	e.count = 4;
	assert_int_equal(watch_eventfd(&w, &e)->readable_ns, 3 * SECOND);
	watch_begin(&w, 4 * SECOND);
	e.count = 0;
	assert_int_equal(watch_eventfd(&w, &e)->readable_ns, 0);
	/* Another eventfd under the old number. */
	watch_begin(&w, 5 * SECOND);
	e.ctx = 0x2000;
	e.count = 9;
	assert_int_equal(watch_eventfd(&w, &e)->readable_ns, 5 * SECOND);
	assert_int_equal(watch_eventfd(&w, &e)->count_before, 0);
	assert_int_equal(w.n_eventfds, 2);
	watch_begin(&w, 6 * SECOND);
	assert_int_equal(w.n_eventfds, 1);
}

/* Two checks in a row, not two in all; another eventfd begins anew. */
static void test_alarm__stuck_is_told_by_two_checks_in_a_row(void **state)
{
	static struct alarm_watch w;
	struct vm_eventfd e = { .ctx = 0x1000, .id = 3 };

	memset(&w, 0, sizeof(w));
	watch_begin(&w, 1 * SECOND);
	assert_false(watch_stuck(&w, watch_queue(&w, 2, &e)));
	assert_false(watch_stuck(&w, watch_queue(&w, 2, &e)));
	watch_begin(&w, 2 * SECOND);
	watch_begin(&w, 3 * SECOND);
	watch_queue(&w, 2, &e)->polled_ns = SECOND;
	assert_false(watch_stuck(&w, watch_queue(&w, 2, &e)));
	watch_begin(&w, 4 * SECOND);
	assert_true(watch_stuck(&w, watch_queue(&w, 2, &e)));
	e.ctx = 0x2000;
	assert_int_equal(watch_queue(&w, 2, &e)->polled_ns, 0);
	watch_begin(&w, 5 * SECOND);
	assert_false(watch_stuck(&w, watch_queue(&w, 2, &e)));
}

/* That it was drained, and by whom it is waited for, stays known. */
static void test_alarm__who_reads_is_remembered(void **state)
{
	static struct alarm_watch w;
	struct vm_eventfd e = { .ctx = 1, .id = 3, .count = 5, .n_consumers = 1 };

	memset(&w, 0, sizeof(w));
	e.consumer[0] = (struct vm_consumer){ .tid = 0, .how = CONSUMER_VHOST };
	watch_begin(&w, 1);
	assert_int_equal(watch_eventfd(&w, &e)->how, CONSUMER_VHOST);
	e.n_consumers = 0;
	e.count = 7;
	watch_begin(&w, 2);
	assert_int_equal(watch_eventfd(&w, &e)->how, CONSUMER_VHOST);
	assert_false(watch_eventfd(&w, &e)->drained);
	e.count = 6;
	watch_begin(&w, 3);
	assert_true(watch_eventfd(&w, &e)->drained);
	e.count = 9;
	watch_begin(&w, 4);
	assert_true(watch_eventfd(&w, &e)->drained);
}

/* Who was seen waiting stays known while nobody is: a loop that is busy. */
static void test_alarm__consumer_is_remembered(void **state)
{
	struct alarm_watch w = { 0 };
	struct vm_eventfd e = { .ctx = 1, .id = 3, .n_consumers = 2 };

	e.consumer[0] = (struct vm_consumer){ .tid = 99, .how = CONSUMER_IRQFD };
	e.consumer[1] = (struct vm_consumer){ .tid = 42, .how = CONSUMER_PPOLL };
	watch_begin(&w, 1);
	assert_int_equal(watch_eventfd(&w, &e)->consumer_tid, 42);
	watch_begin(&w, 2);
	e.n_consumers = 0;
	assert_int_equal(watch_eventfd(&w, &e)->consumer_tid, 42);
}

/* On a busy machine it has half of a CPU, and never sleeps all the same; one that gets none is
 * stuck. */
static void test_alarm__runs_whenever_others_let_it(void **state)
{
	struct stuck_facts f = kicked_at(2 * SECOND);

	f.consumer = (struct thread_share){ 0.5, 0.99 };
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.consumer = (struct thread_share){ 0.2, 0.7, true };
	assert_int_equal(alarm_stuck_since(&f), 0);
	f.consumer = (struct thread_share){ 0, 1, true };
	assert_int_equal(alarm_stuck_since(&f), 2 * SECOND);
}

/* The share of a CPU between two checks, and whether anything came of it. */
static void test_alarm__share_of_a_cpu(void **state)
{
	struct thread_times times = {
		.run_ns = 100, .wait_ns = 50, .consumes = 5, .runnable = true
	};
	const struct watched_thread *t;
	struct alarm_watch w = { 0 };

	watch_begin(&w, 1 * SECOND);
	t = watch_thread(&w, 7, &times);
	assert_true(t->share.cpu < 0 && t->share.awake < 0);
	assert_false(t->worked);
	watch_begin(&w, 3 * SECOND);
	times.run_ns += SECOND;
	times.wait_ns += SECOND / 2;
	t = watch_thread(&w, 7, &times);
	assert_true(t->share.cpu > 0.49 && t->share.cpu < 0.51);
	assert_true(t->share.awake > 0.74 && t->share.awake < 0.76);
	assert_true(t->share.never_slept);
	assert_false(t->worked);
	watch_begin(&w, 4 * SECOND);
	times.run_ns += SECOND;
	times.irqs++;
	times.switches++;
	t = watch_thread(&w, 7, &times);
	assert_true(t->share.cpu > 0.99);
	assert_true(t->worked);
	assert_false(t->share.never_slept);
	/* Its number was used again. */
	watch_begin(&w, 5 * SECOND);
	times.run_ns = 10;
	assert_true(watch_thread(&w, 7, &times)->share.cpu < 0);
}

/* A table that is full is no crash: the rest is not watched. */
static void test_alarm__watch_is_bounded(void **state)
{
	static struct alarm_watch w;
	struct vm_eventfd e = { .count = 1 };
	const struct thread_times times = { 0 };
	uint32_t i, missed = 0;

	memset(&w, 0, sizeof(w));
	watch_begin(&w, 1);
	for (i = 0; i < WATCH_EVENTFDS + 10; i++) {
		e.ctx = i + 1;
		missed += !watch_eventfd(&w, &e);
	}
	assert_int_equal(missed, 10);
	for (i = missed = 0; i < WATCH_THREADS + 3; i++)
		missed += !watch_thread(&w, i + 1, &times);
	assert_int_equal(missed, 3);
}

static struct stack_record in_syscall(long nr, uint64_t arg0, uint64_t arg1)
{
	struct stack_record r = { .tid = getpid(), .tgid = getpid(), .regs_bytes = 0 };

	r.regs_bytes = STACK_REGS_BYTES;
#if defined(__x86_64__)
	r.regs[15] = nr;
	r.regs[14] = arg0;
	r.regs[13] = arg1;
#elif defined(__aarch64__)
	r.regs[35] = nr;
	r.regs[34] = arg0;
	r.regs[1] = arg1;
#endif
	return r;
}

/* A poll set is read out of the process: the eventfd is in it or it is not. */
static void test_alarm__poll_set_is_looked_into(void **state)
{
	struct pollfd set[2] = { { .fd = 70, .events = POLLOUT }, { .fd = 71, .events = POLLIN } };
	struct stack_record r = in_syscall(SYS_ppoll, (uintptr_t)set, 2);
	const int32_t in = 71, only_out = 70;

	assert_int_equal(alarm_waits_for(getpid(), &r, &in, 1), WAITS_FOR_IT);
	assert_int_equal(alarm_waits_for(getpid(), &r, &only_out, 1), WAITS_NOT);
	/* The VMM's number of it means nothing in another process. */
	assert_int_equal(alarm_waits_for(getpid() + 1, &r, &in, 1), WAITS_MAY);
	r = in_syscall(SYS_ppoll, 1, 2);
	assert_int_equal(alarm_waits_for(getpid(), &r, &in, 1), WAITS_MAY);
}

/* An epoll set is told by /proc. */
static void test_alarm__epoll_set_is_looked_into(void **state)
{
	int epoll = epoll_create1(0), fd = eventfd(5, 0), other = eventfd(0, 0);
	struct epoll_event event = { .events = EPOLLIN };
	struct stack_record r = in_syscall(SYS_epoll_pwait, epoll, 0);
	uint64_t count;

	assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	assert_int_equal(alarm_waits_for(getpid(), &r, &fd, 1), WAITS_FOR_IT);
	assert_int_equal(alarm_waits_for(getpid(), &r, &other, 1), WAITS_NOT);
	assert_true(alarm_eventfd_count(getpid(), fd, &count));
	assert_int_equal(count, 5);
	assert_false(alarm_eventfd_count(getpid(), epoll, &count));
	close(other);
	close(fd);
	close(epoll);
}

/* Another system call, or none, is no wait; a ring's may be. */
static void test_alarm__other_calls_are_no_wait(void **state)
{
	struct stack_record r = in_syscall(SYS_write, 3, 0);
	const int32_t fd = 3;

	assert_int_equal(alarm_waits_for(getpid(), &r, &fd, 1), WAITS_NOT);
	r = in_syscall(-1, 3, 0);
	assert_int_equal(alarm_waits_for(getpid(), &r, &fd, 1), WAITS_NOT);
	r = in_syscall(SYS_io_uring_enter, 3, 0);
	assert_int_equal(alarm_waits_for(getpid(), &r, &fd, 1), WAITS_MAY);
}

/* What /proc says of a thread: its state, its time on a CPU. */
static void test_alarm__thread_in_proc(void **state)
{
	struct thread_times times = { 0 };

	assert_int_equal(alarm_thread_state(getpid()), 'R');
	assert_int_equal(alarm_thread_state(-1), '?');
	if (!alarm_times(getpid(), &times))
		skip_because("this kernel has no schedstat (CONFIG_SCHED_INFO)");
	assert_true(times.run_ns > 0);
	assert_true(times.runnable);
	assert_false(alarm_times(-1, &times));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarm__old_kick_is_stuck),
		cmocka_unit_test(test_alarm__service_without_reading_is_not_stuck),
		cmocka_unit_test(test_alarm__running_consumer_is_not_stuck),
		cmocka_unit_test(test_alarm__drained_unseen_is_not_stuck),
		cmocka_unit_test(test_alarm__signalled_before_us_is_stuck),
		cmocka_unit_test(test_alarm__age_counts_from_the_last_poll),
		cmocka_unit_test(test_alarm__vhost_is_judged_by_kicks),
		cmocka_unit_test(test_alarm__who_never_reads_is_judged_by_kicks),
		cmocka_unit_test(test_alarm__period_follows_the_limit),
		cmocka_unit_test(test_alarm__stuck_is_told_by_two_checks_in_a_row),
		cmocka_unit_test(test_alarm__who_reads_is_remembered),
		cmocka_unit_test(test_alarm__spinning_takes_all_signs),
		cmocka_unit_test(test_alarm__spinning_waits_for_the_eventfd),
		cmocka_unit_test(test_alarm__spinning_lasts_while_it_cannot_be_told),
		cmocka_unit_test(test_alarm__spinning_is_due_after_both),
		cmocka_unit_test(test_alarm__readable_since_it_was_not_drained),
		cmocka_unit_test(test_alarm__consumer_is_remembered),
		cmocka_unit_test(test_alarm__runs_whenever_others_let_it),
		cmocka_unit_test(test_alarm__share_of_a_cpu),
		cmocka_unit_test(test_alarm__watch_is_bounded),
		cmocka_unit_test(test_alarm__poll_set_is_looked_into),
		cmocka_unit_test(test_alarm__epoll_set_is_looked_into),
		cmocka_unit_test(test_alarm__other_calls_are_no_wait),
		cmocka_unit_test(test_alarm__thread_in_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
