// SPDX-License-Identifier: BSD-2-Clause
/* Whose an interrupt is that a VMM sends which tells nothing (fake_other.h), and what it says of
 * its queue. */
#include "privileged.h"

#include "fake_other.h"

#define MSI 0xfee00000u

/* An interrupt after a kick was handled; one with no kick since the last shows a spin, unless the
 * thread slept meanwhile: then a request of before has ended. */
static void test_foreign_irqs__polled_by_interrupts(void **state)
{
	struct fake_other *f = *state;
	const struct queue_state *q;
	const struct loop_state *loop;
	struct kernel_queue queue;

	NEED_PRIVILEGE();
	queue = other_queue(f, 0);
	queue.msi = (struct irq_key){ MSI, 0x41 };
	other_bind(f, 0, &queue);
	other_kick(f, 0);
	other_wait(f, 1);
	other_irq(f, MSI, 0x41);
	q = &other_view(f)->queue[0];
	assert_int_equal(q->interrupts, 1);
	assert_int_equal(q->polled, 0);
	other_irqs(f, MSI, 0x41, 3);
	q = &other_view(f)->queue[0];
	assert_int_equal(q->interrupts, 4);
	assert_int_equal(q->polled, 2);
	assert_int_equal(q->polled_asleep, 1);
	assert_true(q->last_irq_ns && q->last_serve_ns >= q->last_irq_ns);
	loop = other_loop(f);
	assert_int_equal(loop->irqs, 4);
	assert_int_equal(loop->polled_irqs, 2);
}

/* A spin finds the work, its interrupt is sent, and then only its kick is read: one arrival. */
static void test_foreign_irqs__spin_was_faster(void **state)
{
	struct fake_other *f = *state;
	struct kernel_queue queue;
	struct kick_state row;

	NEED_PRIVILEGE();
	queue = other_queue(f, 0);
	queue.msi = (struct irq_key){ MSI, 0x41 };
	other_bind(f, 0, &queue);
	other_write(f, OTHER_GPA, 0);
	other_go_on(f);
	other_irq(f, MSI, 0x41);
	other_signal(f, 0);
	other_wait(f, 1);
	assert_int_equal(other_view(f)->queue[0].polled_asleep, 1);
	row = other_row(f, 0);
	assert_int_equal(row.met_awake, 1);
	assert_int_equal(row.notified + row.busy + row.lost, 0);
	assert_int_equal(row.spurious, 1);
	/* The next kick announces something again. */
	other_kick(f, 0);
	other_wait(f, 2);
	row = other_row(f, 0);
	assert_int_equal(row.notified + row.busy, 1);
	assert_int_equal(row.spurious, 1);
}

/* A message that nobody was told of goes to the queue whose kick preceded it, and is voted for. */
static void test_foreign_irqs__votes(void **state)
{
	struct fake_other *f = *state;
	const struct kernel_view *v;
	uint64_t votes[OTHER_QUEUES] = { 0 };
	unsigned int i;

	NEED_PRIVILEGE();
	for (i = 0; i < 6; i++) {
		other_kick(f, i & 1);
		other_wait(f, i + 1);
		other_irq(f, MSI, 0x41 + (i & 1));
	}
	other_irq(f, MSI, 0x50); /* after no kick of one queue alone: nobody's */
	other_hold(f);
	other_kick(f, 0);
	other_kick(f, 1);
	other_release(f);
	other_wait(f, 8);
	other_irq(f, MSI, 0x41);
	v = other_view(f);
	assert_int_equal(v->n_votes, 2);
	for (i = 0; i < v->n_votes; i++) {
		assert_int_equal(v->vote[i].vote.msi.data, 0x41 + v->vote[i].vote.row);
		votes[v->vote[i].vote.row] += v->vote[i].count;
	}
	assert_int_equal(votes[0], 3);
	assert_int_equal(votes[1], 3);
	assert_int_equal(v->queue[0].interrupts, 3);
	assert_int_equal(v->queue[1].interrupts, 3);
}

/* Whose queues all have messages of their own sends for something else too, at any moment. */
static void test_foreign_irqs__of_another_device(void **state)
{
	struct fake_other *f = *state;
	struct kernel_queue queue;
	const struct kernel_view *v;

	NEED_PRIVILEGE();
	queue = other_queue(f, 0);
	queue.msi = (struct irq_key){ MSI, 0x41 };
	queue.msi_seen = true;
	other_bind(f, 0, &queue);
	other_kick(f, 0);
	other_wait(f, 1);
	other_irq(f, MSI, 0x50);
	other_irq(f, MSI, 0x41);
	other_irqs(f, MSI, 0x50, 3);
	v = other_view(f);
	assert_int_equal(v->queue[0].interrupts, 1);
	assert_int_equal(v->queue[0].polled + v->queue[0].polled_asleep, 0);
	assert_int_equal(other_loop(f)->polled_irqs, 0);
	/* If its own was but a guess the guess may be wrong. */
	queue.msi_seen = false;
	other_bind(f, 0, &queue);
	other_irq(f, MSI, 0x50);
	assert_int_equal(other_view(f)->queue[0].interrupts, 2);
}

/* Nor is it lost if two queues' kicks were consumed before an interrupt of one that is not known
 * yet: it is counted as the message's own. */
static void test_foreign_irqs__unknown_messages(void **state)
{
	struct fake_other *f = *state;
	const struct kernel_view *v;
	uint64_t first = 0, second = 0;
	uint32_t i;

	NEED_PRIVILEGE();
	other_hold(f);
	other_kick(f, 0);
	other_kick(f, 1);
	other_release(f);
	other_wait(f, 2);
	other_irqs(f, MSI, 0x41, 2);
	other_irq(f, MSI, 0x42);
	v = other_view(f);
	for (i = 0; i < v->n_irqs; i++) {
		const struct irq_set *set = &v->irq[i].set;

		assert_int_equal(set->rows, 0);
		assert_int_equal(set->msi.address, MSI);
		first += set->msi.data == 0x41 ? v->irq[i].state.signalled : 0;
		second += set->msi.data == 0x42 ? v->irq[i].state.signalled : 0;
	}
	assert_int_equal(first, 2);
	assert_int_equal(second, 1);
	for (i = 0; i < 2 * MODEL_MAX_UNKNOWN; i++)
		other_irq(f, MSI, 0x100 + i);
	v = other_view(f);
	assert_int_equal(v->n_irqs, MODEL_MAX_UNKNOWN + 1);
}

static int setup(void **state)
{
	*state = other_new(OTHER_POLL, OTHER_BEST);
	return 0;
}

static int teardown(void **state)
{
	other_free(*state);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_foreign_irqs__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(polled_by_interrupts), TEST(spin_was_faster),  TEST(votes),
		TEST(of_another_device),    TEST(unknown_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
