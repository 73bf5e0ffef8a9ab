// SPDX-License-Identifier: BSD-2-Clause
/* From the records of a walk to VMs: what is one thing, what is garbage, what two walks agree on.
 */
#include <lib/tap.h>

#include <stdlib.h>
#include <string.h>

#include <discover.h>

#define PID  100
#define KVM  0xffff888100000000ull
#define KVM2 0xffff888200000000ull

static struct discover_record *add(struct walk *w, uint32_t kind)
{
	struct discover_record *r;

	w->record = realloc(w->record, (w->n + 1) * sizeof(*w->record));
	r = &w->record[w->n++];
	memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->tgid = PID;
	r->fd = -1;
	r->kvm = KVM;
	r->node = 0xffff888300000000ull + w->n;
	return r;
}

static void add_vm(struct walk *w, uint32_t tgid, uint64_t kvm, int fd)
{
	struct discover_record *r = add(w, DISCOVER_VM);

	r->tgid = tgid;
	r->kvm = kvm;
	r->fd = fd;
}

static struct discover_record *add_ioeventfd(struct walk *w, uint32_t bus, uint64_t addr,
					     uint64_t ctx)
{
	struct discover_record *r = add(w, DISCOVER_IOEVENTFD);

	r->bus = bus;
	r->addr = addr;
	r->ctx = ctx;
	r->id = ctx & 0xff;
	r->wildcard = 1;
	return r;
}

static struct discover_record *add_eventfd(struct walk *w, uint64_t ctx, int fd)
{
	struct discover_record *r = add(w, DISCOVER_EVENTFD);

	r->kvm = 0;
	r->ctx = ctx;
	r->id = ctx & 0xff;
	r->fd = fd;
	return r;
}

static void wait_for(struct discover_record *r, uint32_t how, uint32_t tid, const char *comm)
{
	struct discover_waiter *w = &r->waiter[r->waiters++];

	w->how = how;
	w->tid = tid;
	memcpy(w->comm, comm, strlen(comm));
}

static void build(struct vm_list *list, struct walk *w)
{
	walk_sort(w);
	assert_int_equal(vm_list_add(list, w), 0);
}

static void release(struct vm_list *list, struct walk *w)
{
	vm_list_release(list);
	walk_release(w);
}

/* One eventfd on several buses is one queue, its MMIO address first; the fast twin of an MMIO entry
 * is the same way. */
static void test_discover_build__queue_of_several_ways(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 };
	struct discover_record *r;
	struct vm_queue *q;

	add_vm(&w, PID, KVM, 11);
	r = add_ioeventfd(&w, BUS_PIO, 0xc010, 0x77);
	r->wildcard = 0;
	r->datamatch = 1;
	r->len = 2;
	add_ioeventfd(&w, BUS_FAST_MMIO, 0xfe003004, 0x77);
	add_ioeventfd(&w, BUS_MMIO, 0xfe003004, 0x77);
	build(&list, &w);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.vm[0].vm_fd, 11);
	assert_int_equal(list.vm[0].n_queues, 1);
	q = &list.vm[0].queue[0];
	assert_int_equal(q->n_ways, 2);
	assert_int_equal(q->way[0].bus, BUS_MMIO);
	assert_int_equal(q->way[0].gpa, 0xfe003004);
	assert_int_equal(q->way[1].bus, BUS_PIO | BUS_BY_VALUE);
	assert_int_equal(q->way[1].value, 1);
	assert_int_equal(q->len[0], 0);
	assert_int_equal(q->len[1], 2);
	assert_int_equal(q->eventfd.id, 0x77);
	release(&list, &w);
}

/* More ways than there is room for: the first ones in order stay. */
static void test_discover_build__too_many_ways(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 };
	uint32_t i;

	add_vm(&w, PID, KVM, 11);
	for (i = 0; i < QUEUE_WAYS + 2; i++)
		add_ioeventfd(&w, BUS_MMIO, 0xfe000000 - i * 4, 0x77);
	build(&list, &w);
	assert_int_equal(list.vm[0].queue[0].n_ways, QUEUE_WAYS);
	for (i = 0; i < QUEUE_WAYS; i++)
		assert_int_equal(list.vm[0].queue[0].way[i].gpa,
				 0xfe000000 - (QUEUE_WAYS + 1 - i) * 4);
	release(&list, &w);
}

/* Freed memory: each kind of nonsense is left out and counted, the sane entry stays. */
static void test_discover_build__garbage(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 };

	add_vm(&w, PID, KVM, 11);
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x10);
	add_ioeventfd(&w, 5, 0xfe003000, 0x11);
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0);
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x12)->len = 3;
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x13)->len = 0xdead4ead;
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x14)->wildcard = 0x6b;
	add_ioeventfd(&w, BUS_PIO, 0x10000, 0x15);
	add(&w, DISCOVER_IRQFD)->gsi = 24; /* no eventfd */
	add(&w, DISCOVER_IRQFD)->ctx = 0x16;
	w.record[w.n - 1].gsi = 4096;
	add(&w, 0);
	add(&w, 77);
	build(&list, &w);
	assert_int_equal(list.vm[0].n_queues, 1);
	assert_int_equal(list.vm[0].queue[0].eventfd.id, 0x10);
	assert_int_equal(list.vm[0].n_irqfds, 0);
	assert_int_equal(list.vm[0].garbage, 8);
	release(&list, &w);
}

/* Routes: an MSI has its message, a pin none, even if there are numbers in the record. */
static void test_discover_build__irqfds(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 };
	struct discover_record *r;
	struct vm *vm;
	uint32_t i;

	add_vm(&w, PID, KVM, 11);
	for (i = 0; i < 2; i++) {
		r = add(&w, DISCOVER_IRQFD);
		r->ctx = 0x20 + i;
		r->gsi = 24 - i;
		r->irq_type = i ? 1 : DISCOVER_IRQ_MSI;
		r->msi_address = 0xfee00000;
		r->msi_data = 0x41;
		wait_for(r, DISCOVER_BY_IRQFD, 0, "");
	}
	build(&list, &w);
	vm = &list.vm[0];
	assert_int_equal(vm->n_irqfds, 2);
	assert_int_equal(vm->irqfd[0].gsi, 23);
	assert_false(vm->irqfd[0].is_msi);
	assert_int_equal(vm->irqfd[0].message.data, 0);
	assert_int_equal(vm->irqfd[1].gsi, 24);
	assert_true(vm->irqfd[1].is_msi);
	assert_int_equal(vm->irqfd[1].message.address, 0xfee00000);
	assert_int_equal(vm->irqfd[1].message.data, 0x41);
	assert_int_equal(vm->irqfd[1].eventfd.consumer[0].how, CONSUMER_IRQFD);
	release(&list, &w);
}

/* Descriptors: those of a queue are its own, duplicates too; the rest are others. Two VMs of one
 * process share none. */
static void test_discover_build__descriptors(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 };
	struct vm *vm;

	add_vm(&w, PID, KVM, 11);
	add_vm(&w, PID, KVM, 12); /* dup */
	add_vm(&w, PID, KVM2, 13);
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x10);
	add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x11)->kvm = KVM2;
	add_ioeventfd(&w, BUS_MMIO, 0xfe003004, 0x12)->kvm = KVM2;
	add_eventfd(&w, 0x10, 21);
	add_eventfd(&w, 0x10, 20);
	add_eventfd(&w, 0x11, 22);
	add_eventfd(&w, 0x13, 23)->count = 5;
	add_eventfd(&w, 0x13, 24)->count = 5;
	add_eventfd(&w, 0x14, 25)->tgid = PID + 1;
	build(&list, &w);
	assert_int_equal(list.n, 2);
	vm = &list.vm[0];
	assert_int_equal(vm->vm_fd, 11);
	assert_int_equal(vm->queue[0].eventfd.n_fds, 2);
	assert_int_equal(vm->queue[0].eventfd.fd[0], 20);
	assert_int_equal(vm->queue[0].eventfd.fd[1], 21);
	assert_int_equal(vm->n_others, 1);
	assert_int_equal(vm->other[0].n_fds, 2);
	assert_int_equal(vm->other[0].count, 5);
	vm = &list.vm[1];
	assert_int_equal(vm->n_queues, 2);
	assert_int_equal(vm->queue[1].eventfd.n_fds, 0); /* closed by its owner */
	assert_int_equal(vm->n_others, 1);
	release(&list, &w);
}

/* vCPUs by id, each once. */
static void test_discover_build__vcpus(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 };
	struct discover_record *r;
	uint32_t i;

	add_vm(&w, PID, KVM, 11);
	for (i = 0; i < 6; i++) {
		r = add(&w, DISCOVER_VCPU);
		r->vcpu = 2 - i % 3;
		r->tid = 200 + r->vcpu;
		r->fd = 20 + i;
	}
	build(&list, &w);
	assert_int_equal(list.vm[0].n_vcpus, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(list.vm[0].vcpu[i].id, i);
		assert_int_equal(list.vm[0].vcpu[i].tid, 200 + i);
	}
	release(&list, &w);
}

/* Who waits is gathered over several looks: each thread once, an epoll set's when it is met; names
 * are made fit to print; the count is the last look's. */
static void test_discover_build__consumers(void **state)
{
	struct vm_list list = { 0 };
	struct walk w = { 0 }, later = { 0 };
	struct discover_record *r;
	struct vm_eventfd *e;
	uint32_t i;

	add_vm(&w, PID, KVM, 11);
	r = add_ioeventfd(&w, BUS_MMIO, 0xfe003000, 0x10);
	r->count = 7;
	wait_for(r, DISCOVER_EPOLL, 0, "");
	wait_for(r, 99, 0, ""); /* no such way */
	build(&list, &w);
	e = &list.vm[0].queue[0].eventfd;
	assert_int_equal(e->n_consumers, 2);
	assert_int_equal(e->consumer[0].how, CONSUMER_EPOLL);
	assert_int_equal(e->consumer[0].tid, 0);
	assert_int_equal(e->consumer[1].how, CONSUMER_UNKNOWN);

	r = add_eventfd(&later, 0x10, 20);
	wait_for(r, DISCOVER_EPOLL, 201, "io\x1b[0\xff");
	wait_for(r, DISCOVER_PPOLL, 202, "sixteen-bytes-ok");
	r->waiters = 1000; /* more than were kept */
	vm_list_look(&list, &later);
	assert_int_equal(e->n_consumers, 3);
	assert_int_equal(e->consumer[0].tid, 201);
	assert_string_equal(e->consumer[0].comm, "io?[0?");
	assert_string_equal(e->consumer[2].comm, "sixteen-bytes-o");
	assert_int_equal(e->count, 0);

	later.record[0].waiter[0].tid = 0;
	vm_list_look(&list, &later);
	assert_int_equal(e->n_consumers, 3);
	assert_int_equal(e->consumer[0].tid, 201);
	for (i = 0; i < 10; i++) {
		later.record[0].waiter[0].tid = 300 + i;
		vm_list_look(&list, &later);
	}
	assert_int_equal(e->n_consumers, VM_CONSUMERS);
	walk_release(&later);
	release(&list, &w);
}

/* Two walks are alike whatever their order, and although waiters, counts and descriptors differ;
 * not if an entry differs, nor if one was torn. */
static void test_discover_build__equal_walks(void **state)
{
	struct walk a = { 0 }, b = { 0 };

	add_vm(&a, PID, KVM, 11);
	add_ioeventfd(&a, BUS_MMIO, 0xfe003000, 0x10);
	add_ioeventfd(&a, BUS_MMIO, 0xfe003004, 0x11);
	b.n = a.n;
	b.record = calloc(a.n, sizeof(*b.record));
	b.record[0] = a.record[2];
	b.record[1] = a.record[0];
	b.record[2] = a.record[1];
	b.record[2].count = 9;
	wait_for(&b.record[2], DISCOVER_EPOLL, 1, "x");
	add_eventfd(&b, 0x10, 20);
	walk_sort(&a);
	walk_sort(&b);
	assert_true(walk_same(&a, &b));
	b.out.torn = 1;
	assert_false(walk_same(&a, &b));
	b.out.torn = 0;
	b.record[2].datamatch = 1;
	assert_false(walk_same(&a, &b));
	walk_release(&a);
	walk_release(&b);
}

/* A VM that never stands still: what both walks have, and all descriptors. */
static void test_discover_build__intersection(void **state)
{
	struct walk a = { 0 }, b = { 0 };

	add_vm(&a, PID, KVM, 11);
	add_ioeventfd(&a, BUS_MMIO, 0xfe003000, 0x10);
	add_vm(&b, PID, KVM, 11);
	add_ioeventfd(&b, BUS_MMIO, 0xfe003000, 0x10);
	add_ioeventfd(&b, BUS_MMIO, 0xfe003004, 0x11);
	add_eventfd(&b, 0x11, 20);
	walk_sort(&a);
	walk_sort(&b);
	walk_intersect(&b, &a);
	assert_int_equal(b.n, 3);
	assert_int_equal(b.record[1].ctx, 0x10);
	assert_int_equal(b.record[2].kind, DISCOVER_EVENTFD);
	a.n = 0;
	walk_intersect(&b, &a);
	assert_int_equal(b.n, 1);
	walk_release(&a);
	walk_release(&b);
}

/* Records of any bytes: no crash, and nothing in the VMs beyond its bounds. */
static void test_discover_build__any_bytes(void **state)
{
	unsigned int seed = 4, round;
	uint32_t i, j;

	for (round = 0; round < 300; round++) {
		struct vm_list list = { 0 };
		struct walk w = { 0 };

		for (i = 0; i < 60; i++) {
			struct discover_record *r = add(&w, 0);
			unsigned char *byte = (unsigned char *)r;

			for (j = 0; j < sizeof(*r); j++)
				byte[j] = rand_r(&seed) >> 8;
			r->kind = rand_r(&seed) % 7;
			if (rand_r(&seed) % 2)
				r->kvm = KVM;
			if (rand_r(&seed) % 2)
				r->tgid = PID;
			r->ctx &= 3;
		}
		build(&list, &w);
		vm_list_look(&list, &w);
		for (i = 0; i < list.n; i++) {
			vm_name_queues(&list.vm[i], NULL);
			assert_in_range(list.vm[i].n_queues, 0, 3);
			assert_in_range(list.vm[i].n_others, 0, 4);
		}
		release(&list, &w);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test(test_discover_build__##name)
	const struct CMUnitTest tests[] = {
		TEST(queue_of_several_ways),
		TEST(too_many_ways),
		TEST(garbage),
		TEST(irqfds),
		TEST(descriptors),
		TEST(vcpus),
		TEST(consumers),
		TEST(equal_walks),
		TEST(intersection),
		TEST(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
