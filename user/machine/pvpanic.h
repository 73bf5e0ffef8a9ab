/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pvpanic: a port by which a guest's kernel says that it panicked. BQL. Source of rules: QEMU's
 * docs/specs/pvpanic; Linux drivers/misc/pvpanic, which finds the port by ACPI (QEMU0001).
 */
#ifndef MACHINE_PVPANIC_H
#define MACHINE_PVPANIC_H

#include <handoff/memory.h>

#define PVPANIC_PORT 0x505

#define PVPANIC_PANICKED     0x01 /* and that is the end */
#define PVPANIC_CRASH_LOADED 0x02 /* and a crash kernel takes over */

/* Caller's memory; mr is placed by the board at PVPANIC_PORT. */
struct pvpanic {
	struct MemoryRegion mr;
	/* From the vCPU thread, with one or both bits of the two above, never with none. */
	void (*told)(void *opaque, unsigned int events);
	void *opaque;
};

void pvpanic_init(struct pvpanic *p, void (*told)(void *opaque, unsigned int events), void *opaque);
void pvpanic_release(struct pvpanic *p);

#endif
