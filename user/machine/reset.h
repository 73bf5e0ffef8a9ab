/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two old ways in which a PC is reset: the chipset's reset control register, which the FADT
 * names as the reset register, and a pulse of the keyboard controller's reset line ("reboot=k").
 * There is no keyboard controller besides. BQL.
 */
#ifndef MACHINE_RESET_H
#define MACHINE_RESET_H

#include <stdint.h>
#include <handoff/memory.h>

/* Intel ICH data sheets, "Reset Control Register": bit 2 resets, bit 1 makes it a hard reset. */
#define RESET_CONTROL_PORT  0xcf9
#define RESET_CONTROL_VALUE 6

#define RESET_KEYBOARD_PORT 0x64

/* Caller's memory; keyboard is placed by the board at RESET_KEYBOARD_PORT. */
struct reset {
	struct MemoryRegion keyboard;
	uint8_t control;
	/* From the vCPU thread, for every request. */
	void (*request)(void *opaque);
	void *opaque;
};

void reset_init(struct reset *r, void (*request)(void *opaque), void *opaque);
void reset_release(struct reset *r);

/* Port 0xcf9. It lies inside PCI's address register, so the host bridge hands its accesses over. */
uint8_t reset_control_read(const struct reset *r);
void reset_control_write(struct reset *r, uint8_t value);

#endif
