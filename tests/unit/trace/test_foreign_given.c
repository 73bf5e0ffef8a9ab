// SPDX-License-Identifier: BSD-2-Clause
/* Queues that no walk told of: registrations that were heard, addresses given by hand. */
#include <lib/tap.h>

#include <string.h>
#include <linux/kvm.h>

#include "alarm.h"
#include "fake_vm.h"

static int setup(void **state)
{
	*state = fake_foreign_new();
	return 0;
}

static int teardown(void **state)
{
	fake_foreign_free(*state);
	return 0;
}

static void hear(struct foreign *f, uint64_t gpa, int32_t fd, uint32_t flags)
{
	const struct vm_change change = {
		.op = CHANGE_IOEVENTFD, .gpa = gpa, .fd = fd, .flags = flags, .datamatch = 5
	};

	foreign_hear(f, &change);
}

/* As a walk that cannot see KVM's lists leaves it. */
static void walk_blindly(struct foreign *f)
{
	fake_vm_clear(f);
	f->vm->evidence = EVIDENCE_ABSENT;
	foreign_add_given(f);
	foreign_take_vm(f);
}

/* Registrations that were heard of make queues: one for each eventfd, until they are dropped. */
static void test_foreign_given__registrations(void **state)
{
	struct foreign *f = *state;

	hear(f, 0xfe003000, 30, 0);
	hear(f, 0xc010, 30, KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH);
	hear(f, 0xfe003004, 31, 0);
	hear(f, 0xfe003004, 31, 0);
	walk_blindly(f);
	assert_int_equal(f->vm->n_queues, 2);
	assert_int_equal(f->row[0].to_tell.ways.n, 2);
	assert_int_equal(f->row[0].to_tell.ways.way[1].bus, BUS_PIO | BUS_BY_VALUE);
	assert_int_equal(f->row[0].to_tell.ways.way[1].value, 5);
	assert_int_equal(f->row[0].to_tell.fd[0], 30);
	assert_int_equal(f->row[1].to_tell.fd[0], 31);
	assert_true(f->row[1].had_eventfd);
	hear(f, 0xfe003004, 31, KVM_IOEVENTFD_FLAG_DEASSIGN);
	walk_blindly(f);
	assert_int_equal(f->vm->n_queues, 1);
	assert_false(f->row[1].present);
}

/* The eventfd that was registered is among the VMM's others, where the walk has found all of it:
 * who it is, its count, who waits. Then it is the queue's. */
static void test_foreign_given__eventfds_of_the_walk(void **state)
{
	static struct alarm_watch w;
	struct foreign *f = *state;
	const struct vm_eventfd *first, *second;

	memset(&w, 0, sizeof(w));
	fake_vm_clear(f);
	f->vm->evidence = EVIDENCE_ABSENT;
	hear(f, 0xfe003000, 130, 0);
	hear(f, 0xfe003004, 131, 0);
	hear(f, 0xfe003008, 140, 0);
	fake_vm_other(f, 30, 5, 4000001);
	fake_vm_other(f, 32, 1, 4000002);
	fake_vm_other(f, 31, 0, 4000003);
	foreign_add_given(f);
	foreign_take_vm(f);
	first = &foreign_queue(f, fake_row(f, 0xfe003000))->eventfd;
	second = &foreign_queue(f, fake_row(f, 0xfe003004))->eventfd;
	assert_int_equal(first->id, 30);
	assert_int_equal(first->count, 5);
	assert_int_equal(second->id, 31);
	assert_int_equal(second->fd[0], 131);
	assert_int_equal(f->row[0].to_tell.ctx, 1030);
	assert_int_equal(f->row[0].to_tell.consumer_tid, 0);
	assert_int_equal(f->loop[f->row[1].loop].tid, 4000003);
	/* Each is watched for itself, and once. */
	watch_begin(&w, 1);
	assert_int_equal(watch_eventfd(&w, first)->count, 5);
	assert_int_equal(watch_eventfd(&w, second)->count, 0);
	assert_int_equal(f->vm->n_others, 1);
	assert_int_equal(f->vm->other[0].id, 32);
	/* One that the walk has not met has its number. */
	assert_int_equal(f->row[2].to_tell.fd[0], 140);
	assert_int_equal(f->row[2].to_tell.ctx, 0);
}

/* A walk that saw all is believed; an address given by hand stays, unless the walk found it. */
static void test_foreign_given__addresses(void **state)
{
	const struct kick_key way = { .gpa = 0xfe005000 };
	struct foreign *f = *state;

	hear(f, 0xfe003000, 30, 0);
	foreign_give(f, &way);
	f->vm->evidence = EVIDENCE_EXACT;
	fake_vm_queue(f, 0xfe009000, "0xfe009000", 0, 7);
	foreign_add_given(f);
	foreign_take_vm(f);
	assert_int_equal(f->vm->n_queues, 2);
	assert_int_equal(fake_row(f, 0xfe003000), FOREIGN_NONE);
	assert_false(f->row[fake_row(f, 0xfe005000)].had_eventfd);
	assert_true(f->row[fake_row(f, 0xfe009000)].had_eventfd);
	fake_vm_clear(f);
	fake_vm_queue(f, 0xfe005000, "0xfe005000", 0, 8);
	foreign_add_given(f);
	foreign_take_vm(f);
	assert_int_equal(f->vm->n_queues, 1);
	assert_true(f->row[fake_row(f, 0xfe005000)].had_eventfd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_foreign_given__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(registrations),
		TEST(eventfds_of_the_walk),
		TEST(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
