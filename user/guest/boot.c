// SPDX-License-Identifier: BSD-2-Clause
/* Reads the loader's hvm_start_info. Once, at start, before memory_init(). Layout: Xen's
 * arch-x86/hvm/start_info.h. */
#include "boot.h"

#include "guest.h"

#define START_INFO_MAGIC 0x336ec578
#define MEMMAP_TYPE_RAM	 1

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr; /* from here on: version 1 */
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct hvm_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

static void read_cmdline(struct boot_info *boot, uint64_t gpa)
{
	const char *from = (const char *)gpa;
	uint32_t i;

	if (!gpa)
		return;
	for (i = 0; from[i]; i++) {
		if (i == BOOT_MAX_CMDLINE - 1)
			die(GUEST_EXIT_USAGE, "command line longer than %u bytes",
			    BOOT_MAX_CMDLINE - 1);
		boot->cmdline[i] = from[i];
	}
	boot->cmdline[i] = 0;
}

void boot_read(struct boot_info *boot, uint64_t start_info_gpa)
{
	const struct hvm_start_info *info = (const void *)start_info_gpa;
	const struct hvm_memmap_entry *map;

	if (info->magic != START_INFO_MAGIC)
		die(GUEST_EXIT_DEVICE, "not entered by PVH: no hvm_start_info at 0x%lx",
		    start_info_gpa);
	if (info->version < 1 || !info->memmap_paddr)
		die(GUEST_EXIT_DEVICE, "hvm_start_info has no memory map");
	map = (const void *)info->memmap_paddr;
	for (uint32_t i = 0; i < info->memmap_entries && boot->nr_ram < BOOT_MAX_RANGES; i++) {
		if (map[i].type != MEMMAP_TYPE_RAM)
			continue;
		boot->ram[boot->nr_ram].base = map[i].addr;
		boot->ram[boot->nr_ram].bytes = map[i].size;
		boot->nr_ram++;
	}
	read_cmdline(boot, info->cmdline_paddr);
}
