// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a PVH kernel is told: see boot_pvh.h. Main thread. Neighbours: board.c calls, elf.c loads
 * the kernel itself.
 *
 *   0x6000   start_info        in low memory that a kernel does not use before it has read it
 *   0x7000   memory map
 *   0x20000  command line, up to 64 KiB
 */
#include "boot_pvh.h"

#include <errno.h>
#include <string.h>

#define START_INFO_GPA	BOOT_DATA_GPA
#define MEMMAP_GPA	0x7000ull
#define CMDLINE_GPA	0x20000ull
#define CMDLINE_MAX	0x10000ull
#define LOW_RAM_END_GPA 0xa0000ull /* VGA and ROMs up to 1 MiB on any PC */
#define HIGH_RAM_GPA	0x100000ull

_Static_assert(CMDLINE_GPA + CMDLINE_MAX == BOOT_DATA_GPA + BOOT_DATA_BYTES,
	       "end of the boot data");

#define START_INFO_MAGIC   0x336ec578 /* "xEn3" with bit 31 of E */
#define START_INFO_VERSION 1

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_gpa, cmdline_gpa, rsdp_gpa, memmap_gpa;
	uint32_t memmap_entries, reserved;
};

enum memmap_type { MEMMAP_RAM = 1, MEMMAP_RESERVED = 2 };

struct memmap_entry {
	uint64_t gpa, size_bytes;
	uint32_t type, reserved;
};

#define MEMMAP_MAX 8

_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info version 1");
_Static_assert(sizeof(struct memmap_entry) == 24, "hvm_memmap_table_entry");

struct memmap {
	struct memmap_entry entry[MEMMAP_MAX];
	unsigned int n;
};

static void memmap_add(struct memmap *map, uint64_t start, uint64_t end, enum memmap_type type)
{
	if (start < end)
		map->entry[map->n++] = (struct memmap_entry){ start, end - start, type, 0 };
}

static void memmap_build(struct memmap *map, const struct guest_ram *ram,
			 const struct boot_reserved *reserved)
{
	unsigned int i;

	for (i = 0; i < ram->n_ranges; i++) {
		uint64_t start = ram->range[i].gpa, end = start + ram->range[i].size_bytes;

		if (!start) {
			memmap_add(map, start, MIN(end, LOW_RAM_END_GPA), MEMMAP_RAM);
			start = HIGH_RAM_GPA;
		}
		memmap_add(map, start, end, MEMMAP_RAM);
	}
	memmap_add(map, reserved->gpa, reserved->gpa + reserved->size_bytes, MEMMAP_RESERVED);
}

int boot_pvh_load(const struct guest_ram *ram, const struct boot_image *image, const char *cmdline,
		  const struct boot_reserved *reserved, struct boot_entry *entry, struct error *err)
{
	struct start_info info = {
		.magic = START_INFO_MAGIC,
		.version = START_INFO_VERSION,
		.cmdline_gpa = CMDLINE_GPA,
		.memmap_gpa = MEMMAP_GPA,
	};
	uint64_t cmdline_bytes = strlen(cmdline) + 1;
	struct memmap map = { .n = 0 };
	int ret;

	if (cmdline_bytes > CMDLINE_MAX)
		return error_set(err, -E2BIG, "the guest's command line has %llu bytes, %llu fit",
				 (unsigned long long)cmdline_bytes, CMDLINE_MAX);
	ret = elf_load(ram, image, &entry->rip, err);
	if (ret)
		return ret;
	memmap_build(&map, ram, reserved);
	info.memmap_entries = map.n;
	if (!guest_ram_write(ram, CMDLINE_GPA, cmdline, cmdline_bytes) ||
	    !guest_ram_write(ram, MEMMAP_GPA, map.entry, map.n * sizeof(map.entry[0])) ||
	    !guest_ram_write(ram, START_INFO_GPA, &info, sizeof(info)))
		return error_set(err, -E2BIG, "the guest has less than 1 MiB of memory");
	entry->start_info_gpa = START_INFO_GPA;
	return 0;
}
