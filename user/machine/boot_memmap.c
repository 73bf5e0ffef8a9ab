// SPDX-License-Identifier: BSD-2-Clause
/* The memory map: see boot_memmap.h. Main thread. Neighbours: boot_pvh.c and boot_linux.c write it
 * down in their own formats. */
#include "boot_memmap.h"

#include <handoff/pci.h>
#include "board.h"
#include "boot.h"

static void add(struct boot_memmap *map, uint64_t start, uint64_t end, enum boot_memory_type type)
{
	if (start < end)
		map->entry[map->n++] = (struct boot_memory){ start, end - start, type };
}

static uint64_t range_end(const struct guest_ram_range *range)
{
	return range->gpa + range->size_bytes;
}

void boot_memmap_build(struct boot_memmap *map, const struct guest_ram *ram)
{
	const struct guest_ram_range *low = &ram->range[0], *high = &ram->range[1];

	map->n = 0;
	add(map, 0, MIN(range_end(low), BOOT_LOW_RAM_END_GPA), BOOT_MEMORY_RAM);
	add(map, BOARD_ACPI_GPA, BOARD_ACPI_END, BOOT_MEMORY_RESERVED);
	add(map, BOOT_KERNEL_MIN_GPA, range_end(low), BOOT_MEMORY_RAM);
	add(map, BOARD_ECAM_GPA, BOARD_ECAM_GPA + PCI_ECAM_BUS_SIZE, BOOT_MEMORY_RESERVED);
	if (ram->n_ranges > 1)
		add(map, high->gpa, range_end(high), BOOT_MEMORY_RAM);
}
