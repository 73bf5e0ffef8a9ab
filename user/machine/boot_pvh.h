/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PVH boot: an ELF64 kernel into guest RAM, and what it is told at its entry: start_info, memory
 * map, command line. Main thread. Layout of low memory in boot_pvh.c. Rules:
 * xen/docs/misc/pvh.pandoc, xen/include/public/arch-x86/hvm/start_info.h.
 */
#ifndef MACHINE_BOOT_PVH_H
#define MACHINE_BOOT_PVH_H

#include <stdint.h>
#include <handoff/error.h>
#include <handoff/guest_ram.h>

struct boot_image;

/* Where a kernel comes from: a file, or bytes of ours. `name` for messages. */
struct boot_image *boot_image_open(const char *path, struct error *err) MUST_CHECK;
struct boot_image *boot_image_of(const char *name, const void *bytes, uint64_t size,
				 struct error *err) MUST_CHECK;
void boot_image_free(struct boot_image *image);

struct boot_entry {
	uint32_t rip, start_info_gpa;
};

struct boot_reserved {
	uint64_t gpa, size_bytes; /* told to the guest as not to be used; 0 bytes = none */
};

/*
 * The file may be anything: it is judged before RAM is touched beyond its own segments. -EINVAL,
 * -ENOEXEC, -E2BIG or -EIO with err.
 */
int boot_pvh_load(const struct guest_ram *ram, const struct boot_image *image, const char *cmdline,
		  const struct boot_reserved *reserved, struct boot_entry *entry,
		  struct error *err) MUST_CHECK;

/* elf.c: loads the segments and finds the PVH entry point. */
int elf_load(const struct guest_ram *ram, const struct boot_image *image, uint32_t *entry,
	     struct error *err) MUST_CHECK;
const char *boot_image_name(const struct boot_image *image);
uint64_t boot_image_size(const struct boot_image *image);
/* All of [offset, offset + len), or -EINVAL beyond the end, -EIO. */
int boot_image_read(const struct boot_image *image, uint64_t offset, void *to,
		    uint64_t len) MUST_CHECK;

/* Low memory that belongs to the boot data; segments stay out of it. */
#define BOOT_DATA_GPA	0x6000ull
#define BOOT_DATA_BYTES 0x2a000ull

#endif
