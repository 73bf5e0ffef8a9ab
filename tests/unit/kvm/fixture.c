// SPDX-License-Identifier: BSD-2-Clause
/* The VM that the tests of user/kvm share: see guest.h. */
#include "guest.h"

#include <lib/tap.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/bql.h>

#define WAIT_LIMIT_MS 10000

extern const char guest_code[], guest_code_end[], guest_handler0[], guest_handler1[];

static uint64_t device_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct fixture *f = opaque;

	return ++f->device_reads;
}

static void device_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct fixture *f = opaque;

	f->device_writes++;
	f->device_value = value;
	if (value != f->device_reads)
		f->broken_echoes++;
	event_notifier_set(&f->progress);
}

static const struct MemoryRegionOps device_ops = { .read = device_read, .write = device_write };

static uint64_t port_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct fixture *f = opaque;

	return f->in_value;
}

static void port_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct fixture *f = opaque;

	switch (PORTS + addr) {
	case PORT_BYTES:
		if (f->n_bytes < sizeof(f->bytes))
			f->bytes[f->n_bytes++] = value;
		return;
	case PORT_IRQ:
		f->irqs[value & 1]++;
		break;
	case PORT_END:
		f->ended++;
		break;
	case PORT_SPARE:
		f->spare_writes++;
		break;
	}
	event_notifier_set(&f->progress);
}

static const struct MemoryRegionOps port_ops = { .read = port_read, .write = port_write };

static void vcpu_stopped(void *opaque, enum kvm_stop_reason reason)
{
	struct fixture *f = opaque;

	f->stopped = reason;
	event_notifier_set(&f->progress);
}

static void build_spaces(struct fixture *f)
{
	struct error err;

	f->ram = guest_ram_new(RAM_BYTES, RAM_BYTES, &err);
	assert_non_null(f->ram);
	memory_region_init(&f->memory_root, "memory", 1ull << 40);
	memory_region_init(&f->io_root, "io", 0x10000);
	memory_region_init_ram_ptr(&f->ram_mr, "ram", RAM_BYTES, f->ram->range[0].hva);
	memory_region_init_io(&f->device_mr, &device_ops, f, "device", 0x1000);
	memory_region_init_io(&f->ports_mr, &port_ops, f, "ports", 0x100);
	memory_region_add_subregion(&f->memory_root, 0, &f->ram_mr);
	memory_region_add_subregion(&f->memory_root, DEVICE_GPA, &f->device_mr);
	memory_region_add_subregion(&f->io_root, PORTS, &f->ports_mr);
	address_space_init(&f->memory, &f->memory_root, "memory");
	address_space_init(&f->io, &f->io_root, "io");
}

static void release_spaces(struct fixture *f)
{
	address_space_release(&f->io);
	address_space_release(&f->memory);
	memory_region_del_subregion(&f->io_root, &f->ports_mr);
	memory_region_del_subregion(&f->memory_root, &f->device_mr);
	memory_region_del_subregion(&f->memory_root, &f->ram_mr);
	memory_region_release(&f->ports_mr);
	memory_region_release(&f->device_mr);
	memory_region_release(&f->ram_mr);
	memory_region_release(&f->io_root);
	memory_region_release(&f->memory_root);
	guest_ram_free(f->ram);
}

static int setup(void **state, int ioeventfd_limit)
{
	struct kvm_vcpu_config vcpu_config = { .stopped = vcpu_stopped };
	struct kvm_vm_config config = { .device = "/dev/kvm", .ioeventfd_limit = ioeventfd_limit };
	struct fixture *f;
	struct error err;

	*state = NULL;
	if (access("/dev/kvm", R_OK | W_OK))
		return 0;
	f = calloc(1, sizeof(*f));
	assert_non_null(f);
	assert_int_equal(event_notifier_init(&f->progress, false), 0);
	bql_lock();
	build_spaces(f);
	config.memory = &f->memory;
	config.io = &f->io;
	f->vm = kvm_vm_new(&config, &err);
	if (!f->vm)
		fail_msg("%s", err.msg);
	vcpu_config.opaque = f;
	f->vcpu = kvm_vcpu_new(f->vm, &vcpu_config, &err);
	if (!f->vcpu)
		fail_msg("%s", err.msg);
	*state = f;
	return 0;
}

int fixture_setup(void **state)
{
	return setup(state, -1);
}

int fixture_setup_no_ioeventfds(void **state)
{
	return setup(state, 0);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	if (!f)
		return 0;
	kvm_vcpu_free(f->vcpu);
	kvm_vm_free(f->vm);
	release_spaces(f);
	bql_unlock();
	event_notifier_release(&f->progress);
	free(f);
	return 0;
}

struct fixture *fixture_get(void **state)
{
	if (!*state)
		skip_because("/dev/kvm cannot be opened for reading and writing");
	return *state;
}

static void put_gate(struct fixture *f, unsigned int vector, const char *handler)
{
	uint32_t to = GUEST_CODE_GPA + (handler - guest_code);
	uint32_t gate[2] = { 0x00080000 | (to & 0xffff), (to & 0xffff0000) | 0x8e00 };

	assert_true(guest_ram_write(f->ram, GUEST_IDT_GPA + 16 + vector * 8, gate, sizeof(gate)));
}

size_t fixture_irq_ops(struct fixture *f, struct op *ops)
{
	static const uint64_t gdt[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff };
	const struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdt_pointer = { sizeof(gdt) - 1, GUEST_GDT_GPA + 16 },
				  idt_pointer = { 256 * 8 - 1, GUEST_IDT_GPA + 16 };

	assert_true(guest_ram_write(f->ram, GUEST_GDT_GPA, &gdt_pointer, sizeof(gdt_pointer)));
	assert_true(guest_ram_write(f->ram, GUEST_GDT_GPA + 16, gdt, sizeof(gdt)));
	assert_true(guest_ram_write(f->ram, GUEST_IDT_GPA, &idt_pointer, sizeof(idt_pointer)));
	put_gate(f, VECTOR0, guest_handler0);
	put_gate(f, VECTOR1, guest_handler1);
	ops[0] = (struct op){ OP_TABLES, GUEST_GDT_GPA, GUEST_IDT_GPA };
	ops[1] = (struct op){ OP_WRITE32, LAPIC_GPA + 0xf0, 0x1ff }; /* spurious vector: enable */
	return 2;
}

void fixture_load(struct fixture *f, const struct op *ops, size_t n)
{
	struct kvm_vcpu_regs_pvh regs = { .entry = GUEST_CODE_GPA,
					  .start_info_gpa = GUEST_OPS_GPA };
	struct error err;

	assert_true(
		guest_ram_write(f->ram, GUEST_CODE_GPA, guest_code, guest_code_end - guest_code));
	assert_true(guest_ram_write(f->ram, GUEST_OPS_GPA, ops, n * sizeof(*ops)));
	assert_int_equal(kvm_vcpu_set_pvh(f->vcpu, &regs, &err), 0);
}

void fixture_wait(struct fixture *f, const uint32_t *counter, uint32_t value)
{
	struct pollfd poll_progress = { .fd = f->progress.fd, .events = POLLIN };

	while (*counter < value) {
		int ready;

		bql_unlock();
		ready = poll(&poll_progress, 1, WAIT_LIMIT_MS);
		bql_lock();
		assert_int_equal(ready, 1);
		event_notifier_test_and_clear(&f->progress);
	}
}
