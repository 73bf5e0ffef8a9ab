// SPDX-License-Identifier: BSD-2-Clause
/* Loop accounts: the five parts are the wall time, however the loop was armed and ended. */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>

#include "fake.h"

#define WALL (FAKE_NOW_NS - FAKE_START_NS)

static int setup(void **state)
{
	*state = fake_new();
	return 0;
}

static int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

static uint64_t parts(const struct report_loop *l)
{
	return l->handling_ns + l->polling_hit_ns + l->polling_waste_ns + l->blocked_ns +
	       l->runq_ns;
}

/* Armed late: what was before counts as blocked; the running phase counts until now. */
static void test_loops__account_adds_up(void **state)
{
	struct tracer *t = *state;
	struct stats_loop *row = fake_loop(t);
	struct report *r;

	row->account_start_ns = FAKE_START_NS + 500000000;
	row->handling_ns = 100000000;
	row->polling_hit_ns = 200000000;
	row->polling_waste_ns = 300000000;
	row->blocked_ns = 400000000;
	row->phase = STATS_PHASE_POLLING;
	row->phase_since_ns = FAKE_NOW_NS - 500000000;
	r = fake_join(t);
	assert_int_equal(r->loop[0].wall_ns, WALL);
	assert_int_equal(parts(&r->loop[0]), WALL);
	assert_int_equal(r->loop[0].blocked_ns, 900000000);
	assert_int_equal(r->loop[0].polling_waste_ns, 800000000);
	report_free(r);
}

/* Every setting of the policy and what it has learned is in the report. */
static void test_loops__settings(void **state)
{
	struct tracer *t = *state;
	struct stats_loop *row = fake_loop(t);
	struct report *r;

	row->poll_max_ns = 1;
	row->poll_ns = 2;
	row->poll_grow = 3;
	row->poll_shrink = 4;
	row->poll_weight = 5;
	memcpy(row->poll_policy, "break-even", sizeof("break-even"));
	r = fake_join(t);
	assert_int_equal(r->loop[0].poll_max_ns, 1);
	assert_int_equal(r->loop[0].poll_ns, 2);
	assert_int_equal(r->loop[0].poll_grow, 3);
	assert_int_equal(r->loop[0].poll_shrink, 4);
	assert_int_equal(r->loop[0].poll_weight, 5);
	assert_string_equal(r->loop[0].poll_policy, "break-even");
	report_free(r);
}

/* A loop that never noticed that it is armed has slept all the time. */
static void test_loops__never_woken(void **state)
{
	struct tracer *t = *state;
	struct report *r = fake_join(t);

	assert_int_equal(r->loop[0].blocked_ns, WALL);
	assert_int_equal(parts(&r->loop[0]), WALL);
	report_free(r);
}

/* Another tracer armed it first: only what came since our start is ours. */
static void test_loops__armed_before_us(void **state)
{
	struct tracer *t = *state;
	struct stats_loop *row = fake_loop(t), *before = &t->before->loop[row - t->now->loop];
	struct report *r;

	before->account_start_ns = row->account_start_ns = FAKE_START_NS - 700000000;
	before->blocked_ns = 600000000;
	before->phase = STATS_PHASE_BLOCKED;
	before->phase_since_ns = FAKE_START_NS - 100000000;
	row->blocked_ns = 900000000;
	row->handling_ns = 1700000000;
	row->phase = STATS_PHASE_HANDLING;
	row->phase_since_ns = FAKE_NOW_NS - 100000000;
	r = fake_join(t);
	assert_int_equal(parts(&r->loop[0]), WALL);
	assert_int_equal(r->loop[0].blocked_ns, 200000000);
	report_free(r);
}

/* Time on the run queue is taken out of blocked, and never more than there is. */
static void test_loops__runq_comes_out_of_blocked(void **state)
{
	struct tracer *t = *state;
	struct thread_row *thread = fake_thread(t, 11);
	struct report *r;

	thread->loop.runq_wake_ns = 30000000;
	thread->loop.runq_preempt_ns = 7000;
	thread->loop.wakes = 12;
	thread->loop.cpu = 1;
	r = fake_join(t);
	assert_int_equal(r->loop[0].runq_ns, 30000000);
	assert_int_equal(r->loop[0].blocked_ns, WALL - 30000000);
	assert_int_equal(r->loop[0].preempted_ns, 7000);
	assert_int_equal(r->loop[0].wakes, 12);
	assert_int_equal(r->loop[0].cpu, 1);
	report_free(r);
	thread->loop.runq_wake_ns = 2 * WALL;
	r = fake_join(t);
	assert_int_equal(r->loop[0].runq_ns, WALL);
	assert_int_equal(parts(&r->loop[0]), WALL);
	report_free(r);
}

/* The account of a thread that ended ends with it. */
static void test_loops__account_ends_with_the_thread(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_loop(t)->account_start_ns = FAKE_START_NS;
	fake_loop(t)->phase = STATS_PHASE_BLOCKED;
	fake_loop(t)->phase_since_ns = FAKE_START_NS;
	fake_thread(t, 11)->loop.exit_ns = FAKE_START_NS + 1000000;
	r = fake_join(t);
	assert_int_equal(r->loop[0].wall_ns, 1000000);
	assert_int_equal(parts(&r->loop[0]), 1000000);
	report_free(r);
}

/* A row that the VMM has given back is still the kind of loop it was. */
static void test_loops__kind_of_a_loop_that_ended(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_loop(t)->kind = STATS_LOOP_UNUSED;
	r = fake_join(t);
	assert_int_equal(r->loop[0].kind, STATS_LOOP_IOTHREAD);
	report_free(r);
}

/* More hand-overs than the ring holds: the newest, oldest first, with names and their true number.
 */
static void test_loops__handovers(void **state)
{
	struct tracer *t = *state;
	uint64_t n = STATS_MAX_HANDOVERS + 10, i;
	struct report *r;

	for (i = 0; i < n; i++)
		t->now->handover[i % STATS_MAX_HANDOVERS] =
			(struct stats_handover){ .t_ns = FAKE_START_NS + i,
						 .duration_ns = 5,
						 .device = "disk0",
						 .from = 2,
						 .to = 9 };
	t->now->n_handovers = n;
	r = fake_join(t);
	assert_int_equal(r->handovers_total, n);
	assert_int_equal(r->n_handovers, STATS_MAX_HANDOVERS);
	assert_int_equal(r->handover[0].t_ns, 10);
	assert_string_equal(r->handover[0].from, "io0");
	assert_string_equal(r->handover[0].to, "?");
	report_free(r);
	t->before->n_handovers = n - 3;
	r = fake_join(t);
	assert_int_equal(r->n_handovers, 3);
	report_free(r);
}

/* vCPUs are the threads the VMM named, also when it has ended; BPF's figures are found by thread.
 */
static void test_loops__vcpus(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	t->now->vcpu_tid[0] = 21;
	t->now->vcpu_tid[1] = 22;
	fake_thread(t, 22)->vcpu.mmio_writes = 9;
	r = fake_join(t);
	assert_int_equal(r->n_vcpus, 2);
	assert_int_equal(r->vcpu[0].mmio_writes, 0);
	assert_int_equal(r->vcpu[1].mmio_writes, 9);
	report_free(r);
}

static void add_exit(struct tracer *t, uint32_t tid, uint32_t isa, uint64_t reason, uint64_t count)
{
	t->view.exit[t->view.n_exits++] =
		(struct kernel_exit){ .key = { .tid = tid, .isa = isa, .reason = reason },
				      .count = count };
}

/* Exit reasons: of this vCPU, by name where there is one, the most frequent first. */
static void test_loops__exit_reasons(void **state)
{
	struct tracer *t = *state;
	struct report *r;
	uint32_t i;

	t->view.exit = calloc(100, sizeof(*t->view.exit));
	t->now->vcpu_tid[0] = 21;
	add_exit(t, 21, EXIT_ISA_SVM, 0x78, 5);
	add_exit(t, 21, EXIT_ISA_SVM, 0x400, 900);
	add_exit(t, 99, EXIT_ISA_SVM, 0x400, 7);
	add_exit(t, 21, EXIT_ISA_VMX, 12, 4);
	add_exit(t, 21, EXIT_ISA_OTHER, 0x2f, 3);
	for (i = 0; i < 60; i++)
		add_exit(t, 21, EXIT_ISA_SVM, 0x1000 + i, 1);
	r = fake_join(t);
	join_exit_reasons(t, r);
	assert_int_equal(r->vcpu[0].n_reasons, REPORT_EXIT_REASONS);
	assert_string_equal(r->vcpu[0].reason[0].name, "npf");
	assert_int_equal(r->vcpu[0].reason[0].count, 900);
	assert_string_equal(r->vcpu[0].reason[1].name, "hlt");
	assert_string_equal(r->vcpu[0].reason[2].name, "HLT");
	assert_string_equal(r->vcpu[0].reason[3].name, "0x2f");
	assert_string_equal(r->vcpu[0].reason[REPORT_EXIT_REASONS - 1].name, "other");
	assert_int_equal(r->vcpu[0].reason[REPORT_EXIT_REASONS - 1].count,
			 60 - (REPORT_EXIT_REASONS - 1 - 4));
	report_free(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_loops__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(settings),
		TEST(account_adds_up),
		TEST(never_woken),
		TEST(armed_before_us),
		TEST(runq_comes_out_of_blocked),
		TEST(account_ends_with_the_thread),
		TEST(kind_of_a_loop_that_ended),
		TEST(handovers),
		TEST(vcpus),
		TEST(exit_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
