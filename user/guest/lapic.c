// SPDX-License-Identifier: BSD-2-Clause
/*
 * The boot CPU's local APIC in xAPIC mode, by MMIO at CPL 3 (KVM emulates the page in the kernel).
 * Set up once; the EOI is in vectors.S.
 */
#include "guest.h"

#define LAPIC_TPR	    0x080
#define LAPIC_SVR	    0x0f0
#define LAPIC_LVT_TIMER	    0x320
#define LAPIC_LVT_LINT0	    0x350
#define LAPIC_TIMER_INITIAL 0x380
#define LAPIC_TIMER_DIVIDE  0x3e0
#define SVR_ENABLE	    0x100
#define LVT_MASKED	    0x10000
#define LVT_PERIODIC	    0x20000
#define DIVIDE_BY_128	    0xa
#define MSR_APIC_BASE	    0x1b
#define APIC_BASE_X2APIC    0x400
#define APIC_BASE_ENABLE    0x800

/* KVM's APIC bus runs at 1 GHz. Where it does not, the watchdog is slower or faster, which harms
 * nobody. */
#define WATCHDOG_TICKS (1000000000 / 128)

static void lapic_write(uint32_t reg, uint32_t value)
{
	mmio_write32(LAPIC_BASE + reg, value);
}

void lapic_init(void)
{
	uint64_t base = svc(SVC_RDMSR, MSR_APIC_BASE, 0, 0);

	if (!(base & APIC_BASE_ENABLE) || (base & APIC_BASE_X2APIC))
		die(GUEST_EXIT_DEVICE, "the local APIC is off or in x2APIC mode (base 0x%lx)",
		    base);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_SVR, SVR_ENABLE | SPURIOUS_VECTOR);
	svc(SVC_IRQ_ON, 0, 0, 0);
}

void lapic_watchdog_start(void)
{
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_128);
	lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | (IRQ_VECTOR_BASE + IRQ_TIMER));
	lapic_write(LAPIC_TIMER_INITIAL, WATCHDOG_TICKS);
}
