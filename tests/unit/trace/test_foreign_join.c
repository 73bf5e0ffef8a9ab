// SPDX-License-Identifier: BSD-2-Clause
/* Figures of a VMM that tells nothing: outcomes, what kicks met, accounts. */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "fake_vm.h"

#define WALL  (FAKE_NOW_NS - FAKE_START_NS)
#define TID   4000001
#define OTHER 0xfe900000ull

static int setup(void **state)
{
	struct tracer *t = fake_new();
	struct vm_queue *q;

	memset(t->now, 0, sizeof(*t->now));
	memset(t->before, 0, sizeof(*t->before));
	t->foreign = fake_foreign_new();
	q = fake_vm_queue(t->foreign, FAKE_GPA, "0xfe003000", 0, 7);
	fake_vm_consumer(q, TID, CONSUMER_EPOLL, "loop0");
	fake_vm_irqfd(t->foreign, 6, 0xfee00000, 33);
	foreign_take_vm(t->foreign);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tracer *t = *state;

	fake_foreign_free(t->foreign);
	fake_free(t);
	return 0;
}

static struct report *join(struct tracer *t)
{
	foreign_learn(t->foreign, &t->view);
	foreign_fill(t->foreign, t->now);
	return fake_join(t);
}

static struct kick_state *kick(struct tracer *t)
{
	struct kick_state *state = fake_kick(t, FAKE_GPA);

	state->row = 1;
	return state;
}

static uint64_t parts(const struct report_loop *l)
{
	return l->handling_ns + l->polling_hit_ns + l->polling_waste_ns + l->blocked_ns +
	       l->runq_ns;
}

/* Arrivals are what the outcomes add up to; what a spin found is told by interrupts without kicks.
 */
static void test_foreign_join__outcomes(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*kick(t) = (struct kick_state){ .row = 1,
					.kicks = 20,
					.consumed = 17,
					.notified = 9,
					.busy = 5,
					.lost = 1,
					.user_exits = 2,
					.coalesced = 2,
					.met_asleep = 9,
					.met_awake = 6,
					.pending = 1 };
	t->view.queue[0] = (struct queue_state){ .interrupts = 40, .polled = 25, .tid = TID };
	r = join(t);
	assert_int_equal(r->n_queues, 1);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_INFERRED);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 25);
	assert_int_equal(r->queue[0].outcome[OUTCOME_USERSPACE], 2);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 1);
	assert_int_equal(r->queue[0].arrivals, 25 + 9 + 5 + 1 + 2);
	assert_int_equal(r->queue[0].kicks, 20);
	assert_int_equal(r->queue[0].kicks_asleep + r->queue[0].kicks_awake +
				 r->queue[0].kicks_coalesced + r->queue[0].kicks_left +
				 r->queue[0].kicks_open,
			 20);
	assert_int_equal(r->queue[0].wasted_kicks, 20 - 9 - 2 - 1);
	assert_int_equal(r->queue[0].interrupts, 40);
	assert_int_equal(r->queue[0].vmm_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->queue[0].requests_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->queue[0].name_evidence, EVIDENCE_INFERRED);
	assert_string_equal(r->queue[0].name_reason, "a guess");
	assert_string_equal(r->queue[0].loop, "loop0");
	assert_string_equal(r->loop[0].how, "epoll");
	assert_int_equal(report_check(r, NULL, NULL), 0);
	report_free(r);
}

/* With uprobes each entry of the handler is seen: exact, requests too. */
static void test_foreign_join__uprobes(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*kick(t) = (struct kick_state){ .row = 1,
					.kicks = 9,
					.notified = 3,
					.busy = 6,
					.consumed = 9,
					.met_asleep = 3,
					.met_awake = 6 };
	fake_thread(t, TID)->loop = (struct loop_state){ .sleeps = 5 };
	t->view.queue[0] = (struct queue_state){
		.handled = 30, .handled_polled = 25, .submitted = 31, .completed = 30, .tid = TID
	};
	r = join(t);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->queue[0].arrivals, 30);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 25);
	assert_int_equal(r->queue[0].outcome[OUTCOME_NOTIFIED], 3);
	/* The other kicks were read after a spin had found their work. */
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 2);
	assert_int_equal(r->queue[0].requests_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->queue[0].requests, 31);
	assert_int_equal(r->queue[0].completions, 30);
	assert_int_equal(r->loop[0].polls_evidence, EVIDENCE_INFERRED);
	assert_int_equal(r->loop[0].hits, 25);
	assert_int_equal(r->loop[0].polls, 30);
	report_free(r);
}

/* Uprobes that are attached and see nothing of a queue that is kicked tell nothing of it. */
static void test_foreign_join__uprobes_of_others(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	r = join(t);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->queue[0].stage[STAGE_IO].evidence, EVIDENCE_EXACT);
	report_free(r);
	*kick(t) = (struct kick_state){
		.row = 1, .kicks = 5, .notified = 5, .consumed = 5, .met_asleep = 5
	};
	t->view.queue[0] = (struct queue_state){ .interrupts = 5, .tid = TID };
	r = join(t);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_INFERRED);
	assert_int_equal(r->queue[0].requests_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->queue[0].stage[STAGE_IO].evidence, EVIDENCE_ABSENT);
	assert_true(strlen(r->queue[0].stage[STAGE_IO].reason) > 10);
	assert_int_equal(r->queue[0].stage[STAGE_RUNQ].evidence, EVIDENCE_EXACT);
	report_free(r);
}

/* A guest that takes no interrupts: what spins find is not known, and not 0. */
static void test_foreign_join__no_interrupts(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*kick(t) = (struct kick_state){
		.row = 1, .kicks = 5, .notified = 5, .consumed = 5, .met_asleep = 5
	};
	fake_thread(t, TID)->loop = (struct loop_state){ .sleeps = 5 };
	t->view.queue[0].tid = TID;
	r = join(t);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_ABSENT);
	assert_non_null(strstr(r->queue[0].arrivals_reason, "no MSI was sent"));
	assert_int_equal(r->loop[0].polls_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->loop[0].hits, 0);
	assert_non_null(strstr(r->loop[0].account_reason, "no interrupts"));
	report_free(r);
}

/* A kick that nobody came for is lost after a while, unless its queue shows signs of service. */
static void test_foreign_join__lost(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*kick(t) = (struct kick_state){
		.row = 1, .kicks = 1, .pending = 1, .first_ns = FAKE_START_NS
	};
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 1);
	assert_int_equal(r->queue[0].kicks_open, 1);
	report_free(r);
	t->view.queue[0].last_serve_ns = FAKE_NOW_NS - 1000;
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 0);
	report_free(r);
	/* A spinner never reads it: what was kicked before it was seen to serve has been served. */
	kick(t)->last_ns = FAKE_START_NS + 1000;
	t->view.queue[0].last_serve_ns = FAKE_START_NS + 2000;
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 0);
	report_free(r);
	kick(t)->last_ns = FAKE_START_NS + 3000;
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 1);
	report_free(r);
}

/* A queue that has gone keeps its counts, and owes nothing. */
static void test_foreign_join__gone_queue(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*kick(t) = (struct kick_state){ .row = 1,
					.kicks = 3,
					.notified = 2,
					.consumed = 2,
					.met_asleep = 2,
					.pending = 1,
					.first_ns = FAKE_START_NS };
	fake_vm_clear(t->foreign);
	foreign_take_vm(t->foreign);
	r = join(t);
	assert_int_equal(r->n_queues, 1);
	assert_int_equal(r->queue[0].kicks, 3);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 0);
	assert_false(r->queue[0].ioeventfd);
	assert_string_equal(r->queue[0].loop, "loop0");
	report_free(r);
}

/* On the CPU, on the run queue, the rest asleep: all of the wall time. A hit is what is left of a
 * spin's time without the handling of what it found. */
static void test_foreign_join__account(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_thread(t, TID)->loop = (struct loop_state){
		.runq_wake_ns = 5000000,
		.runq_preempt_ns = 1000000,
		.consumes = 100,
		.handling_ns = 10000000, /* 100 us each */
		.polled_irqs = 50,
		.polled_ns = 30000000,
		.waste_ns = 7000000,
		.run_ns = 50000000,
		.sleeps = 70,
	};
	r = join(t);
	assert_int_equal(r->loop[0].account_evidence, EVIDENCE_EXACT); /* as fake_join has it */
	assert_int_equal(r->loop[0].wall_ns, WALL);
	assert_int_equal(parts(&r->loop[0]), WALL);
	assert_int_equal(r->loop[0].runq_ns, 6000000);
	assert_int_equal(r->loop[0].polling_hit_ns, 25000000);
	assert_int_equal(r->loop[0].handling_ns, 10000000 + 5000000 + 3000000);
	assert_int_equal(r->loop[0].polling_waste_ns, 7000000);
	assert_int_equal(r->loop[0].hits, 50);
	assert_int_equal(r->loop[0].polls, 120);
	report_free(r);
}

static void tell_settings(struct tracer *t, uint64_t poll_max_ns)
{
	t->foreign->names.n_loops = 1;
	t->foreign->names.loop[0].tid = TID;
	t->foreign->names.loop[0].poll_known = true;
	t->foreign->names.loop[0].poll_max_ns = poll_max_ns;
	t->foreign->has_names = true;
	foreign_take_vm(t->foreign);
}

/* By settings: of a loop that spins, what did not wake it was polled, by kicks or by interrupts,
 * whichever tell more; one that never spins has found nothing so. */
static void test_foreign_join__polled_by_settings(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*kick(t) = (struct kick_state){ .row = 1,
					.kicks = 100,
					.notified = 60,
					.busy = 5,
					.met_asleep = 60,
					.met_awake = 10,
					.coalesced = 30 };
	t->view.queue[0] = (struct queue_state){
		.interrupts = 90, .polled = 3, .polled_asleep = 9, .tid = TID
	};
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 3);
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 5);
	report_free(r);
	tell_settings(t, 32768);
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 40);
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 0);
	assert_int_equal(r->queue[0].arrivals, 100);
	report_free(r);
	/* It hardly asks for kicks. */
	t->view.queue[0].polled = 5000;
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 5000 + 9 + 5);
	report_free(r);
	tell_settings(t, 0);
	r = join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 0);
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 5);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_INFERRED);
	report_free(r);
}

/* Who serves it is outside of the VMM and not known: what kicks met was not seen, nor that nobody
 * came, nor were its interrupts, whose message is guessed. */
static void test_foreign_join__unknown_worker(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	t->foreign->row[0].how = CONSUMER_VHOST;
	t->foreign->row[0].seen_tid = 0;
	*kick(t) = (struct kick_state){
		.row = 1, .kicks = 10, .coalesced = 9, .pending = 10, .first_ns = FAKE_START_NS
	};
	r = join(t);
	assert_int_equal(r->queue[0].met_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->queue[0].outcome_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 0);
	assert_int_equal(r->queue[0].arrivals_evidence, EVIDENCE_ABSENT);
	assert_non_null(strstr(r->queue[0].arrivals_reason, "not known"));
	assert_int_equal(r->queue[0].interrupts_evidence, EVIDENCE_ABSENT);
	assert_int_equal(r->queue[0].kicks, 10);
	report_free(r);
	/* A worker of 6.4 is a thread of the VMM's. */
	t->view.queue[0].interrupts = 4;
	r = join(t);
	assert_int_equal(r->queue[0].interrupts_evidence, EVIDENCE_INFERRED);
	report_free(r);
	t->view.queue[0].interrupts = 0;
	t->foreign->row[0].seen_tid = TID;
	r = join(t);
	assert_int_equal(r->queue[0].met_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 1);
	assert_int_equal(r->queue[0].interrupts_evidence, EVIDENCE_INFERRED);
	report_free(r);
}

/* What a loop does that was never seen to spin is work, of whatever kind. */
static void test_foreign_join__other_work(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_thread(t, TID)->loop = (struct loop_state){
		.consumes = 100, .handling_ns = 10000000, .run_ns = 50000000, .sleeps = 70
	};
	r = join(t);
	assert_int_equal(r->loop[0].handling_ns, 50000000);
	assert_int_equal(r->loop[0].hits, 0);
	assert_int_equal(parts(&r->loop[0]), WALL);
	report_free(r);
}

/* A spin that has not ended counts as waste, and never more than there is in all. */
static void test_foreign_join__account_of_a_spinner(void **state)
{
	struct tracer *t = *state;
	struct thread_row *thread = fake_thread(t, TID);
	struct report *r;

	thread->loop.mark_ns = FAKE_START_NS - 1000000;
	thread->loop.waste_ns = 900;
	r = join(t);
	assert_int_equal(r->loop[0].polling_waste_ns, WALL);
	assert_int_equal(parts(&r->loop[0]), WALL);
	report_free(r);
	thread->loop.mark_ns = 0;
	thread->loop.handling_ns = 3 * WALL;
	r = join(t);
	assert_int_equal(r->loop[0].handling_ns, WALL);
	assert_int_equal(parts(&r->loop[0]), WALL);
	report_free(r);
}

/* A spinner that was preempted since its last event: what it ran since is in its open spin. */
static void test_foreign_join__open_spin_is_no_work(void **state)
{
	struct tracer *t = *state;
	struct thread_row *thread = fake_thread(t, TID);
	struct report *r;

	thread->loop = (struct loop_state){ .mark_ns = FAKE_NOW_NS - 60000000,
					    .run_ns = 59000000,
					    .polled_irqs = 1,
					    .polled_ns = 1000000 };
	r = join(t);
	assert_int_equal(r->loop[0].handling_ns, 0);
	assert_int_equal(r->loop[0].polling_waste_ns, 60000000);
	report_free(r);
	/* Now somebody else has its CPU. */
	thread->loop.mark_ns = 0;
	thread->loop.carry_ns = 58000000;
	r = join(t);
	assert_int_equal(r->loop[0].handling_ns, 0);
	assert_int_equal(r->loop[0].polling_waste_ns, 58000000);
	report_free(r);
}

/* Settings that say it never spins: no polls, no hits, and all it does is handling. */
static void test_foreign_join__never_spins(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	t->foreign->names.n_loops = 1;
	t->foreign->names.loop[0].tid = TID;
	t->foreign->names.loop[0].poll_known = true;
	t->foreign->has_names = true;
	foreign_take_vm(t->foreign);
	fake_thread(t, TID)->loop = (struct loop_state){
		.polled_irqs = 50, .polled_ns = 30000000, .waste_ns = 7000000, .sleeps = 70
	};
	r = join(t);
	assert_int_equal(r->loop[0].settings_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->loop[0].polls_evidence, EVIDENCE_EXACT);
	assert_int_equal(r->loop[0].polls, 0);
	assert_int_equal(r->loop[0].hits, 0);
	assert_int_equal(r->loop[0].handling_ns, 37000000);
	assert_int_equal(r->loop[0].polling_hit_ns + r->loop[0].polling_waste_ns, 0);
	assert_int_equal(parts(&r->loop[0]), WALL);
	report_free(r);
}

/* The report's rows are found again among the page's, which has more. */
static void test_foreign_join__rows_of_the_page(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_vm_queue(t->foreign, OTHER, "0xfe900000", 1, 9);
	foreign_take_vm(t->foreign);
	fake_kick(t, OTHER)->row = 2;
	fake_kick(t, OTHER)->kicks = 4;
	r = join(t);
	assert_int_equal(r->n_queues, 2);
	assert_int_equal(r->queue[1].kicks, 4);
	assert_int_equal(t->queue_row[1], 1);
	assert_int_equal(r->queue[1].loop_index, ~0u);
	report_free(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_foreign_join__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(outcomes),
		TEST(uprobes),
		TEST(uprobes_of_others),
		TEST(no_interrupts),
		TEST(lost),
		TEST(gone_queue),
		TEST(account),
		TEST(account_of_a_spinner),
		TEST(open_spin_is_no_work),
		TEST(never_spins),
		TEST(polled_by_settings),
		TEST(unknown_worker),
		TEST(other_work),
		TEST(rows_of_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
