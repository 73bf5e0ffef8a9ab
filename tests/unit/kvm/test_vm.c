// SPDX-License-Identifier: BSD-2-Clause
/* The VM on real KVM: errors of /dev/kvm in words, RAM as slots, ioeventfds, and interrupts by
 * route and by pin. */
#include <lib/tap.h>

#include <errno.h>
#include <handoff/bql.h>
#include <handoff/compiler.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "guest.h"

static struct kvm_vm *vm_on(const char *device, struct error *err)
{
	struct kvm_vm_config config = { .device = device, .ioeventfd_limit = -1 };

	return kvm_vm_new(&config, err);
}

/* A machine without KVM is told what to load. */
static void test_vm__missing_device_says_how_to_mend(void **state)
{
	struct error err;

	assert_null(vm_on("/dev/no-such-kvm", &err));
	assert_non_null(strstr(err.msg, "/dev/no-such-kvm"));
	assert_non_null(strstr(err.msg, "modprobe"));
}

/* A user without the right is told the group. */
static void test_vm__forbidden_device_says_how_to_mend(void **state)
{
	struct error err;
	struct kvm_vm *vm;

	if (geteuid()) {
		skip_because("needs root, to give it up");
	}
	assert_int_equal(seteuid(65534), 0);
	vm = vm_on("/proc/1/mem", &err);
	assert_int_equal(seteuid(0), 0);
	assert_null(vm);
	assert_non_null(strstr(err.msg, "usermod -aG kvm"));
}

/* A file that opens but is no KVM is refused. */
static void test_vm__other_device_is_refused(void **state)
{
	struct error err;

	assert_null(vm_on("/dev/null", &err));
	assert_non_null(strstr(err.msg, "/dev/null"));
}

/* What a kick costs is measured on real KVM, and leaves nothing behind. */
static void test_vm__kick_exit_is_measured(void **state)
{
	struct error err;
	int first = dup(0), last;
	int64_t ns = kvm_kick_exit_ns_any("/dev/kvm", &err);

	if (ns < 0)
		fail_msg("%s", err.msg);
	print_message("a kick costs %lld CPU-ns\n", (long long)ns);
	/* No exit of any CPU is done in 0.1 us, and none takes 10 ms. */
	assert_in_range(ns, 100, 10000000);
	last = dup(0);
	assert_int_equal(last, first + 1);
	close(first);
	close(last);
	assert_int_equal(kvm_kick_exit_ns_any("/dev/no-such-kvm", &err), -1);
	assert_non_null(strstr(err.msg, "/dev/no-such-kvm"));
}

/* What the guest writes to RAM is there; a region laid over RAM takes its part out of KVM's hands
 * and gives it back. */
static void test_vm__slots_follow_the_memory_map(void **state)
{
	struct fixture *f = fixture_get(state);
	const struct op ops[] = {
		{ OP_WRITE32, GUEST_BUFFER_GPA, 11 }, { OP_OUT32, PORT_END, 0 },
		{ OP_WRITE32, GUEST_BUFFER_GPA, 22 }, { OP_OUT32, PORT_END, 0 },
		{ OP_GOTO, GUEST_OPS_GPA, 0 },
	};
	uint32_t got;

	fixture_load(f, ops, ARRAY_SIZE(ops));
	memory_region_del_subregion(&f->memory_root, &f->device_mr);
	memory_region_add_subregion_overlap(&f->memory_root, GUEST_BUFFER_GPA, &f->device_mr, 1);
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 2);
	kvm_vcpu_pause(f->vcpu);
	assert_in_range(f->device_writes, 2, UINT32_MAX);
	assert_true(guest_ram_read(f->ram, GUEST_BUFFER_GPA, &got, sizeof(got)));
	assert_int_equal(got, 0);
	memory_region_set_address(&f->device_mr, DEVICE_GPA);
	f->device_writes = 0;
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, f->ended + 3);
	kvm_vcpu_pause(f->vcpu);
	assert_int_equal(f->device_writes, 0);
	assert_true(guest_ram_read(f->ram, GUEST_BUFFER_GPA, &got, sizeof(got)));
	assert_int_not_equal(got, 0);
}

static const struct op kick_ops[] = {
	{ OP_WRITE16, DEVICE_GPA + 8, 3 }, { OP_WRITE16, DEVICE_GPA + 8, 3 },
	{ OP_OUT16, PORT_SPARE, 5 },	   { OP_OUT16, PORT_SPARE, 6 },
	{ OP_OUT32, PORT_END, 0 },	   { OP_GOTO, GUEST_OPS_GPA + 5 * sizeof(struct op), 0 },
};

static uint64_t eventfd_count(struct EventNotifier *e)
{
	uint64_t count = 0;

	return read(e->fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The guest ends in a tight loop: a vCPU halted by an earlier turn would not wake for new
 * registers. */
static void run_one_turn(struct fixture *f)
{
	fixture_load(f, kick_ops, ARRAY_SIZE(kick_ops));
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, f->ended + 1);
	kvm_vcpu_pause(f->vcpu);
}

/* An ioeventfd takes the guest's writes, all of them, from the device; when it is gone the device
 * has them again. */
static void test_vm__ioeventfds_take_kicks(void **state)
{
	struct fixture *f = fixture_get(state);
	struct EventNotifier mmio, pio;

	assert_int_equal(event_notifier_init(&mmio, false), 0);
	assert_int_equal(event_notifier_init(&pio, false), 0);
	memory_region_transaction_begin();
	memory_region_add_eventfd(&f->device_mr, 8, 0, false, 0, &mmio);
	memory_region_add_eventfd(&f->ports_mr, PORT_SPARE - PORTS, 2, true, 5, &pio);
	memory_region_transaction_commit();
	assert_int_equal(memory_region_eventfd_error(&mmio), 0);
	assert_int_equal(memory_region_eventfd_error(&pio), 0);
	run_one_turn(f);
	assert_int_equal(f->device_writes, 0);
	assert_int_equal(eventfd_count(&mmio), 2);
	assert_int_equal(f->spare_writes, 1); /* the datum that does not match */
	assert_int_equal(eventfd_count(&pio), 1);

	memory_region_transaction_begin();
	memory_region_del_eventfd(&f->device_mr, 8, 0, false, 0, &mmio);
	memory_region_del_eventfd(&f->ports_mr, PORT_SPARE - PORTS, 2, true, 5, &pio);
	memory_region_transaction_commit();
	event_notifier_release(&mmio);
	event_notifier_release(&pio);
	run_one_turn(f);
	assert_int_equal(f->device_writes, 2);
	assert_int_equal(f->spare_writes, 3);
}

/* Two wildcards at one address collide in KVM; the second is refused with its errno and nothing
 * breaks. */
static void test_vm__colliding_ioeventfd_is_refused(void **state)
{
	struct fixture *f = fixture_get(state);
	struct EventNotifier first, second;

	assert_int_equal(event_notifier_init(&first, false), 0);
	assert_int_equal(event_notifier_init(&second, false), 0);
	memory_region_add_eventfd(&f->device_mr, 8, 0, false, 0, &first);
	memory_region_add_eventfd(&f->device_mr, 8, 2, false, 0, &second);
	assert_int_equal(memory_region_eventfd_error(&first), 0);
	assert_int_equal(memory_region_eventfd_error(&second), -EEXIST);
	memory_region_del_eventfd(&f->device_mr, 8, 2, false, 0, &second);
	memory_region_del_eventfd(&f->device_mr, 8, 0, false, 0, &first);
	event_notifier_release(&first);
	event_notifier_release(&second);
}

/* With the limit at none, an ioeventfd is refused as a full KVM would, and the kick reaches the
 * device. */
static void test_vm__ioeventfd_limit_refuses(void **state)
{
	struct fixture *f = fixture_get(state);
	struct EventNotifier e;

	assert_int_equal(event_notifier_init(&e, false), 0);
	memory_region_add_eventfd(&f->device_mr, 8, 0, false, 0, &e);
	assert_int_equal(memory_region_eventfd_error(&e), -ENOSPC);
	memory_region_del_eventfd(&f->device_mr, 8, 0, false, 0, &e);
	run_one_turn(f);
	assert_int_equal(f->device_writes, 2);
	assert_int_equal(eventfd_count(&e), 0);
	event_notifier_release(&e);
}

/* One that the 8259s do not have as well: nobody set them up. */
#define PIN 20

static void start_irq_guest(struct fixture *f)
{
	struct op ops[8];
	size_t n = fixture_irq_ops(f, ops);

	/* IOAPIC pin, edge, to vector 1: redirection entry at 0x10 + 2 * pin. */
	ops[n++] = (struct op){ OP_WRITE32, IOAPIC_GPA, 0x10 + 2 * PIN + 1 };
	ops[n++] = (struct op){ OP_WRITE32, IOAPIC_GPA + 0x10, 0 };
	ops[n++] = (struct op){ OP_WRITE32, IOAPIC_GPA, 0x10 + 2 * PIN };
	ops[n++] = (struct op){ OP_WRITE32, IOAPIC_GPA + 0x10, VECTOR1 };
	ops[n++] = (struct op){ OP_OUT32, PORT_END, 0 };
	ops[n++] = (struct op){ OP_IDLE, 0, 0 };
	fixture_load(f, ops, n);
	kvm_vcpu_resume(f->vcpu);
	fixture_wait(f, &f->ended, 1);
}

static const struct msi_message msi0 = { .address = 0xfee00000, .data = VECTOR0 };
static const struct msi_message msi1 = { .address = 0xfee00000, .data = VECTOR1 };

/* A message sent by hand, and a pin raised and lowered, each interrupt the guest once. */
static void test_vm__sends_messages_and_pins(void **state)
{
	struct fixture *f = fixture_get(state);
	struct irq_sink *sink;

	start_irq_guest(f);
	sink = kvm_vm_irq_sink(f->vm);
	assert_int_equal(sink->ops->send(sink, &msi0), 0);
	fixture_wait(f, &f->irqs[0], 1);
	kvm_vm_set_irq_any(f->vm, PIN, true);
	fixture_wait(f, &f->irqs[1], 1);
	kvm_vm_set_irq_any(f->vm, PIN, false);
	assert_int_equal(f->irqs[0], 1);
	assert_int_equal(f->irqs[1], 1);
}

/* A route fires its message when its eventfd is set, and another after it was changed. */
static void test_vm__route_fires_and_changes(void **state)
{
	struct fixture *f = fixture_get(state);
	struct EventNotifier e;
	struct irq_route *route;
	struct irq_sink *sink;
	struct error err;

	start_irq_guest(f);
	sink = kvm_vm_irq_sink(f->vm);
	assert_int_equal(event_notifier_init(&e, false), 0);
	route = sink->ops->route_new(sink, &msi0, &e, &err);
	assert_non_null(route);
	event_notifier_set(&e);
	fixture_wait(f, &f->irqs[0], 1);
	assert_int_equal(sink->ops->route_set(route, &msi1), 0);
	event_notifier_set(&e);
	fixture_wait(f, &f->irqs[1], 1);
	assert_int_equal(f->irqs[0], 1);
	sink->ops->route_free(route);
	/* Nobody listens any more: the count stays. */
	event_notifier_set(&e);
	assert_true(event_notifier_test_and_clear(&e));
	event_notifier_release(&e);
}

/* While masked a signal waits in the eventfd; unmasking fires it once and takes it out. */
static void test_vm__masked_route_keeps_the_signal(void **state)
{
	struct fixture *f = fixture_get(state);
	struct EventNotifier e;
	struct irq_route *route;
	struct irq_sink *sink;
	struct pollfd pending;
	struct error err;

	start_irq_guest(f);
	sink = kvm_vm_irq_sink(f->vm);
	assert_int_equal(event_notifier_init(&e, false), 0);
	route = sink->ops->route_new(sink, &msi0, &e, &err);
	assert_non_null(route);
	assert_int_equal(sink->ops->route_mask(route, true), 0);
	event_notifier_set(&e);
	pending = (struct pollfd){ .fd = e.fd, .events = POLLIN };
	assert_int_equal(poll(&pending, 1, 0), 1);
	/* An interrupt that comes later than the masked one must be the only one seen. */
	assert_int_equal(sink->ops->send(sink, &msi1), 0);
	fixture_wait(f, &f->irqs[1], 1);
	assert_int_equal(f->irqs[0], 0);
	assert_int_equal(sink->ops->route_mask(route, false), 0);
	fixture_wait(f, &f->irqs[0], 1);
	assert_int_equal(poll(&pending, 1, 0), 0);
	sink->ops->route_free(route);
	event_notifier_release(&e);
}

/* GSIs of freed routes are used again: making and freeing goes on for longer than KVM has GSIs. */
static void test_vm__routes_are_recycled(void **state)
{
	struct fixture *f = fixture_get(state);
	struct irq_sink *sink = kvm_vm_irq_sink(f->vm);
	struct EventNotifier e;
	struct error err;
	unsigned int i;

	assert_int_equal(event_notifier_init(&e, false), 0);
	for (i = 0; i < 4200; i++) {
		struct irq_route *route = sink->ops->route_new(sink, &msi0, &e, &err);

		if (!route)
			fail_msg("route %u: %s", i, err.msg);
		sink->ops->route_free(route);
	}
	event_notifier_release(&e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vm__missing_device_says_how_to_mend),
		cmocka_unit_test(test_vm__forbidden_device_says_how_to_mend),
		cmocka_unit_test(test_vm__other_device_is_refused),
		cmocka_unit_test(test_vm__kick_exit_is_measured),
		TEST(test_vm__slots_follow_the_memory_map),
		TEST(test_vm__ioeventfds_take_kicks),
		TEST(test_vm__colliding_ioeventfd_is_refused),
		cmocka_unit_test_setup_teardown(test_vm__ioeventfd_limit_refuses,
						fixture_setup_no_ioeventfds, fixture_teardown),
		TEST(test_vm__sends_messages_and_pins),
		TEST(test_vm__route_fires_and_changes),
		TEST(test_vm__masked_route_keeps_the_signal),
		TEST(test_vm__routes_are_recycled),
	};

	return cmocka_run_group_tests_name("vm", tests, NULL, NULL);
}
