/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Booting a kernel: which kind it is, where everything lies, and what it is told. Main thread,
 * before any vCPU runs. Two ways in: PVH (xen/docs/misc/pvh.pandoc) for an ELF, and the 64-bit
 * protocol (Linux Documentation/arch/x86/boot.rst) for a bzImage.
 *
 *   0x6000   start_info and its modules | zero page      low memory that no kernel uses before
 *   0x7000   memory map (PVH)                            it has read what is there
 *   0x8000   GDT (bzImage)
 *   0x9000   page tables (bzImage)
 *   0x20000  command line, up to 64 KiB
 *   0xa0000  not RAM for the guest; ACPI tables in BOARD_ACPI_GPA..BOARD_ACPI_END
 *   1 MiB    kernel; the initial RAM disk as high as it may be
 */
#ifndef MACHINE_BOOT_H
#define MACHINE_BOOT_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>
#include <handoff/guest_ram.h>

struct boot_image;

#define BOOT_DATA_GPA	     0x6000ull
#define BOOT_CMDLINE_GPA     0x20000ull
#define BOOT_CMDLINE_BYTES   0x10000ull /* with the terminating zero */
#define BOOT_DATA_END	     (BOOT_CMDLINE_GPA + BOOT_CMDLINE_BYTES)
#define BOOT_LOW_RAM_END_GPA 0xa0000ull /* VGA and ROMs up to 1 MiB on any PC */
#define BOOT_KERNEL_MIN_GPA  0x100000ull

struct boot_config {
	const struct guest_ram *ram;
	const struct boot_image *kernel, *initrd; /* no initrd: NULL */
	const char *cmdline;
	uint64_t rsdp_gpa; /* 0 = none */
};

enum boot_protocol { BOOT_PVH, BOOT_LINUX64 };

/* How the first vCPU has to be entered. */
struct boot_entry {
	enum boot_protocol protocol;
	uint64_t rip;
	uint64_t data_gpa;	    /* start_info (in ebx) or zero page (in rsi) */
	uint64_t pml4_gpa, gdt_gpa; /* BOOT_LINUX64 */
};

/*
 * Tells the kind of kernel from its bytes, loads it and the initrd, and writes what the kernel is
 * told. Both files may be anything: every number of theirs is judged before it is used. -ENOEXEC
 * (no kernel for us), -E2BIG (more memory, or a shorter command line), -EIO, -ENOMEM with err.
 */
int boot_load(const struct boot_config *config, struct boot_entry *entry,
	      struct error *err) MUST_CHECK;

/* What an initrd has to keep to. */
struct boot_initrd_limits {
	uint64_t kernel_end_gpa; /* it lies behind that */
	uint64_t last_gpa;	 /* of its last byte, below 4 GiB */
	bool above_4g;		 /* may lie there, if there is no room below */
};

struct boot_initrd {
	uint64_t gpa, size_bytes; /* both 0: none */
};

/* boot_initrd.c: finds a place and reads it there. */
int boot_initrd_load(const struct boot_config *config, const struct boot_initrd_limits *limits,
		     struct boot_initrd *initrd, struct error *err) MUST_CHECK;

/* boot.c: to BOOT_CMDLINE_GPA; max_bytes is what the kernel takes, without the zero. */
int boot_cmdline_write(const struct boot_config *config, uint64_t max_bytes,
		       struct error *err) MUST_CHECK;

#endif
