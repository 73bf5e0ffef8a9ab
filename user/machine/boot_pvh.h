/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PVH boot: an ELF64 kernel into guest RAM, and what it is told at its entry. Main thread. Rules:
 * xen/docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h.
 */
#ifndef MACHINE_BOOT_PVH_H
#define MACHINE_BOOT_PVH_H

#include "boot.h"

int boot_pvh_load(const struct boot_config *config, struct boot_entry *entry,
		  struct error *err) MUST_CHECK;

struct elf_kernel {
	uint32_t entry;	  /* of the PVH note */
	uint64_t end_gpa; /* of its highest segment */
};

/* elf.c: loads the segments and finds the PVH entry point. */
int elf_load(const struct guest_ram *ram, const struct boot_image *image, struct elf_kernel *kernel,
	     struct error *err) MUST_CHECK;

#endif
