// SPDX-License-Identifier: BSD-2-Clause
/* Whose an interrupt is: votes, and the guess before there are any. */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>

#include "fake_vm.h"

#define ADDRESS 0xfee00000

struct scene {
	struct foreign *f;
	struct kernel_view *view;
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->f = fake_foreign_new();
	s->view = calloc(1, sizeof(*s->view));
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	fake_foreign_free(s->f);
	free(s->view);
	free(s);
	return 0;
}

static void set_votes(struct scene *s, uint32_t row, uint32_t data, uint64_t count)
{
	struct kernel_view *v = s->view;
	uint32_t i;

	for (i = 0; i < v->n_votes; i++)
		if (v->vote[i].vote.row == row && v->vote[i].vote.msi.data == data)
			break;
	v->vote[i].vote = (struct irq_vote){ .msi = { ADDRESS, data }, .row = row };
	v->vote[i].count = count;
	if (i == v->n_votes)
		v->n_votes++;
}

static uint32_t message(const struct scene *s, uint32_t row)
{
	return s->f->row[row].to_tell.msi.data;
}

/* Two thirds of a queue's votes decide, three at least. */
static void test_foreign_votes__majority(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 2);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 0);
	assert_int_equal(s->f->row[0].msi_evidence, EVIDENCE_ABSENT);
	set_votes(s, 0, 33, 10);
	set_votes(s, 0, 34, 8);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 0);
	set_votes(s, 0, 33, 16);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 33);
	assert_int_equal(s->f->row[0].msi_evidence, EVIDENCE_EXACT);
}

/* Where KVM's lists could not be walked there may be queues that nobody knows: a majority is a
 * guess then. */
static void test_foreign_votes__unknown_queues_make_it_a_guess(void **state)
{
	struct scene *s = *state;

	s->f->vm->evidence = EVIDENCE_ABSENT;
	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 100);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 33);
	assert_int_equal(s->f->row[0].msi_evidence, EVIDENCE_INFERRED);
}

/* The guest moves the vector: what was voted before the last decision does not count any more. */
static void test_foreign_votes__vector_moves(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 100000);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 33);
	set_votes(s, 0, 47, 5);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 47);
}

/* The guest moves the vector of a queue whose loop polls: no kicks, no votes. Its irqfd has the new
 * message; while it is masked there is none, and what was known stands. */
static void test_foreign_votes__vector_moves_without_votes(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	fake_vm_irqfd(s->f, 3, ADDRESS, 33);
	fake_vm_irqfd(s->f, 4, ADDRESS, 34);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 100);
	foreign_learn(s->f, s->view);
	foreign_take_vm(s->f);
	fake_told(s->f);
	s->f->vm->irqfd[0].message.data = 47;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 47);
	assert_int_equal(s->f->row[0].msi_evidence, EVIDENCE_EXACT);
	assert_int_equal(fake_told(s->f), 1);
	/* Those of the same interval, from before. */
	set_votes(s, 0, 33, 200);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 47);
	s->f->vm->irqfd[0].is_msi = false;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 47);
	s->f->vm->irqfd[0].eventfd.ctx = 999;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 47);
	assert_int_equal(fake_told(s->f), 0);
	/* Unmasked elsewhere; and again. */
	s->f->vm->irqfd[0].eventfd.ctx = 1003;
	s->f->vm->irqfd[0].is_msi = true;
	s->f->vm->irqfd[0].message.data = 48;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 48);
	s->f->vm->irqfd[0].message.data = 49;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 49);
	/* What votes say is another's is followed there. */
	set_votes(s, 0, 34, 100);
	foreign_learn(s->f, s->view);
	s->f->vm->irqfd[1].message.data = 50;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 50);
}

/* Votes correct a row that was given another's irqfd, also by a message that no irqfd carries. */
static void test_foreign_votes__correct_an_irqfd(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	fake_vm_irqfd(s->f, 3, ADDRESS, 33);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 3);
	foreign_learn(s->f, s->view);
	foreign_take_vm(s->f);
	set_votes(s, 0, 60, 100);
	foreign_learn(s->f, s->view);
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 60);
	/* So is no irqfd's move its own any more. */
	s->f->vm->irqfd[0].message.data = 34;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 60);
}

/* A reset between two walks: contexts and ids of eventfds are used again, by others. */
static void test_foreign_votes__reset_between_walks(void **state)
{
	struct scene *s = *state;
	struct vm *vm = s->f->vm;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	fake_vm_queue(s->f, 0xfe003004, "d", 1, 8);
	fake_vm_irqfd(s->f, 3, ADDRESS, 33);
	fake_vm_irqfd(s->f, 4, ADDRESS, 34);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 100);
	set_votes(s, 1, 34, 100);
	foreign_learn(s->f, s->view);
	/* The irqfds' alone: the ids are as before. */
	vm->irqfd[0].eventfd.ctx = 1004;
	vm->irqfd[1].eventfd.ctx = 1003;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 33);
	assert_int_equal(message(s, 1), 34);
	/* All of them: the queues' have others too. */
	vm->irqfd[0].eventfd.id = 4;
	vm->irqfd[1].eventfd.id = 3;
	vm->queue[0].eventfd.ctx = 1008;
	vm->queue[1].eventfd.ctx = 1007;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 33);
	assert_int_equal(message(s, 1), 34);
	vm->irqfd[0].message.data = 43;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 43);
	assert_int_equal(message(s, 1), 34);
}

/* Queues that share a message: whose irqfd is whose is not known, and none is followed. */
static void test_foreign_votes__shared_message_is_not_followed(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	fake_vm_irqfd(s->f, 3, ADDRESS, 33);
	fake_vm_irqfd(s->f, 4, ADDRESS, 33);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 100);
	foreign_learn(s->f, s->view);
	foreign_take_vm(s->f);
	s->f->vm->irqfd[0].message.data = 47;
	s->f->vm->irqfd[1].message.data = 48;
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 33);
}

/* A queue that takes no interrupts gets strays of its neighbour's, which is not its own. */
static void test_foreign_votes__strays(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	fake_vm_queue(s->f, 0xfe003004, "d", 1, 8);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 4000);
	set_votes(s, 1, 33, 50);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 33);
	assert_int_equal(message(s, 1), 0);
	/* But two may share one. */
	set_votes(s, 1, 33, 3500);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 1), 33);
}

/* A VMM makes a device's interrupts, then its queues, each in order: by that, until votes come. */
static void test_foreign_votes__guess(void **state)
{
	struct scene *s = *state;

	fake_vm_irqfd(s->f, 11, ADDRESS, 42);
	fake_vm_irqfd(s->f, 10, ADDRESS, 41);
	fake_vm_queue(s->f, 0xfe003000, "a", 0, 12);
	fake_vm_queue(s->f, 0xfe003004, "a", 1, 13);
	/* Another device, started later, one of whose queues has no vector. */
	fake_vm_irqfd(s->f, 20, ADDRESS, 51);
	fake_vm_queue(s->f, 0xfe103000, "b", 0, 22);
	fake_vm_queue(s->f, 0xfe103004, "b", 1, 23);
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 41);
	assert_int_equal(message(s, 1), 42);
	assert_int_equal(s->f->row[0].msi_evidence, EVIDENCE_INFERRED);
	assert_int_equal(message(s, 2), 0);
	assert_int_equal(message(s, 3), 0);
	set_votes(s, 0, 42, 9);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 42);
	/* A walk does not put the guess back. */
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 42);
	assert_int_equal(message(s, 1), 42);
}

/* Ids that were used again lie anywhere: one device minds that not. */
static void test_foreign_votes__guess_for_one_device(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "a", 0, 12);
	fake_vm_queue(s->f, 0xfe003004, "a", 1, 13);
	fake_vm_irqfd(s->f, 30, ADDRESS, 42);
	fake_vm_irqfd(s->f, 2, ADDRESS, 41);
	foreign_take_vm(s->f);
	assert_int_equal(message(s, 0), 41);
	assert_int_equal(message(s, 1), 42);
}

/* A queue that goes leaves its message: it may be another's next. */
static void test_foreign_votes__gone_queue_has_none(void **state)
{
	struct scene *s = *state;

	fake_vm_queue(s->f, 0xfe003000, "d", 0, 7);
	foreign_take_vm(s->f);
	set_votes(s, 0, 33, 100);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 33);
	fake_vm_clear(s->f);
	foreign_take_vm(s->f);
	foreign_learn(s->f, s->view);
	assert_int_equal(message(s, 0), 0);
	assert_int_equal(s->f->row[0].msi_evidence, EVIDENCE_ABSENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_foreign_votes__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(majority),
		TEST(unknown_queues_make_it_a_guess),
		TEST(vector_moves),
		TEST(vector_moves_without_votes),
		TEST(correct_an_irqfd),
		TEST(reset_between_walks),
		TEST(shared_message_is_not_followed),
		TEST(strays),
		TEST(guess),
		TEST(guess_for_one_device),
		TEST(gone_queue_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
