/* SPDX-License-Identifier: BSD-2-Clause */
/* The op-list guest of guest.S, and a VM to run it on (fixture.c): 1 MiB of RAM, a device page,
 * some ports, one vCPU. */
#ifndef TESTS_KVM_GUEST_H
#define TESTS_KVM_GUEST_H

#define OP_FAULT   0
#define OP_WRITE32 1 /* *(u32 *)a = b */
#define OP_WRITE16 2
#define OP_READ32  3 /* *(u32 *)b = *(u32 *)a */
#define OP_OUT32   4 /* port a, value b */
#define OP_OUT16   5
#define OP_IN32	   6  /* port a, to *(u32 *)b */
#define OP_OUTS8   7  /* b bytes from a, to PORT_BYTES */
#define OP_GOTO	   8  /* a = gpa of the next op */
#define OP_TABLES  9  /* a, b = gpa of the GDT and IDT pointers */
#define OP_IDLE	   10 /* interrupts on, halt for ever */

#define RAM_BYTES	 0x100000
#define GUEST_GDT_GPA	 0x1000
#define GUEST_IDT_GPA	 0x2000
#define GUEST_STACK_GPA	 0x8000
#define GUEST_CODE_GPA	 0x9000
#define GUEST_OPS_GPA	 0xa000
#define GUEST_BUFFER_GPA 0x10000

#define DEVICE_GPA 0x10000000
#define LAPIC_GPA  0xfee00000
#define IOAPIC_GPA 0xfec00000

#define PORTS	   0x500 /* the kernel's PIC and PIT own some below */
#define PORT_BYTES 0x520 /* OP_OUTS8 */
#define PORT_IRQ   0x530 /* handlers report their number */
#define PORT_END   0x540 /* any write: the test goes on */
#define PORT_SPARE 0x550

#define VECTOR0 0x50
#define VECTOR1 0x51

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>
#include <handoff/event_notifier.h>
#include <handoff/guest_ram.h>
#include <handoff/kvm.h>
#include <handoff/memory.h>

struct op {
	uint32_t op, a, b;
};

struct fixture {
	struct MemoryRegion memory_root, io_root, ram_mr, device_mr, ports_mr;
	struct AddressSpace memory, io;
	struct guest_ram *ram;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	struct EventNotifier progress; /* set by every port write but bytes, and by stopped */

	/* what the device saw; read by the test while the BQL is held */
	uint32_t device_writes, device_value, device_reads;
	uint32_t broken_echoes; /* reads are numbered; a write that is not the number just read is
				   counted here */
	uint32_t irqs[2], ended, in_value, spare_writes;
	char bytes[256];
	uint32_t n_bytes;
	enum kvm_stop_reason stopped;
};

/* cmocka setup and teardown; *state is the fixture, or NULL if there is no KVM here (then the test
 * skips). */
int fixture_setup(void **state);
int fixture_setup_no_ioeventfds(void **state);
int fixture_teardown(void **state);
/* The fixture, or skips with the reason. */
struct fixture *fixture_get(void **state);

/* Puts the ops into RAM and sets the vCPU to their start; does not run it. */
void fixture_load(struct fixture *f, const struct op *ops, size_t n);
/* Ops that switch the LAPIC on and load the tables; the first in a guest that takes interrupts.
 * Returns how many. */
size_t fixture_irq_ops(struct fixture *f, struct op *ops);
/* Drops the BQL until *counter >= value; fails the test after ten seconds. */
void fixture_wait(struct fixture *f, const uint32_t *counter, uint32_t value);

#endif
#endif
