// SPDX-License-Identifier: BSD-2-Clause
/* Kicks, outcomes and interrupts joined to queues: figures of the VMM and of BPF made one. */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>

#include "fake.h"

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

static uint64_t sum(const struct report_queue *q)
{
	uint64_t n = 0;
	unsigned int o;

	for (o = 0; o < OUTCOMES; o++)
		n += q->outcome[o];
	return n;
}

/* Each outcome comes from the one who knows it; together they are the arrivals. */
static void test_join__outcomes_add_up(void **state)
{
	struct tracer *t = *state;
	struct kick_state *kick = fake_kick(t, FAKE_GPA);
	struct report *r;

	fake_queue(t)->arrivals = 137;
	fake_queue(t)->arrivals_polled = 100;
	fake_queue(t)->arrivals_notified = 30;
	fake_queue(t)->arrivals_recheck = 5;
	fake_queue(t)->arrivals_userspace = 2;
	*kick = (struct kick_state){
		.row = FAKE_ROW, .kicks = 42, .notified = 20, .busy = 9, .lost = 1
	};
	r = fake_join(t);
	assert_int_equal(r->n_queues, 1);
	assert_int_equal(r->queue[0].outcome[OUTCOME_POLLED], 100);
	assert_int_equal(r->queue[0].outcome[OUTCOME_NOTIFIED], 20);
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 14);
	assert_int_equal(r->queue[0].outcome[OUTCOME_USERSPACE], 2);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 1);
	assert_int_equal(r->queue[0].arrivals, 137);
	assert_int_equal(r->queue[0].kicks, 42);
	assert_int_equal(r->queue[0].wasted_kicks, 42 - 20 - 2 - 1);
	report_free(r);
}

/* BPF is read later than the page: what it saw since is not told yet, and the sum still holds. */
static void test_join__bpf_ahead_of_the_page(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_queue(t)->arrivals = 10;
	fake_queue(t)->arrivals_notified = 10;
	*fake_kick(t, FAKE_GPA) =
		(struct kick_state){ .row = FAKE_ROW, .notified = 9, .busy = 3, .lost = 1 };
	r = fake_join(t);
	assert_int_equal(r->queue[0].arrivals, 10);
	assert_int_equal(sum(&r->queue[0]), 10);
	assert_int_equal(r->queue[0].outcome[OUTCOME_NOTIFIED], 9);
	assert_int_equal(r->queue[0].outcome[OUTCOME_LOST], 1);
	report_free(r);
}

/* Arrivals BPF did not see are busy: all that is known is that they were served. */
static void test_join__bpf_behind_the_page(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_queue(t)->arrivals = 10;
	fake_queue(t)->arrivals_notified = 10;
	*fake_kick(t, FAKE_GPA) = (struct kick_state){ .row = FAKE_ROW, .notified = 4 };
	r = fake_join(t);
	assert_int_equal(r->queue[0].outcome[OUTCOME_NOTIFIED], 4);
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 6);
	assert_int_equal(r->queue[0].arrivals, 10);
	report_free(r);
}

/* Without BPF notified and busy stand under notified, and kicks are the VMM's count. */
static void test_join__without_bpf(void **state)
{
	struct tracer *t = *state;
	struct report *r = report_new();

	fake_queue(t)->arrivals = 17;
	fake_queue(t)->arrivals_notified = 10;
	fake_queue(t)->arrivals_polled = 7;
	fake_queue(t)->signals = 12;
	fake_queue(t)->userspace_kicks = 1;
	join_queues(t, r, FAKE_NOW_NS);
	assert_int_equal(r->queue[0].outcome[OUTCOME_NOTIFIED], 10);
	assert_int_equal(r->queue[0].outcome[OUTCOME_BUSY], 0);
	assert_int_equal(r->queue[0].arrivals, 17);
	assert_int_equal(r->queue[0].kicks, 13);
	report_free(r);
}

/* Counters count from the tracer's start, not from the VMM's. */
static void test_join__counts_since_the_start(void **state)
{
	struct tracer *t = *state;
	struct stats_queue *before = &t->before->queue[fake_queue(t) - t->now->queue];
	struct report *r;

	before->requests = 1000;
	before->arrivals = 900;
	before->arrivals_polled = 900;
	fake_hist_add(&before->leg[STATS_LEG_IO], 500);
	*fake_queue(t) = *before;
	fake_queue(t)->requests = 1010;
	fake_queue(t)->arrivals = 909;
	fake_queue(t)->arrivals_polled = 909;
	fake_hist_add(&fake_queue(t)->leg[STATS_LEG_IO], 700);
	r = fake_join(t);
	assert_int_equal(r->queue[0].requests, 10);
	assert_int_equal(r->queue[0].arrivals, 9);
	assert_int_equal(r->queue[0].stage[STAGE_IO].hist.count, 1);
	assert_int_equal(r->stage[STAGE_IO].hist.count, 1);
	report_free(r);
}

static uint64_t lost(struct tracer *t)
{
	struct report *r = fake_join(t);
	uint64_t n = r->queue[0].outcome[OUTCOME_LOST];

	assert_int_equal(r->queue[0].arrivals, sum(&r->queue[0]));
	report_free(r);
	return n;
}

/* A kick nobody came for is lost once it has waited long enough, and not before. */
static void test_join__pending_kick_is_lost(void **state)
{
	struct tracer *t = *state;
	struct kick_state *kick = fake_kick(t, FAKE_GPA);

	*kick = (struct kick_state){
		.row = FAKE_ROW, .kicks = 1, .pending = 1, .first_ns = FAKE_NOW_NS - 99000000
	};
	assert_int_equal(lost(t), 0);
	kick->first_ns = FAKE_NOW_NS - 101000000;
	assert_int_equal(lost(t), 1);
}

/* A loop in poll mode looks at the queue all the time: the eventfd may wait, the work does not. */
static void test_join__pending_kick_in_poll_mode(void **state)
{
	struct tracer *t = *state;
	struct thread_row *row = fake_thread(t, 11);

	*fake_kick(t, FAKE_GPA) =
		(struct kick_state){ .row = FAKE_ROW, .pending = 1, .first_ns = FAKE_START_NS };
	row->loop.polling = 1;
	assert_int_equal(lost(t), 0);
	row->loop.polling = 0;
	row->loop.poll_end_ns = FAKE_NOW_NS - 1000;
	assert_int_equal(lost(t), 0);
	row->loop.poll_end_ns = FAKE_START_NS;
	assert_int_equal(lost(t), 1);
}

/* A queue that was stopped owes nothing; a loop that ended right after the kick could not come. */
static void test_join__pending_kick_of_what_has_ended(void **state)
{
	struct tracer *t = *state;
	struct thread_row *row = fake_thread(t, 11);

	*fake_kick(t, FAKE_GPA) =
		(struct kick_state){ .row = FAKE_ROW, .pending = 1, .first_ns = FAKE_START_NS };
	row->loop.exit_ns = FAKE_START_NS + 1000;
	assert_int_equal(lost(t), 0);
	row->loop.exit_ns = 0;
	assert_int_equal(lost(t), 1);
	fake_queue(t)->ioeventfd = 0;
	assert_int_equal(lost(t), 0);
}

/* The guest moves the BAR: kicks and stages of the old address stay the queue's. */
static void test_join__moved_queue_keeps_its_past(void **state)
{
	struct tracer *t = *state;
	struct kick_state *old = fake_kick(t, FAKE_GPA), *new = fake_kick(t, FAKE_GPA + 0x10000);

	old->kicks = 5;
	fake_stage_add(t, old, STAGE_WAKE, 1000);
	report_free(fake_join(t));
	new->kicks = 3;
	fake_stage_add(t, new, STAGE_WAKE, 3000);
	fake_queue(t)->gpa = FAKE_GPA + 0x10000;
	for (int again = 0; again < 2; again++) {
		struct report *r = fake_join(t);

		assert_int_equal(r->queue[0].kicks, 8);
		assert_int_equal(r->queue[0].stage[STAGE_WAKE].hist.count, 2);
		assert_int_equal(r->queue[0].stage[STAGE_WAKE].hist.min_ns, 1000);
		assert_int_equal(r->stage[STAGE_WAKE].hist.max_ns, 3000);
		report_free(r);
	}
}

/* Two queues on one vector: each shows it, the total counts it once. */
static void test_join__shared_vector(void **state)
{
	struct tracer *t = *state;
	struct stats_queue *second = fake_queue(t) + 1;
	struct report *r;

	*second = *fake_queue(t);
	second->queue = 1;
	second->gpa = FAKE_GPA + 4;
	fake_hist_add(&fake_irq(t, FAKE_BIT | FAKE_BIT << 1)->inject, 300);
	fake_hist_add(&fake_irq(t, 0)->inject, 900); /* nobody's */
	r = fake_join(t);
	assert_int_equal(r->n_queues, 2);
	assert_int_equal(r->queue[0].stage[STAGE_INJECT].hist.count, 1);
	assert_int_equal(r->queue[1].stage[STAGE_INJECT].hist.count, 1);
	assert_int_equal(r->stage[STAGE_INJECT].hist.count, 1);
	assert_int_equal(r->stage[STAGE_INJECT].hist.max_ns, 300);
	report_free(r);
}

/* One vector for two queues, then one each: every interrupt is counted for those it was for. */
static void test_join__vectors_part(void **state)
{
	struct tracer *t = *state;
	struct stats_queue *second = fake_queue(t) + 1;
	struct irq_state *both, *first;
	struct report *r;

	*second = *fake_queue(t);
	second->queue = 1;
	both = fake_irq(t, FAKE_BIT | FAKE_BIT << 1);
	both->accepted = 5;
	first = fake_irq(t, FAKE_BIT);
	*first = (struct irq_state){ .accepted = 3, .posted = 2 };
	r = fake_join(t);
	assert_int_equal(r->queue[0].injected, 8);
	assert_int_equal(r->queue[0].posted, 2);
	assert_int_equal(r->queue[1].injected, 5);
	assert_int_equal(r->queue[1].posted, 0);
	report_free(r);
}

/* What came before it was known whose the message is belongs to its queue all the same. */
static void test_join__message_learned_late(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	fake_irq(t, FAKE_BIT)->accepted = 4;
	fake_irq(t, 0)->accepted = 2;
	t->view.irq[1].set.msi = (struct irq_key){ 0xfee00000, 0x41 };
	fake_hist_add(&t->view.irq[1].state.inject, 300);
	fake_irq(t, 0)->accepted = 8;
	t->view.irq[2].set.msi = (struct irq_key){ 0xfee00000, 0x42 };
	r = fake_join(t);
	assert_int_equal(r->queue[0].injected, 4);
	assert_int_equal(r->stage[STAGE_INJECT].hist.count, 0);
	report_free(r);
	fake_queue(t)->msi_addr = 0xfee00000;
	fake_queue(t)->msi_data = 0x41;
	r = fake_join(t);
	assert_int_equal(r->queue[0].injected, 6);
	assert_int_equal(r->queue[0].stage[STAGE_INJECT].hist.count, 1);
	assert_int_equal(r->stage[STAGE_INJECT].hist.count, 1);
	report_free(r);
}

/* An address that had another queue before keeps apart what was counted for it. */
static void test_join__address_of_two_queues(void **state)
{
	struct tracer *t = *state;
	struct stats_queue *second = fake_queue(t) + 1;
	struct report *r;

	*second = *fake_queue(t);
	second->queue = 1;
	*fake_kick(t, FAKE_GPA) = (struct kick_state){ .row = FAKE_ROW + 1, .kicks = 3 };
	fake_kick(t, FAKE_GPA + 4)->kicks = 7;
	t->view.kick[1].key = (struct kick_key){ .gpa = FAKE_GPA, .past = 1 };
	r = fake_join(t);
	assert_int_equal(r->queue[0].kicks, 7);
	assert_int_equal(r->queue[1].kicks, 3);
	assert_int_equal(r->io.kicks, 10);
	report_free(r);
}

/* What is no kick stands by address, the most frequent first, of which there is room for some. */
static void test_join__other_addresses(void **state)
{
	struct tracer *t = *state;
	struct kernel_view *v = &t->view;
	struct report *r;
	unsigned int i;

	free(v->kick);
	v->kick = calloc(REPORT_ADDRESSES + 2, sizeof(*v->kick));
	for (i = 0; i < REPORT_ADDRESSES + 2; i++) {
		v->kick[i].key = (struct kick_key){ .gpa = i, .bus = i % 2 ? BUS_PIO : BUS_MMIO };
		v->kick[i].state.kicks = i + 1;
		v->kick[i].state.user_exits = 1;
	}
	v->kick[0].state.row = FAKE_ROW;
	v->kick[3].key.bus = BUS_MMIO_READ;
	v->n_kicks = i;
	fake_thread(t, 20)->vcpu = (struct vcpu_state){ .mmio_writes = 4, .untracked = 2 };
	fake_thread(t, 21)->vcpu = (struct vcpu_state){ .mmio_writes = 5, .pio_reads = 1 };
	r = fake_join(t);
	assert_int_equal(r->io.kicks, 1);
	assert_int_equal(r->io.mmio_writes, 9);
	assert_int_equal(r->io.pio_reads, 1);
	assert_int_equal(r->io.untracked, 2);
	assert_int_equal(r->io.addresses, REPORT_ADDRESSES + 1);
	assert_int_equal(r->io.n_address, REPORT_ADDRESSES);
	for (i = 0; i < REPORT_ADDRESSES; i++) {
		assert_int_equal(r->io.address[i].count, REPORT_ADDRESSES + 2 - i);
		assert_int_equal(r->io.address[i].gpa, REPORT_ADDRESSES + 1 - i);
		assert_int_equal(r->io.address[i].left, 1);
	}
	assert_true(r->io.address[0].pio && r->io.address[0].write);
	assert_false(r->io.address[REPORT_ADDRESSES - 2].write);
	report_free(r);
}

/* A queue finds its loop by row of the page, whatever row of the report that is. */
static void test_join__queue_names_its_loop(void **state)
{
	struct tracer *t = *state;
	struct kick_state *kick = fake_kick(t, FAKE_GPA);
	struct report *r;

	fake_stage_add(t, kick, STAGE_RUNQ, 1500);
	r = fake_join(t);
	assert_int_equal(r->n_loops, 1);
	assert_int_equal(r->queue[0].loop_index, 0);
	assert_string_equal(r->queue[0].loop, "io0");
	assert_int_equal(r->loop[0].stage[STAGE_RUNQ].hist.count, 1);
	report_free(r);
	fake_queue(t)->loop = 4000000;
	r = fake_join(t);
	assert_string_equal(r->queue[0].loop, "");
	assert_int_equal(r->queue[0].loop_index, ~0u);
	report_free(r);
}

/* A VMM that has ended left the queue to its main loop; the report names the loop that served it.
 */
static void test_join__loop_of_a_vmm_that_ended(void **state)
{
	struct tracer *t = *state;
	struct stats_loop *other = fake_loop(t) - 1;
	struct report *r;

	*other = (struct stats_loop){ .kind = STATS_LOOP_MAIN, .tid = 10 };
	memcpy(other->id, "main", 5);
	fake_queue(t)->loop = other - t->now->loop;
	fake_kick(t, FAKE_GPA)->served_tid = 11;
	fake_kick(t, FAKE_GPA)->served_ns = FAKE_START_NS;
	fake_kick(t, FAKE_GPA)->kicks = 1;
	fake_queue(t)->ioeventfd = 0;
	r = fake_join(t);
	assert_string_equal(r->queue[0].loop, "main");
	assert_false(r->queue[0].ioeventfd);
	report_free(r);
	t->died_ns = FAKE_NOW_NS;
	r = fake_join(t);
	assert_string_equal(r->queue[0].loop, "io0");
	assert_true(r->queue[0].ioeventfd);
	report_free(r);
}

/* A queue that was never kicked is listed under the loop it had before the VMM ended, or under the
 * one that served its device. */
static void test_join__loop_of_a_queue_never_kicked(void **state)
{
	struct tracer *t = *state;
	struct stats_queue *second = fake_queue(t) + 1;
	struct stats_loop *other = fake_loop(t) - 1;
	struct report *r;

	*other = (struct stats_loop){ .kind = STATS_LOOP_MAIN, .tid = 10 };
	memcpy(other->id, "main", 5);
	*second = *fake_queue(t);
	second->queue = 1;
	second->ioeventfd = 0;
	second->loop = fake_queue(t)->loop = other - t->now->loop;
	fake_kick(t, FAKE_GPA)->served_tid = 11;
	t->died_ns = FAKE_NOW_NS;
	r = fake_join(t);
	assert_string_equal(r->queue[0].loop, "io0");
	assert_string_equal(r->queue[1].loop, "io0");
	report_free(r);
	fake_kick(t, FAKE_GPA)->served_tid = 0;
	r = fake_join(t);
	assert_string_equal(r->queue[0].loop, "io0"); /* it was started when it was seen first */
	assert_string_equal(r->queue[1].loop, "main");
	report_free(r);
}

/* What the kicks met, at all addresses of a queue, windows that are open included. */
static void test_join__what_kicks_met(void **state)
{
	struct tracer *t = *state;
	struct report *r;

	*fake_kick(t, FAKE_GPA) = (struct kick_state){ .row = FAKE_ROW,
						       .kicks = 10,
						       .met_asleep = 3,
						       .met_awake = 2,
						       .coalesced = 3,
						       .user_exits = 1,
						       .pending = 2 };
	*fake_kick(t, FAKE_GPA + 64) =
		(struct kick_state){ .row = FAKE_ROW, .kicks = 4, .met_awake = 4 };
	fake_queue(t)->signals = 13;
	fake_queue(t)->userspace_kicks = 1;
	r = fake_join(t);
	assert_int_equal(r->queue[0].kicks, 14);
	assert_int_equal(r->queue[0].kicks_asleep, 3);
	assert_int_equal(r->queue[0].kicks_awake, 6);
	assert_int_equal(r->queue[0].kicks_coalesced, 3);
	assert_int_equal(r->queue[0].kicks_open, 1);
	assert_int_equal(r->queue[0].name_evidence, EVIDENCE_EXACT);
	assert_int_equal(report_check(r, NULL, NULL), 0);
	report_free(r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_join__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(outcomes_add_up),
		TEST(bpf_ahead_of_the_page),
		TEST(bpf_behind_the_page),
		TEST(without_bpf),
		TEST(counts_since_the_start),
		TEST(pending_kick_is_lost),
		TEST(pending_kick_in_poll_mode),
		TEST(pending_kick_of_what_has_ended),
		TEST(moved_queue_keeps_its_past),
		TEST(shared_vector),
		TEST(vectors_part),
		TEST(message_learned_late),
		TEST(address_of_two_queues),
		TEST(other_addresses),
		TEST(queue_names_its_loop),
		TEST(loop_of_a_vmm_that_ended),
		TEST(loop_of_a_queue_never_kicked),
		TEST(what_kicks_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
