// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a VM registers and drops is heard of when the ioctl has succeeded (fake_other.h, and a real
 * VM of KVM's without a vCPU); and what the programs cost is measured only while somebody asks.
 */
#include "privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <handoff/clock.h>

#include "fake_other.h"

#define GPA 0xd0000100ull

struct vm {
	int kvm, fd, eventfd;
};

/* False: no KVM here. */
static bool vm_open(struct vm *vm)
{
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm->fd = vm->kvm < 0 ? -1 : ioctl(vm->kvm, KVM_CREATE_VM, 0);
	vm->eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return vm->fd >= 0 && !ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0);
}

static void vm_close(struct vm *vm)
{
	close(vm->eventfd);
	close(vm->fd);
	close(vm->kvm);
}

static int ioeventfd(struct vm *vm, uint32_t flags)
{
	struct kvm_ioeventfd arg = {
		.addr = GPA, .len = 2, .datamatch = 3, .fd = vm->eventfd, .flags = flags
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &arg);
}

static struct vm_change next(struct fake_other *f)
{
	struct vm_change change;

	if (!kernel_next_change(other_kernel(f), &change))
		fail_msg("no change was heard of");
	assert_true(change.t_ns > 0 && change.t_ns <= (uint64_t)clock_ns());
	return change;
}

/* Each registration, as it was made, in order; one that is refused is none. */
static void test_changes__heard(void **state)
{
	struct fake_other *f = *state;
	struct vm_change change;
	struct kvm_irqfd irqfd;
	struct pollfd ready;
	struct vm vm;

	NEED_PRIVILEGE();
	ready = (struct pollfd){ kernel_changes_fd(other_kernel(f)), POLLIN, 0 };
	assert_true(ready.fd >= 0);
	assert_int_equal(poll(&ready, 1, 0), 0);
	if (!vm_open(&vm))
		skip_because("no KVM here");
	assert_int_equal(ioeventfd(&vm, KVM_IOEVENTFD_FLAG_DATAMATCH), 0);
	assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_int_equal(ioeventfd(&vm, KVM_IOEVENTFD_FLAG_DATAMATCH), -1); /* it is there */
	irqfd = (struct kvm_irqfd){ .fd = vm.eventfd, .gsi = 5 };
	assert_int_equal(ioctl(vm.fd, KVM_IRQFD, &irqfd), 0);
	assert_int_equal(ioeventfd(&vm, KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_DEASSIGN),
			 0);
	assert_int_equal(kernel_changes(other_kernel(f)), 3);
	assert_int_equal(kernel_changes(other_kernel(f)), 0);
	assert_int_equal(poll(&ready, 1, 0), 0);
	change = next(f);
	assert_int_equal(change.op, CHANGE_IOEVENTFD);
	assert_int_equal(change.gpa, GPA);
	assert_int_equal(change.len, 2);
	assert_int_equal(change.datamatch, 3);
	assert_int_equal(change.fd, vm.eventfd);
	assert_int_equal(change.vm_fd, vm.fd);
	assert_int_equal(change.flags, KVM_IOEVENTFD_FLAG_DATAMATCH);
	change = next(f);
	assert_int_equal(change.op, CHANGE_IRQFD);
	assert_int_equal(change.fd, vm.eventfd);
	assert_int_equal(change.gsi, 5);
	change = next(f);
	assert_int_equal(change.op, CHANGE_IOEVENTFD);
	assert_true(change.flags & KVM_IOEVENTFD_FLAG_DEASSIGN);
	assert_false(kernel_next_change(other_kernel(f), &change));
	vm_close(&vm);
}

/* More than are kept: the newest stay, and all are counted. */
static void test_changes__many(void **state)
{
	struct fake_other *f = *state;
	struct vm_change change, last = { 0 };
	struct kvm_irq_routing routing = { .nr = 0 };
	uint64_t counted = 0, given = 0;
	unsigned int i;
	struct vm vm;

	NEED_PRIVILEGE();
	if (!vm_open(&vm))
		skip_because("no KVM here");
	for (i = 0; i < 3000; i++) {
		assert_int_equal(ioctl(vm.fd, KVM_SET_GSI_ROUTING, &routing), 0);
		if (i % 500 == 0)
			counted += kernel_changes(other_kernel(f));
	}
	counted += kernel_changes(other_kernel(f));
	assert_int_equal(counted, 3000);
	for (; kernel_next_change(other_kernel(f), &change); given++) {
		assert_int_equal(change.op, CHANGE_ROUTING);
		assert_true(change.t_ns >= last.t_ns);
		last = change;
	}
	assert_in_range(given, 1000, 2999);
	vm_close(&vm);
}

/* Run times are kept between begin and end only; the kick's side is a part of all. */
static void test_changes__cost(void **state)
{
	struct fake_other *f = *state;
	uint64_t kick_ns, all_ns;
	struct kernel *k;

	NEED_PRIVILEGE();
	k = other_kernel(f);
	assert_int_equal(kernel_cost_end(k, &kick_ns, &all_ns), -EINVAL);
	assert_int_equal(kernel_cost_begin(k), 0);
	assert_int_equal(kernel_cost_begin(k), -EBUSY);
	assert_in_range(kernel_run_clock_ns(k), 1, 10000);
	other_kick(f, 0);
	other_wait(f, 1);
	assert_int_equal(kernel_cost_end(k, &kick_ns, &all_ns), 0);
	assert_true(kick_ns > 0 && all_ns > kick_ns);
}

static int setup(void **state)
{
	*state = other_new(OTHER_POLL, OTHER_BEST);
	return 0;
}

static int setup_sys_exit(void **state)
{
	*state = other_new(OTHER_POLL, OTHER_SYS_EXIT);
	return 0;
}

static int teardown(void **state)
{
	other_free(*state);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_changes__##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(heard),
		cmocka_unit_test_setup_teardown(test_changes__heard, setup_sys_exit, teardown),
		TEST(many),
		TEST(cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
