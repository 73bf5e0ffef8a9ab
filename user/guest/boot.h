/* SPDX-License-Identifier: BSD-2-Clause */
/* What a PVH loader tells us (Xen's hvm_start_info, version 1), copied out before the heap may
 * overwrite it. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include <stdint.h>

#define BOOT_MAX_RANGES	 32
#define BOOT_MAX_CMDLINE 2048

struct boot_range {
	uint64_t base;
	uint64_t bytes;
};

struct boot_info {
	struct boot_range ram[BOOT_MAX_RANGES];
	uint32_t nr_ram;
	char cmdline[BOOT_MAX_CMDLINE];
};

/* Dies if the structure is not one, has no memory map, or the command line does not fit. */
void boot_read(struct boot_info *boot, uint64_t start_info_gpa);

#endif
