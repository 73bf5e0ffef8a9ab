/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a guest is told about its memory, the same for both boot protocols. Main thread. Rules: ACPI
 * 6.4 chapter 15 (types); the layout is that of board.h.
 */
#ifndef MACHINE_BOOT_MEMMAP_H
#define MACHINE_BOOT_MEMMAP_H

#include <stdint.h>
#include <handoff/guest_ram.h>

/* The numbers of E820 and of PVH alike. */
enum boot_memory_type { BOOT_MEMORY_RAM = 1, BOOT_MEMORY_RESERVED = 2 };

struct boot_memory {
	uint64_t gpa, size_bytes;
	enum boot_memory_type type;
};

/* Ascending, nothing overlaps. */
struct boot_memmap {
	struct boot_memory entry[5];
	unsigned int n;
};

/* RAM but for 640 KiB to 1 MiB; reserved: where ACPI tables lie, and PCI's configuration space. */
void boot_memmap_build(struct boot_memmap *map, const struct guest_ram *ram);

#endif
