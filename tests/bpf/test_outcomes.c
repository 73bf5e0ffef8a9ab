// SPDX-License-Identifier: BSD-2-Clause
/*
 * What BPF makes of a kick, every outcome produced on purpose: events of a vCPU are run by hand,
 * the wake-ups between them are real (fake_vmm.h).
 */
#include "privileged.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/clock.h>

#include "fake_vmm.h"

/* Lets time pass: the subject of these tests is that a kick waits. */
static void wait_ns(int64_t ns)
{
	int64_t end = clock_ns() + ns;

	while (clock_ns() < end)
		poll(NULL, 0, 1);
}

static void assert_outcomes(const struct report *r, uint64_t notified, uint64_t busy, uint64_t lost,
			    uint64_t userspace)
{
	const struct report_queue *q = &r->queue[0];

	assert_int_equal(q->outcome[OUTCOME_NOTIFIED], notified);
	assert_int_equal(q->outcome[OUTCOME_BUSY], busy);
	assert_int_equal(q->outcome[OUTCOME_LOST], lost);
	assert_int_equal(q->outcome[OUTCOME_USERSPACE], userspace);
	assert_int_equal(q->arrivals, notified + busy + lost + userspace);
}

/* A kick that wakes a sleeping loop is notified, and each leg of its way has one sample. */
static void test_outcomes__notified(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 1; i <= 10; i++) {
		fake_kick(f);
		fake_wait_handled(f, i);
	}
	r = fake_report(f);
	assert_outcomes(r, 10, 0, 0, 0);
	assert_int_equal(r->queue[0].kicks, 10);
	assert_int_equal(r->queue[0].kicks_vmm, 10);
	assert_int_equal(r->queue[0].wasted_kicks, 0);
	/* Our signal is a write: where the kernel's own can be hooked, it is none. */
	assert_int_equal(fake_count(r, STAGE_SIGNAL),
			 r->stage[STAGE_SIGNAL].evidence == EVIDENCE_INFERRED ? 10 : 0);
	assert_int_equal(fake_count(r, STAGE_WAKE), 10);
	assert_int_equal(fake_count(r, STAGE_RUNQ), 10);
	assert_int_equal(fake_count(r, STAGE_DISPATCH), 10);
	assert_true(r->stage[STAGE_WAKE].hist.min_ns > 0);
	assert_true(r->loop[0].wakes >= 10);
	assert_true(r->loop[0].cpu >= 0);
	report_free(r);
}

/* The loop is awake with something else when the kick comes: busy, and nothing was woken. */
static void test_outcomes__busy(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_keep_busy(f);
	fake_kick(f);
	fake_release(f);
	fake_wait_handled(f, 1);
	r = fake_report(f);
	assert_outcomes(r, 0, 1, 0, 0);
	assert_int_equal(r->queue[0].wasted_kicks, 1);
	assert_int_equal(fake_count(r, STAGE_SIGNAL), 0);
	assert_int_equal(fake_count(r, STAGE_WAKE), 0);
	assert_int_equal(fake_count(r, STAGE_DISPATCH), 1);
	report_free(r);
}

/* Kicks that come before the loop has looked are one arrival. */
static void test_outcomes__coalesced(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_hold(f);
	fake_kick(f);
	fake_wait_held(f);
	fake_kick(f);
	fake_kick(f);
	fake_release(f);
	fake_wait_handled(f, 1);
	r = fake_report(f);
	assert_outcomes(r, 1, 0, 0, 0);
	assert_int_equal(r->queue[0].kicks, 3);
	assert_int_equal(r->queue[0].kicks_vmm, 3);
	assert_int_equal(r->queue[0].wasted_kicks, 2);
	report_free(r);
}

/* Nobody comes in time: lost while it waits, and still lost, once, when it was served at last. */
static void test_outcomes__lost(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_hold(f);
	fake_kick(f);
	wait_ns(2 * FAKE_SHORT_NS);
	r = fake_report(f);
	assert_outcomes(r, 0, 0, 1, 0);
	report_free(r);
	fake_release(f);
	fake_wait_handled(f, 1);
	r = fake_report(f);
	assert_outcomes(r, 0, 0, 1, 0);
	assert_true(r->stage[STAGE_DISPATCH].hist.max_ns > FAKE_SHORT_NS);
	report_free(r);
	fake_kick(f);
	fake_wait_handled(f, 2);
	r = fake_report(f);
	assert_outcomes(r, 1, 0, 1, 0);
	report_free(r);
}

/* No ioeventfd takes it: the kick leaves to user space and waits for nobody. */
static void test_outcomes__userspace(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_mmio_write(f, FAKE_GPA);
	FAKE_TRACEPOINT(f, "ho_user_exit", 6, 0);
	fake_queue_row(f)->arrivals++;
	fake_queue_row(f)->arrivals_userspace++;
	fake_queue_row(f)->userspace_kicks++;
	wait_ns(2 * FAKE_SHORT_NS);
	r = fake_report(f);
	assert_outcomes(r, 0, 0, 0, 1);
	assert_int_equal(r->queue[0].kicks, 1);
	assert_int_equal(r->queue[0].kicks_vmm, 1);
	assert_int_equal(r->queue[0].left_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->queue[0].kicks_left, 1);
	assert_int_equal(r->queue[0].kicks_left_vmm, 1);
	report_free(r);
}

/* An interrupt that wakes the loop in the vCPU thread, on the way out, does not hide the kick. */
static void test_outcomes__woken_on_the_way_out(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_mmio_write(f, FAKE_GPA);
	fake_poke(f);
	FAKE_TRACEPOINT(f, "ho_user_exit", 6, 0);
	fake_queue_row(f)->userspace_kicks++;
	fake_wait_asleep(f);
	r = fake_report(f);
	assert_int_equal(r->queue[0].kicks, 1);
	assert_int_equal(r->queue[0].kicks_left, 1);
	report_free(r);
}

/* A user exit for another reason, or a failed one, does not take the kick with it. */
static void test_outcomes__other_user_exits(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_hold(f);
	fake_kick(f);
	FAKE_TRACEPOINT(f, "ho_user_exit", 10, (uint64_t)-4);
	wait_ns(2 * FAKE_SHORT_NS);
	r = fake_report(f);
	assert_outcomes(r, 0, 0, 1, 0);
	report_free(r);
	fake_release(f);
	fake_wait_handled(f, 1);
	/* The vCPU reads a port, of which is told only when user space has answered. */
	fake_mmio_write(f, FAKE_GPA);
	fake_signal(f);
	FAKE_TRACEPOINT(f, "ho_user_exit", 2, 0);
	fake_wait_handled(f, 2);
	r = fake_report(f);
	assert_int_equal(r->queue[0].kicks, 2);
	assert_int_equal(r->queue[0].kicks_left, 0);
	report_free(r);
}

/* In poll mode the eventfd may stay unread for long: its kick was polled, it is not lost. */
static void test_outcomes__kick_left_over_from_poll_mode(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;

	NEED_PRIVILEGE();
	fake_poll_mode(f, true);
	fake_keep_busy(f);
	fake_kick(f);
	fake_queue_row(f)->arrivals++;
	fake_queue_row(f)->arrivals_polled++;
	wait_ns(2 * FAKE_SHORT_NS);
	r = fake_report(f);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 0);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 1);
	report_free(r);
	fake_set_work(f, false);
	fake_release(f);
	fake_wait_handled(f, 1);
	fake_poll_mode(f, false);
	r = fake_report(f);
	assert_int_equal(r->queue[0].arrivals, 1);
	assert_int_equal(r->queue[0].wasted_kicks, 1);
	report_free(r);
}

/*
 * A kick that woke nobody leaves the vCPU armed. An interrupt that wakes the loop in this thread
 * once the kick is served must not be taken for the kick's, nor the next arrival for notified.
 */
static void test_outcomes__later_wake_is_not_the_kicks(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 1; i <= 20; i++) {
		fake_keep_busy(f);
		fake_mmio_write(f, FAKE_GPA);
		fake_signal(f);
		fake_release(f);
		fake_wait_handled(f, i);
		fake_poke(f);
		fake_wait_asleep(f);
	}
	r = fake_report(f);
	assert_outcomes(r, 0, 20, 0, 0);
	assert_int_equal(fake_count(r, STAGE_SIGNAL), 0);
	assert_int_equal(fake_count(r, STAGE_WAKE), 0);
	report_free(r);
}

/* Where kvm_exit fires it begins the way; an exit in between ends the vCPU's claim to wakes. */
static void test_outcomes__exit_stage(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 1; i <= 5; i++) {
		FAKE_TRACEPOINT(f, "ho_kvm_exit", 0, 0);
		fake_kick(f);
		FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
		fake_wait_handled(f, i);
	}
	r = fake_report(f);
	assert_outcomes(r, 5, 0, 0, 0);
	assert_int_equal(fake_count(r, STAGE_EXIT), 5);
	assert_int_equal(r->stage[STAGE_EXIT].evidence, EVIDENCE_EXACT);
	report_free(r);
}

/* Intel's fast MMIO is told after the eventfd was signalled: the wake is the kick's all the same.
 */
static void test_outcomes__fast_mmio(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 1; i <= 5; i++) {
		fake_hold(f);
		FAKE_TRACEPOINT(f, "ho_kvm_exit", 0, 0);
		fake_signal(f);
		FAKE_TRACEPOINT(f, "ho_fast_mmio", FAKE_GPA);
		FAKE_TRACEPOINT(f, "ho_kvm_entry", 0, 0);
		fake_release(f);
		fake_wait_handled(f, i);
	}
	r = fake_report(f);
	assert_outcomes(r, 5, 0, 0, 0);
	assert_int_equal(r->queue[0].kicks, 5);
	assert_int_equal(fake_count(r, STAGE_WAKE), 5);
	report_free(r);
}

static void *short_life(void *opaque)
{
	return opaque;
}

/* Threads come and go, more than there is room for: those of note stay, and nothing is lost. */
static void test_outcomes__many_threads(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	pthread_t thread;
	unsigned int i;

	NEED_PRIVILEGE();
	fake_kick(f);
	fake_wait_handled(f, 1);
	for (i = 0; i < MODEL_MAX_THREADS + 200; i++) {
		assert_int_equal(pthread_create(&thread, NULL, short_life, NULL), 0);
		pthread_join(thread, NULL);
	}
	fake_kick(f);
	fake_wait_handled(f, 2);
	r = fake_report(f);
	assert_outcomes(r, 2, 0, 0, 0);
	assert_int_equal(r->queue[0].kicks, 2);
	report_free(r);
}

/* What another process does is nobody's business. */
static void test_outcomes__other_processes(void **state)
{
	struct fake_vmm *f = *state;
	struct report *r;
	pid_t child;
	int status;

	NEED_PRIVILEGE();
	child = fork();
	if (!child) {
		fake_mmio_write(f, FAKE_GPA);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	r = fake_report(f);
	assert_int_equal(r->queue[0].kicks, 0);
	report_free(r);
}

int main(void)
{
#define LONG(name)                                                                                 \
	cmocka_unit_test_setup_teardown(test_outcomes__##name, fake_setup_long, fake_teardown)
#define SHORT(name)                                                                                \
	cmocka_unit_test_setup_teardown(test_outcomes__##name, fake_setup_short, fake_teardown)
	const struct CMUnitTest tests[] = {
		LONG(notified),
		LONG(busy),
		LONG(coalesced),
		SHORT(lost),
		SHORT(userspace),
		LONG(woken_on_the_way_out),
		SHORT(other_user_exits),
		SHORT(kick_left_over_from_poll_mode),
		LONG(later_wake_is_not_the_kicks),
		LONG(exit_stage),
		LONG(fast_mmio),
		LONG(many_threads),
		LONG(other_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
