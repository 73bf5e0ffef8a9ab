// SPDX-License-Identifier: BSD-2-Clause
/* Rows and loops of a VMM that is not ours, from walk to walk. */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>

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

/* A reset: the queue goes, its eventfd with it, and comes again with another one. One row. */
static void test_foreign__row_survives_a_reset(void **state)
{
	struct foreign *f = *state;
	uint32_t row;

	fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);
	foreign_take_vm(f);
	row = fake_row(f, 0xfe003000);
	assert_true(row < STATS_MAX_QUEUES && f->row[row].present);
	assert_int_equal(f->row[row].to_tell.ctx, 1007);
	assert_int_equal(fake_told(f), 1);
	fake_vm_clear(f);
	foreign_take_vm(f);
	assert_false(f->row[row].present);
	assert_null(foreign_queue(f, row));
	/* The address stays its own; eventfd and descriptors may be another's. */
	assert_int_equal(f->row[row].to_tell.ways.n, 1);
	assert_int_equal(f->row[row].to_tell.ctx, 0);
	assert_int_equal(f->row[row].to_tell.n_fds, 0);
	assert_int_equal(fake_told(f), 1);
	fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 9);
	foreign_take_vm(f);
	assert_int_equal(fake_row(f, 0xfe003000), row);
	assert_true(f->row[row].present);
	assert_int_equal(f->row[row].to_tell.ctx, 1009);
	assert_int_equal(fake_told(f), 1);
	assert_int_equal(f->no_room, 0);
}

/* A walk that finds what the one before found tells the programs nothing. */
static void test_foreign__nothing_new(void **state)
{
	struct foreign *f = *state;

	fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);
	fake_vm_queue(f, 0xfe003004, "0xfe003000", 1, 8);
	foreign_take_vm(f);
	assert_int_equal(fake_told(f), 2);
	foreign_take_vm(f);
	assert_int_equal(fake_told(f), 0);
}

/* Queues that share an address are told apart by the value, rows stay with theirs. */
static void test_foreign__one_address_two_values(void **state)
{
	struct foreign *f = *state;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		struct vm_queue *q = fake_vm_queue(f, 0xc010, "0xc010", i, 7 + i);

		q->way[0].bus = BUS_PIO | BUS_BY_VALUE;
		q->way[0].value = i;
	}
	foreign_take_vm(f);
	f->vm->queue[0].way[0].value = 1;
	f->vm->queue[1].way[0].value = 0;
	foreign_take_vm(f);
	assert_int_equal(f->row[0].first.value, 0);
	assert_int_equal(f->row[0].vm_queue, 1);
	assert_int_equal(f->row[1].vm_queue, 0);
	assert_false(f->row[2].used);
}

/* With exact names a device is the same at another address, and another device at the same is not.
 */
static void test_foreign__exact_names(void **state)
{
	struct foreign *f = *state;

	fake_vm_queue(f, 0xfe003000, "vblk0", 0, 7)->name_evidence = EVIDENCE_EXACT;
	foreign_take_vm(f);
	fake_vm_clear(f);
	fake_vm_queue(f, 0xfe103000, "vblk0", 0, 8)->name_evidence = EVIDENCE_EXACT;
	foreign_take_vm(f);
	assert_int_equal(fake_row(f, 0xfe103000), 0);
	assert_false(f->row[1].used);
	fake_vm_clear(f);
	fake_vm_queue(f, 0xfe103000, "vblk1", 0, 9)->name_evidence = EVIDENCE_EXACT;
	foreign_take_vm(f);
	assert_true(f->row[1].present);
	assert_false(f->row[0].present);
	assert_string_equal(f->row[1].device, "vblk1");
}

/* A name that was told stays, whatever is guessed later; a guess gives way to it. */
static void test_foreign__told_name_stays(void **state)
{
	struct foreign *f = *state;
	struct vm_queue *q = fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);

	foreign_take_vm(f);
	assert_string_equal(f->row[0].device, "0xfe003000");
	assert_string_equal(f->row[0].name_reason, "a guess");
	q->name_evidence = EVIDENCE_EXACT;
	snprintf(q->device, sizeof(q->device), "vblk0");
	foreign_take_vm(f);
	assert_string_equal(f->row[0].device, "vblk0");
	q->name_evidence = EVIDENCE_INFERRED;
	snprintf(q->device, sizeof(q->device), "0xfe003000");
	foreign_take_vm(f);
	assert_string_equal(f->row[0].device, "vblk0");
	assert_int_equal(f->row[0].name_evidence, EVIDENCE_EXACT);
}

/* More queues than rows: the rest counts as lost, once. */
static void test_foreign__rows_are_full(void **state)
{
	struct foreign *f = *state;
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES + 3; i++)
		fake_vm_queue(f, 0xfe000000 + i * 4, "0xfe000000", i, i);
	foreign_take_vm(f);
	foreign_take_vm(f);
	assert_int_equal(f->no_room, 3);
}

/* A vhost worker reads no eventfd: the programs are told who it is. */
static void test_foreign__vhost_worker(void **state)
{
	struct foreign *f = *state;
	struct vm_queue *q = fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);

	fake_vm_consumer(q, 0, CONSUMER_IRQFD, "");
	fake_vm_consumer(q, 55, CONSUMER_VHOST, "vhost-4000000");
	foreign_take_vm(f);
	assert_int_equal(f->row[0].to_tell.consumer_tid, 55);
	assert_string_equal(f->loop[f->row[0].loop].id, "vhost-4000000");
	assert_int_equal(f->loop[f->row[0].loop].how, CONSUMER_VHOST);
	assert_false(foreign_has_rings(f));
}

/* It waits as long as it serves: when QEMU itself has taken the queue over, or nobody has, it is
 * not the worker who should come. */
static void test_foreign__vhost_worker_has_left(void **state)
{
	struct foreign *f = *state;
	struct vm_queue *q = fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);

	fake_vm_consumer(q, 0, CONSUMER_VHOST, "");
	foreign_take_vm(f);
	assert_true(foreign_is_unwatched(&f->row[0]));
	q->eventfd.consumer[0].tid = 55;
	foreign_take_vm(f);
	assert_false(foreign_is_unwatched(&f->row[0]));
	/* What is gone was seen as long as it was there. */
	f->vm->n_queues = 0;
	foreign_take_vm(f);
	assert_false(foreign_is_unwatched(&f->row[0]));
	f->vm->n_queues = 1;
	q->eventfd.n_consumers = 0;
	foreign_take_vm(f);
	assert_false(foreign_is_unwatched(&f->row[0]));
	assert_int_equal(f->row[0].to_tell.consumer_tid, 0);
	fake_vm_consumer(q, 0, CONSUMER_EPOLL, "");
	foreign_take_vm(f);
	assert_int_equal(f->row[0].how, CONSUMER_EPOLL);
	assert_int_equal(f->row[0].to_tell.consumer_tid, 0);
}

/* Loops are called main, by their comm as far as it tells them apart, or by their thread. */
static void test_foreign__names_of_loops(void **state)
{
	struct foreign *f = *state;
	static const struct {
		uint32_t tid;
		const char *comm, *id;
	} cases[] = {
		{ FAKE_PID, "qemu-system-x86", "main" },
		{ 4000001, "worker", "worker" },
		{ 4000002, "worker", "worker:4000002" },
		{ 4000003, "", "io:4000003" },
	};
	uint32_t i;

	for (i = 0; i < 4; i++)
		fake_vm_consumer(fake_vm_queue(f, 0xfe003000 + 4 * i, "0xfe003000", i, i),
				 cases[i].tid, CONSUMER_EPOLL, cases[i].comm);
	foreign_take_vm(f);
	for (i = 0; i < 4; i++) {
		assert_int_equal(f->row[i].loop, i);
		assert_string_equal(f->loop[i].id, cases[i].id);
	}
}

/* What names tell of a loop: its id and settings, and that it is there before it serves. */
static void test_foreign__loops_by_names(void **state)
{
	struct foreign *f = *state;
	struct stats_page *page = calloc(1, sizeof(*page));
	struct vm_names names = { .n_loops = 1 };
	struct vm_queue *q = fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);

	names.loop[0].tid = 4000001;
	snprintf(names.loop[0].id, sizeof(names.loop[0].id), "iothread0");
	names.loop[0].poll_known = true;
	names.loop[0].poll_max_ns = 32768;
	names.loop[0].poll_weight = 3;
	fake_vm_consumer(q, 4000001, CONSUMER_PPOLL, "x");
	foreign_take_vm(f);
	assert_string_equal(f->loop[0].id, "x");
	f->names = names;
	f->has_names = true;
	foreign_take_vm(f);
	foreign_fill(f, page);
	assert_string_equal(page->loop[0].id, "iothread0");
	assert_int_equal(page->loop[0].kind, STATS_LOOP_IOTHREAD);
	assert_int_equal(page->loop[0].poll_max_ns, 32768);
	assert_int_equal(page->loop[0].poll_weight, 3);
	assert_int_equal(page->queue[0].loop, 0);
	free(page);
}

/* Who was seen to serve a queue is its loop, whoever waits for its eventfd; a vCPU is no loop. */
static void test_foreign__who_serves(void **state)
{
	struct foreign *f = *state;
	struct kernel_view *view = calloc(1, sizeof(*view));
	struct vm_queue *q = fake_vm_queue(f, 0xfe003000, "0xfe003000", 0, 7);

	f->vm->vcpu[0] = (struct vm_vcpu){ .id = 0, .tid = 4000009 };
	f->vm->n_vcpus = 1;
	fake_vm_consumer(q, FAKE_PID, CONSUMER_PPOLL, "x");
	foreign_take_vm(f);
	assert_string_equal(f->loop[f->row[0].loop].id, "main");
	view->queue[0].tid = 4000009;
	foreign_learn(f, view);
	assert_string_equal(f->loop[f->row[0].loop].id, "main");
	view->queue[0].tid = 4000001;
	foreign_learn(f, view);
	assert_string_equal(f->loop[f->row[0].loop].id, "io:4000001");
	foreign_take_vm(f);
	assert_string_equal(f->loop[f->row[0].loop].id, "io:4000001");
	free(view);
}

/* The page: queues that have gone are there without an ioeventfd, vCPUs by their number. */
static void test_foreign__page(void **state)
{
	struct foreign *f = *state;
	struct stats_page *page = calloc(1, sizeof(*page));

	f->vm->vcpu[0] = (struct vm_vcpu){ .id = 0, .tid = 0 };
	f->vm->vcpu[1] = (struct vm_vcpu){ .id = 2, .tid = 4000005 };
	f->vm->n_vcpus = 2;
	fake_vm_queue(f, 0xfe003000, "0xfe003000", 3, 7);
	foreign_take_vm(f);
	foreign_fill(f, page);
	assert_string_equal(page->queue[0].device, "0xfe003000");
	assert_int_equal(page->queue[0].queue, 3);
	assert_int_equal(page->queue[0].gpa, 0xfe003000);
	assert_int_equal(page->queue[0].ioeventfd, 1);
	assert_int_equal(page->queue[0].loop, FOREIGN_NONE);
	assert_int_equal(f->n_vcpus, 1);
	assert_int_equal(f->vcpu[0].id, 2);
	fake_vm_clear(f);
	f->vm->n_vcpus = 0;
	foreign_take_vm(f);
	foreign_fill(f, page);
	assert_string_equal(page->queue[0].device, "0xfe003000");
	assert_int_equal(page->queue[0].ioeventfd, 0);
	assert_int_equal(f->vcpu[0].tid, 4000005);
	free(page);
}

/* APIC ids have holes, and a big VM has many: any id has its row. What there is no room for is
 * counted. */
static void test_foreign__vcpus_of_any_id(void **state)
{
	struct foreign *f = *state;
	uint32_t i;

	for (i = 0; i < FAKE_VM_MAX; i++)
		f->vm->vcpu[i] = (struct vm_vcpu){ .id = 100 * i, .tid = 4000100 + i };
	f->vm->n_vcpus = FAKE_VM_MAX;
	foreign_take_vm(f);
	assert_int_equal(f->n_vcpus, FAKE_VM_MAX);
	for (i = 0; i < FAKE_VM_MAX; i++) {
		assert_int_equal(f->vcpu[i].id, 100 * i);
		assert_int_equal(f->vcpu[i].tid, 4000100 + i);
	}
	assert_true(foreign_is_vcpu(f, 4000100 + FAKE_VM_MAX - 1));
	assert_int_equal(f->no_room, 0);
	/* Another has its number now. */
	f->vm->vcpu[1].tid = 4000999;
	foreign_take_vm(f);
	assert_int_equal(f->n_vcpus, FAKE_VM_MAX);
	assert_int_equal(f->vcpu[1].tid, 4000999);
	/* As many again, and so on: they come and go. */
	for (i = 0; i < REPORT_VCPUS; i++) {
		f->vm->vcpu[0].id = 1000000 + i;
		foreign_take_vm(f);
	}
	assert_int_equal(f->n_vcpus, REPORT_VCPUS);
	assert_int_equal(f->no_room, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_foreign__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(row_survives_a_reset),
		TEST(nothing_new),
		TEST(one_address_two_values),
		TEST(exact_names),
		TEST(told_name_stays),
		TEST(rows_are_full),
		TEST(vhost_worker),
		TEST(vhost_worker_has_left),
		TEST(names_of_loops),
		TEST(loops_by_names),
		TEST(who_serves),
		TEST(page),
		TEST(vcpus_of_any_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
