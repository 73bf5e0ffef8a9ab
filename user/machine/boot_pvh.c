// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a PVH kernel is told: see boot_pvh.h. Main thread. Neighbours: boot.c calls, elf.c loads the
 * kernel itself; places in boot.h.
 */
#include "boot_pvh.h"

#include <errno.h>
#include "boot_memmap.h"

#define START_INFO_GPA BOOT_DATA_GPA
#define MODULES_GPA    0x6800ull
#define MEMMAP_GPA     0x7000ull

#define START_INFO_MAGIC   0x336ec578 /* "xEn3" with bit 31 of E */
#define START_INFO_VERSION 1

struct start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_gpa, cmdline_gpa, rsdp_gpa, memmap_gpa;
	uint32_t memmap_entries, reserved;
};

struct memmap_entry {
	uint64_t gpa, size_bytes;
	uint32_t type, reserved;
};

struct modlist_entry {
	uint64_t gpa, size_bytes, cmdline_gpa, reserved;
};

_Static_assert(sizeof(struct start_info) == 56, "hvm_start_info version 1");
_Static_assert(sizeof(struct memmap_entry) == 24, "hvm_memmap_table_entry");
_Static_assert(sizeof(struct modlist_entry) == 32, "hvm_modlist_entry");

static bool write_memmap(const struct guest_ram *ram, struct start_info *info)
{
	struct boot_memmap map;
	struct memmap_entry to[ARRAY_SIZE(map.entry)];
	unsigned int i;

	boot_memmap_build(&map, ram);
	for (i = 0; i < map.n; i++)
		to[i] = (struct memmap_entry){ map.entry[i].gpa, map.entry[i].size_bytes,
					       map.entry[i].type, 0 };
	info->memmap_gpa = MEMMAP_GPA;
	info->memmap_entries = map.n;
	return guest_ram_write(ram, MEMMAP_GPA, to, map.n * sizeof(to[0]));
}

static bool write_modules(const struct guest_ram *ram, const struct boot_initrd *initrd,
			  struct start_info *info)
{
	struct modlist_entry module = { initrd->gpa, initrd->size_bytes, 0, 0 };

	if (!initrd->size_bytes)
		return true;
	info->modlist_gpa = MODULES_GPA;
	info->nr_modules = 1;
	return guest_ram_write(ram, MODULES_GPA, &module, sizeof(module));
}

int boot_pvh_load(const struct boot_config *config, struct boot_entry *entry, struct error *err)
{
	/* Linux keeps 32 bits of a PVH initrd's address (init_pvh_bootparams, up to 6.12). */
	struct boot_initrd_limits limits = { .last_gpa = UINT32_MAX };
	struct start_info info = {
		.magic = START_INFO_MAGIC,
		.version = START_INFO_VERSION,
		.cmdline_gpa = BOOT_CMDLINE_GPA,
		.rsdp_gpa = config->rsdp_gpa,
	};
	struct boot_initrd initrd;
	struct elf_kernel kernel;
	int ret;

	ret = elf_load(config->ram, config->kernel, &kernel, err);
	if (ret)
		return ret;
	limits.kernel_end_gpa = kernel.end_gpa;
	ret = boot_initrd_load(config, &limits, &initrd, err);
	if (!ret) /* a PVH kernel does not say how much it takes */
		ret = boot_cmdline_write(config, UINT64_MAX, err);
	if (ret)
		return ret;
	if (!write_memmap(config->ram, &info) || !write_modules(config->ram, &initrd, &info) ||
	    !guest_ram_write(config->ram, START_INFO_GPA, &info, sizeof(info)))
		return error_set(err, -E2BIG, "the guest has less than 1 MiB of memory");
	*entry = (struct boot_entry){
		.protocol = BOOT_PVH,
		.rip = kernel.entry,
		.data_gpa = START_INFO_GPA,
	};
	return 0;
}
