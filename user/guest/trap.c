// SPDX-License-Identifier: BSD-2-Clause
/*
 * The C side of vectors.S: fills the IDT, reads the interrupt counters, reports exceptions. The
 * counters are written by interrupt stubs only, with interrupts off, and are read here at any
 * moment.
 */
#include "guest.h"

#define DEBUG_EXIT_PORT 0xf4
#define GATE_INTERRUPT	0x8e
#define FAULT_DOUBLE	8

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};

/* Order of vectors.S' exc_panic. */
struct panic_record {
	uint64_t vector;
	uint64_t error_code;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
	uint64_t cr2;
};

extern struct gate idt[256];
extern const uint64_t exc_table[EXC_VECTORS];
extern const char irq_stubs[], irq_spurious_stub[];
extern volatile uint64_t irq_total, irq_counts[IRQ_VECTORS];
extern const struct panic_record panic_record;

static void set_gate(uint32_t vector, uint64_t entry, uint8_t ist)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)entry,
		.selector = SEL_CODE0,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset_mid = (uint16_t)(entry >> 16),
		.offset_high = (uint32_t)(entry >> 32),
	};
}

void trap_init(void)
{
	for (uint32_t i = 0; i < EXC_VECTORS; i++)
		set_gate(i, exc_table[i], i == FAULT_DOUBLE);
	for (uint32_t i = 0; i < IRQ_VECTORS; i++)
		set_gate(IRQ_VECTOR_BASE + i, (uint64_t)irq_stubs + i * IRQ_STUB_BYTES, 0);
	set_gate(SPURIOUS_VECTOR, (uint64_t)irq_spurious_stub, 0);
}

void trap_panic(void)
{
	say("panic vector=%lu error=0x%lx rip=0x%lx cs=0x%lx rflags=0x%lx rsp=0x%lx cr2=0x%lx",
	    panic_record.vector, panic_record.error_code, panic_record.rip, panic_record.cs,
	    panic_record.rflags, panic_record.rsp, panic_record.cr2);
	guest_exit(GUEST_EXIT_PANIC);
}

void guest_exit(uint32_t code)
{
	for (;;)
		svc(SVC_POWEROFF, DEBUG_EXIT_PORT, code, 0);
}

uint64_t irq_timer(void)
{
	return irq_counts[IRQ_TIMER];
}

/* Both counters of one moment: a timer interrupt between two reads must not look like a device's.
 */
uint64_t irq_devices(void)
{
	uint64_t total, timer;

	do {
		total = irq_total;
		timer = irq_counts[IRQ_TIMER];
	} while (total != irq_total);
	return total - timer;
}

uint64_t irq_vector(uint32_t n)
{
	return irq_counts[n];
}

uint64_t irq_mark(void)
{
	return irq_total;
}

void irq_wait(uint64_t mark)
{
	svc(SVC_HALT, (uint64_t)&irq_total, mark, 0);
}
