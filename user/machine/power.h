/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI fixed hardware: PM1 event and control registers, PM timer, power button. No sleep button, no
 * wake events, no SMM: what can happen is that the guest turns the power off, that the button is
 * pressed, and that the timer's top bit changes.
 * Everything under the BQL. Source of rules: ACPI 6.3, 4.8.3.
 */
#ifndef MACHINE_POWER_H
#define MACHINE_POWER_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/memory.h>

/* Where the board has the registers: three blocks, with a hole of two ports before the timer. */
#define POWER_PORT	    0x600
#define POWER_PORTS	    12
#define POWER_EVENT	    0
#define POWER_EVENT_BYTES   4
#define POWER_CONTROL	    4
#define POWER_CONTROL_BYTES 2
#define POWER_TIMER	    8
#define POWER_TIMER_BYTES   4

#define POWER_SCI_GSI  9
#define POWER_TIMER_HZ 3579545

/* SLP_TYP of soft off: not 0, which a guest writes by mistake. */
#define POWER_SLEEP_S5 5

struct power_ops {
	int64_t (*now_ns)(void *opaque);
	void (*set_sci)(void *opaque, bool level);
	/* power_alarm is to be called at expire_ns or later; the last call counts. -1 = not at all
	 */
	void (*set_alarm)(void *opaque, int64_t expire_ns);
	void (*soft_off)(void *opaque);
};

/* Caller's memory. Private to power.c but for mr, which the board places at POWER_PORT. */
struct power {
	struct MemoryRegion mr, registers, timer;
	const struct power_ops *ops;
	void *opaque;
	int64_t start_ns;
	uint64_t half; /* how often the timer's top bit had changed when we looked last */
	uint16_t status, enable, control;
	bool sci, alarm;
};

void power_init(struct power *p, const struct power_ops *ops, void *opaque);
void power_release(struct power *p);
void power_alarm(struct power *p);
/* The power button is pressed: asks the guest to turn itself off (4.8.3.2). */
void power_press_button(struct power *p);

#endif
