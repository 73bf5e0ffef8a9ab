// SPDX-License-Identifier: BSD-2-Clause
/* Discovery against a VM that this process made by hand: what it finds is compared exactly. */
#include "privileged.h"
#include "raw_vm.h"

#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>

struct fixture {
	struct raw_vm vm;
	struct discover *d;
	struct vm_list list;
};

#define NEED_DISCOVERY(f)                                                                          \
	do {                                                                                       \
		char no_kvm_[400];                                                                 \
		NEED_PRIVILEGE();                                                                  \
		if (!raw_vm_possible(no_kvm_))                                                     \
			skip_because("%s", no_kvm_);                                               \
		fixture_init(f);                                                                   \
	} while (0)

static void fixture_init(struct fixture *f)
{
	struct error err = { "" };

	memset(f, 0, sizeof(*f));
	raw_vm_init(&f->vm);
	f->d = discover_new(&err);
	if (!f->d)
		fail_msg("%s", err.msg);
}

static void fixture_release(struct fixture *f)
{
	vm_list_release(&f->list);
	discover_free(f->d);
	raw_vm_release(&f->vm);
}

/* This process's VM as it is now. */
static struct vm *look(struct fixture *f)
{
	struct error err = { "" };

	if (discover_run(f->d, getpid(), 1, &f->list, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(f->list.n, 1);
	return &f->list.vm[0];
}

static const struct vm_queue *queue_of(const struct vm *vm, int fd)
{
	uint32_t i, j;

	for (i = 0; i < vm->n_queues; i++)
		for (j = 0; j < vm->queue[i].eventfd.n_fds; j++)
			if (vm->queue[i].eventfd.fd[j] == fd)
				return &vm->queue[i];
	fail_msg("no queue has descriptor %d", fd);
	return NULL;
}

static void is_way(const struct vm_queue *q, uint32_t n, uint32_t bus, uint64_t gpa, uint64_t value,
		   uint32_t len)
{
	assert_true(n < q->n_ways);
	assert_int_equal(q->way[n].bus, bus);
	assert_int_equal(q->way[n].gpa, gpa);
	assert_int_equal(q->way[n].value, value);
	assert_int_equal(q->len[n], len);
}

/* Every kind of registration, and the vCPUs. */
static void test_discover__registrations(void **state)
{
	const uint32_t pio = KVM_IOEVENTFD_FLAG_PIO, match = KVM_IOEVENTFD_FLAG_DATAMATCH;
	struct fixture f;
	const struct vm_queue *q;
	struct vm *vm;
	int fd[4], i;

	NEED_DISCOVERY(&f);
	for (i = 0; i < 4; i++)
		fd[i] = raw_eventfd();
	raw_vm_ioeventfd(&f.vm, fd[0], 0xfe003000, 0, 0, 0);
	raw_vm_ioeventfd(&f.vm, fd[0], 0xc010, 2, 0, pio | match);
	raw_vm_ioeventfd(&f.vm, fd[1], 0xfe003004, 0, 0, 0);
	raw_vm_ioeventfd(&f.vm, fd[1], 0xc010, 2, 1, pio | match);
	raw_vm_ioeventfd(&f.vm, fd[2], 0xd0000050, 4, 3, match);
	raw_vm_ioeventfd(&f.vm, fd[3], 0xfe008000, 2, 0, 0);
	vm = look(&f);
	assert_int_equal(vm->evidence, EVIDENCE_EXACT);
	assert_int_equal(vm->pid, getpid());
	assert_int_equal(vm->vm_fd, f.vm.vm);
	assert_int_equal(vm->garbage + vm->unequal, 0);
	assert_int_equal(vm->n_vcpus, 2);
	assert_int_equal(vm->vcpu[0].tid, 0);
	assert_int_equal(vm->vcpu[1].id, 1);
	assert_int_equal(vm->vcpu[1].tid, f.vm.tid);
	assert_int_equal(vm->n_queues, 4);
	for (i = 0; i < 2; i++) {
		q = queue_of(vm, fd[i]);
		assert_int_equal(q->n_ways, 2);
		is_way(q, 0, BUS_MMIO, 0xfe003000 + 4 * i, 0, 0);
		is_way(q, 1, BUS_PIO | BUS_BY_VALUE, 0xc010, i, 2);
		assert_string_equal(q->device, "0xfe003000");
		assert_int_equal(q->queue, i);
		assert_int_equal(q->name_evidence, EVIDENCE_INFERRED);
	}
	q = queue_of(vm, fd[2]);
	assert_int_equal(q->n_ways, 1);
	is_way(q, 0, BUS_MMIO | BUS_BY_VALUE, 0xd0000050, 3, 4);
	q = queue_of(vm, fd[3]);
	assert_int_equal(q->n_ways, 1);
	is_way(q, 0, BUS_MMIO, 0xfe008000, 0, 2);
	raw_vm_ioeventfd(&f.vm, fd[2], 0xd0000050, 4, 3, match | KVM_IOEVENTFD_FLAG_DEASSIGN);
	assert_int_equal(look(&f)->n_queues, 3);
	for (i = 0; i < 4; i++)
		close(fd[i]);
	fixture_release(&f);
}

/* Who an eventfd is: its id as /proc has it, its descriptors, what is in it; also when the VMM has
 * closed its own, and when it is neither queue nor interrupt. */
static void test_discover__eventfds(void **state)
{
	struct fixture f;
	const struct vm_queue *q;
	struct vm *vm;
	int fd, twin, other;
	uint32_t id;

	NEED_DISCOVERY(&f);
	fd = raw_eventfd();
	twin = dup(fd);
	other = raw_eventfd();
	assert_int_equal(eventfd_write(fd, 3), 0);
	assert_int_equal(eventfd_write(other, 5), 0);
	raw_vm_ioeventfd(&f.vm, fd, 0xfe003000, 0, 0, 0);
	vm = look(&f);
	id = raw_eventfd_id(fd);
	q = queue_of(vm, fd);
	assert_ptr_equal(q, queue_of(vm, twin));
	assert_int_equal(q->eventfd.n_fds, 2);
	assert_int_equal(q->eventfd.id, id);
	assert_int_equal(q->eventfd.count, 3);
	assert_int_equal(q->eventfd.n_consumers, 0);
	assert_int_equal(vm->n_others, 1);
	assert_int_equal(vm->other[0].fd[0], other);
	assert_int_equal(vm->other[0].id, raw_eventfd_id(other));
	assert_int_equal(vm->other[0].count, 5);
	close(fd);
	close(twin);
	vm = look(&f);
	assert_int_equal(vm->n_queues, 1);
	assert_int_equal(vm->queue[0].eventfd.n_fds, 0);
	assert_int_equal(vm->queue[0].eventfd.id, id);
	assert_int_equal(vm->queue[0].eventfd.count, 3);
	close(other);
	fixture_release(&f);
}

/* An MSI with its message, a pin without; KVM itself is who waits. */
static void test_discover__irqfds(void **state)
{
	struct fixture f;
	struct vm *vm;
	int fd[2], i;

	NEED_DISCOVERY(&f);
	for (i = 0; i < 2; i++)
		fd[i] = raw_eventfd();
	raw_vm_irqfd(&f.vm, fd[0], 26, true);
	raw_vm_irqfd(&f.vm, fd[1], 5, true);
	vm = look(&f);
	assert_int_equal(vm->n_irqfds, 2);
	assert_int_equal(vm->irqfd[0].gsi, 5);
	assert_false(vm->irqfd[0].is_msi);
	assert_int_equal(vm->irqfd[0].eventfd.fd[0], fd[1]);
	assert_int_equal(vm->irqfd[1].gsi, 26);
	assert_true(vm->irqfd[1].is_msi);
	assert_int_equal(vm->irqfd[1].message.address, 0xfee00000);
	assert_int_equal(vm->irqfd[1].message.data, 0x42);
	assert_int_equal(vm->irqfd[1].eventfd.fd[0], fd[0]);
	for (i = 0; i < 2; i++) {
		assert_int_equal(vm->irqfd[i].eventfd.n_consumers, 1);
		assert_int_equal(vm->irqfd[i].eventfd.consumer[0].how, CONSUMER_IRQFD);
	}
	assert_int_equal(vm->n_queues + vm->n_others, 0);
	raw_vm_irqfd(&f.vm, fd[0], 26, false);
	assert_int_equal(look(&f)->n_irqfds, 1);
	for (i = 0; i < 2; i++)
		close(fd[i]);
	fixture_release(&f);
}

/* Until a thread is seen waiting for the eventfd: it said that it was about to. */
static const struct vm_eventfd *look_for_waiter(struct fixture *f, int fd, uint32_t n, pid_t tid)
{
	const struct vm_eventfd *e;
	int tries;

	for (tries = 0; tries < 100000; tries++) {
		e = &queue_of(look(f), fd)->eventfd;
		if (e->n_consumers == n && (uint32_t)tid == e->consumer[0].tid)
			return e;
	}
	fail_msg("%u consumers, the first %u; not %d", e->n_consumers, e->consumer[0].tid, tid);
	return NULL;
}

/* Each way to wait: the thread, its name, and how. */
static void test_discover__consumers(void **state)
{
	static const enum consumer_how hows[] = { CONSUMER_EPOLL, CONSUMER_PPOLL, CONSUMER_IO_URING,
						  CONSUMER_READ };
	const struct vm_eventfd *e;
	struct raw_waiter w;
	struct fixture f;
	size_t i;
	int fd;

	NEED_DISCOVERY(&f);
	for (i = 0; i < ARRAY_SIZE(hows); i++) {
		fd = raw_eventfd();
		raw_vm_ioeventfd(&f.vm, fd, 0xfe003000 + i * 4, 0, 0, 0);
		raw_waiter_start(&w, hows[i], fd);
		e = look_for_waiter(&f, fd, 1, w.tid);
		assert_int_equal(e->consumer[0].how, hows[i]);
		assert_string_equal(e->consumer[0].comm, consumer_how_name(hows[i]));
		raw_waiter_stop(&w);
		close(fd);
	}
	fixture_release(&f);
}

/* An epoll set that nobody waits for now, and then somebody: one consumer. */
static void test_discover__idle_epoll(void **state)
{
	struct raw_waiter w = { 0 };
	const struct vm_eventfd *e;
	struct fixture f;
	int fd;

	NEED_DISCOVERY(&f);
	fd = raw_eventfd();
	raw_vm_ioeventfd(&f.vm, fd, 0xfe003000, 0, 0, 0);
	raw_waiter_start(&w, CONSUMER_EPOLL, fd);
	look_for_waiter(&f, fd, 1, w.tid);
	/* The set lives on when its thread has gone. */
	assert_int_equal(eventfd_write(fd, 1), 0);
	pthread_join(w.thread, NULL);
	e = look_for_waiter(&f, fd, 1, 0);
	assert_int_equal(e->consumer[0].how, CONSUMER_EPOLL);
	assert_int_equal(e->count, 1);
	close(w.epoll);
	assert_int_equal(queue_of(look(&f), fd)->eventfd.n_consumers, 0);
	close(fd);
	fixture_release(&f);
}

/* A process that merely holds descriptors of a VM has none; nor has one that has nothing. Among all
 * VMs of the machine ours is found once. */
static void test_discover__whose_vm(void **state)
{
	struct error err = { "" };
	struct fixture f;
	int pair[2], ours = 0;
	pid_t child;
	uint32_t i;
	char byte;

	NEED_DISCOVERY(&f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	child = fork();
	if (!child) {
		close(pair[0]);
		_exit(read(pair[1], &byte, 1) < 0);
	}
	assert_int_equal(discover_run(f.d, child, 1, &f.list, &err), 0);
	assert_int_equal(f.list.n, 0);
	assert_int_equal(discover_run(f.d, 0, 1, &f.list, &err), 0);
	for (i = 0; i < f.list.n; i++) {
		assert_int_not_equal(f.list.vm[i].pid, child);
		ours += f.list.vm[i].pid == getpid();
	}
	assert_int_equal(ours, 1);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* The number is free now. */
	assert_int_equal(discover_run(f.d, child, 2, &f.list, &err), 0);
	assert_int_equal(f.list.n, 0);
	fixture_release(&f);
}

#define CHURNED	    16
#define CHURN_WALKS 3000

struct churn {
	struct raw_vm *vm;
	int kick[CHURNED], irq[CHURNED];
	atomic_bool stop;
	atomic_ulong rounds;
};

/* Value and address of a registration depend on each other, so that a mixture shows. */
static uint64_t churn_value(uint32_t i)
{
	return 0x5555 ^ (i * 0x0101);
}

static void *churn_thread(void *opaque)
{
	struct churn *c = opaque;
	uint32_t i, flags;

	while (!atomic_load(&c->stop)) {
		for (i = 0; i < CHURNED * 2; i++) {
			flags = KVM_IOEVENTFD_FLAG_DATAMATCH |
				(i < CHURNED ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN);
			raw_vm_ioeventfd(c->vm, c->kick[i % CHURNED],
					 0xfe003000 + (i % CHURNED) * 8, 2,
					 churn_value(i % CHURNED), flags);
			raw_vm_irqfd(c->vm, c->irq[i % CHURNED], 24 + i % CHURNED, i < CHURNED);
		}
		atomic_fetch_add(&c->rounds, 1);
	}
	return NULL;
}

/* Whatever is found was registered: address, value, eventfd and message belong together. */
static void judge_churn(const struct vm *vm, const uint32_t *kick_id, const uint32_t *irq_id)
{
	uint32_t i, n;

	for (i = 0; i < vm->n_queues; i++) {
		n = (vm->queue[i].way[0].gpa - 0xfe003000) / 8;
		assert_in_range(n, 0, CHURNED - 1);
		assert_int_equal(vm->queue[i].n_ways, 1);
		is_way(&vm->queue[i], 0, BUS_MMIO | BUS_BY_VALUE, 0xfe003000 + n * 8,
		       churn_value(n), 2);
		assert_int_equal(vm->queue[i].eventfd.id, kick_id[n]);
	}
	for (i = 0; i < vm->n_irqfds; i++) {
		n = vm->irqfd[i].gsi - 24;
		assert_in_range(n, 0, CHURNED - 1);
		assert_true(vm->irqfd[i].is_msi);
		assert_int_equal(vm->irqfd[i].message.address, 0xfee00000);
		assert_int_equal(vm->irqfd[i].message.data, 0x40 + n);
		assert_int_equal(vm->irqfd[i].eventfd.id, irq_id[n]);
	}
}

/* Registered and dropped all the time while it is walked. */
static void test_discover__churn(void **state)
{
	unsigned long queues = 0, irqfds = 0, unequal = 0, garbage = 0;
	uint32_t kick_id[CHURNED], irq_id[CHURNED], i;
	struct churn c = { 0 };
	pthread_t thread;
	struct fixture f;
	struct vm *vm;

	NEED_DISCOVERY(&f);
	c.vm = &f.vm;
	for (i = 0; i < CHURNED; i++) {
		c.kick[i] = raw_eventfd();
		c.irq[i] = raw_eventfd();
		kick_id[i] = raw_eventfd_id(c.kick[i]);
		irq_id[i] = raw_eventfd_id(c.irq[i]);
	}
	assert_int_equal(pthread_create(&thread, NULL, churn_thread, &c), 0);
	/* On one CPU the two meet less often. */
	for (i = 0; i < CHURN_WALKS || (!unequal && i < 100 * CHURN_WALKS); i++) {
		vm = look(&f);
		judge_churn(vm, kick_id, irq_id);
		queues += vm->n_queues;
		irqfds += vm->n_irqfds;
		unequal += vm->unequal;
		garbage += vm->garbage;
	}
	atomic_store(&c.stop, true);
	pthread_join(thread, NULL);
	print_message("# %lu rounds: %lu queues and %lu irqfds seen, %lu walks unequal, "
		      "%lu entries garbage\n",
		      atomic_load(&c.rounds), queues, irqfds, unequal, garbage);
	assert_true(atomic_load(&c.rounds) > 0);
	assert_true(queues > 0);
	assert_true(unequal > 0);
	look(&f);
	assert_int_equal(f.list.vm[0].n_queues + f.list.vm[0].n_irqfds, 0);
	for (i = 0; i < CHURNED; i++) {
		close(c.kick[i]);
		close(c.irq[i]);
	}
	fixture_release(&f);
}

#define MANY 600

/* More registrations than an iterator's own buffer would hold; what it costs is told. */
static void test_discover__many(void **state)
{
	int64_t begin;
	struct fixture f;
	struct vm *vm;
	int fd[MANY];
	uint32_t i;

	NEED_DISCOVERY(&f);
	begin = clock_ns();
	for (i = 0; i < 100; i++)
		look(&f);
	print_message("# a VM of no queue: %lld ns a run\n", (long long)(clock_ns() - begin) / 100);
	for (i = 0; i < MANY; i++) {
		fd[i] = raw_eventfd();
		raw_vm_ioeventfd(&f.vm, fd[i], 0xfe003000 + i * 4, 0, 0, 0);
	}
	vm = look(&f);
	assert_int_equal(vm->n_queues, MANY);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(vm->queue[i].way[0].gpa, 0xfe003000 + i * 4);
		assert_int_equal(vm->queue[i].eventfd.fd[0], fd[i]);
		assert_int_equal(vm->queue[i].n_ways, 1);
	}
	begin = clock_ns();
	for (i = 0; i < 10; i++)
		look(&f);
	print_message("# a VM of %d queues: %lld ns a run\n", MANY,
		      (long long)(clock_ns() - begin) / 10);
	for (i = 0; i < MANY; i++)
		close(fd[i]);
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_discover__registrations),
		cmocka_unit_test(test_discover__eventfds),
		cmocka_unit_test(test_discover__irqfds),
		cmocka_unit_test(test_discover__consumers),
		cmocka_unit_test(test_discover__idle_epoll),
		cmocka_unit_test(test_discover__whose_vm),
		cmocka_unit_test(test_discover__churn),
		cmocka_unit_test(test_discover__many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
