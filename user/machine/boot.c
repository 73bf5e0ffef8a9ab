// SPDX-License-Identifier: BSD-2-Clause
/*
 * Booting: tells what kind of kernel it is, and what both kinds have in common: see boot.h. Main
 * thread. Neighbours: cpus.c calls; boot_pvh.c, boot_linux.c.
 */
#include "boot.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "boot_bzimage.h"
#include "boot_image.h"
#include "boot_linux.h"
#include "boot_pvh.h"

static bool is_elf(const struct boot_image *image)
{
	char magic[SELFMAG];

	return !boot_image_read(image, 0, magic, sizeof(magic)) &&
	       !memcmp(magic, ELFMAG, sizeof(magic));
}

static int not_a_kernel(const struct boot_image *image, struct error *err)
{
	uint64_t size = boot_image_size(image);
	char cut_off[64] = "";

	/* Too short to tell: a bzImage has its magic in the second sector. */
	if (size < BZIMAGE_MIN_BYTES)
		snprintf(cut_off, sizeof(cut_off), "; or cut off: it has %llu bytes",
			 (unsigned long long)size);
	return error_set(err, -ENOEXEC,
			 "%s: not a kernel: neither a bzImage (as a distribution's "
			 "/boot/vmlinuz-VERSION is) nor an ELF file%s",
			 boot_image_name(image), cut_off);
}

int boot_load(const struct boot_config *config, struct boot_entry *entry, struct error *err)
{
	if (is_elf(config->kernel))
		return boot_pvh_load(config, entry, err);
	if (bzimage_detect(config->kernel))
		return boot_linux_load(config, entry, err);
	return not_a_kernel(config->kernel, err);
}

int boot_cmdline_write(const struct boot_config *config, uint64_t max_bytes, struct error *err)
{
	uint64_t bytes = strlen(config->cmdline);

	max_bytes = MIN(max_bytes, BOOT_CMDLINE_BYTES - 1);
	if (bytes > max_bytes)
		return error_set(err, -E2BIG,
				 "the guest's command line (--append) has %llu bytes, this kernel "
				 "takes %llu",
				 (unsigned long long)bytes, (unsigned long long)max_bytes);
	if (!guest_ram_write(config->ram, BOOT_CMDLINE_GPA, config->cmdline, bytes + 1))
		return error_set(err, -E2BIG, "the guest has less than 1 MiB of memory");
	return 0;
}
