/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Debug exit: a port whose first write tells how the guest ended, as QEMU's isa-debug-exit does. 0
 * means success. BQL.
 */
#ifndef MACHINE_DEBUG_EXIT_H
#define MACHINE_DEBUG_EXIT_H

#include <handoff/memory.h>

#define DEBUG_EXIT_PORT	 0xf4
#define DEBUG_EXIT_PORTS 4

/* Caller's memory; mr is placed by the board. */
struct debug_exit {
	struct MemoryRegion mr;
	/* Called for every write, from the vCPU thread. */
	void (*exit)(void *opaque, uint32_t value);
	void *opaque;
};

void debug_exit_init(struct debug_exit *d, void (*exit)(void *opaque, uint32_t value),
		     void *opaque);
void debug_exit_release(struct debug_exit *d);

#endif
