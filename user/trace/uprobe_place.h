/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where in a function a uprobe costs least. The kernel executes few instructions itself (push, nop,
 * relative jumps and calls: 0.75 us a hit); any other is single-stepped (ten times that under a
 * hypervisor). Pure: bytes in, offset out.
 */
#ifndef TRACE_UPROBE_PLACE_H
#define TRACE_UPROBE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers that x86 instructions have for them, as bits. */
enum uprobe_reg {
	UPROBE_RCX = 1 << 1,
	UPROBE_RDX = 1 << 2,
	UPROBE_RSP = 1 << 4,
	UPROBE_RSI = 1 << 6,
	UPROBE_RDI = 1 << 7,
	UPROBE_R8 = 1 << 8,
	UPROBE_R9 = 1 << 9,
};

struct uprobe_place {
	size_t offset; /* from the function's beginning; 0 if it is not cheap */
	bool cheap;
	char why[100]; /* not cheap because */
};

/*
 * `code`: the function's bytes, all of them as far as they are known, at most 64 KiB are looked at.
 * At the place chosen the registers of `needs` (enum uprobe_reg) hold what the caller has passed;
 * with UPROBE_RSP the return address is on top of the stack, as a uretprobe needs it. Each call
 * passes the place once: nothing jumps back to it or before it.
 */
void uprobe_place_find(const uint8_t *code, size_t size, uint32_t needs,
		       struct uprobe_place *place);

#endif
