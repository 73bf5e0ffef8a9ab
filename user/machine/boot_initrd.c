// SPDX-License-Identifier: BSD-2-Clause
/*
 * The initial RAM disk: as high in the RAM below 4 GiB as the kernel allows, so that a kernel which
 * unpacks or moves itself never meets it; above 4 GiB where a kernel allows that and nothing else
 * fits. Main thread. Neighbours: boot_pvh.c and boot_linux.c know the limits.
 */
#include "boot.h"

#include <errno.h>
#include <string.h>
#include "board.h"
#include "boot_image.h"

#define PAGE 4096ull
#define MIB  (1ull << 20)

static uint64_t floor_gpa(const struct boot_initrd_limits *limits)
{
	return ROUND_UP(MAX(limits->kernel_end_gpa, BOOT_KERNEL_MIN_GPA), PAGE);
}

/* The highest page in [start, end) where it fits; 0 = nowhere. */
static uint64_t highest(uint64_t start, uint64_t end, uint64_t size)
{
	if (start > end || size > end - start)
		return 0;
	end = ROUND_DOWN(end - size, PAGE);
	return end >= start ? end : 0;
}

static uint64_t place(const struct guest_ram *ram, const struct boot_initrd_limits *limits,
		      uint64_t size)
{
	const struct guest_ram_range *low = &ram->range[0], *high = &ram->range[1];
	uint64_t at;

	at = highest(floor_gpa(limits), MIN(low->size_bytes, limits->last_gpa + 1), size);
	if (!at && limits->above_4g && ram->n_ranges > 1)
		at = highest(high->gpa, high->gpa + high->size_bytes, size);
	return at;
}

/* Told in memory the guest would need, where any amount would do. */
static int no_room(const struct boot_config *config, const struct boot_initrd_limits *limits,
		   struct error *err)
{
	uint64_t size = boot_image_size(config->initrd), start = floor_gpa(limits);
	uint64_t below = MIN(BOARD_LOW_RAM_END_GPA, limits->last_gpa + 1), needed;
	const char *name = boot_image_name(config->initrd);

	/* All sums below: a file is smaller than 2^63 bytes. */
	if (start <= below && size <= ROUND_DOWN(below - start, PAGE))
		needed = start + ROUND_UP(size, PAGE);
	else if (limits->above_4g)
		needed = BOARD_LOW_RAM_END_GPA + ROUND_UP(size, PAGE);
	else
		return error_set(err, -E2BIG,
				 "%s: %llu MiB, this kernel takes one of at most %llu MiB", name,
				 (unsigned long long)ROUND_UP(size, MIB) / MIB,
				 (unsigned long long)(start < below ? below - start : 0) / MIB);
	return error_set(err, -E2BIG,
			 "%s: its %llu MiB and the kernel do not fit into the guest's %llu MiB of "
			 "memory: use --memory %lluM or more",
			 name, (unsigned long long)ROUND_UP(size, MIB) / MIB,
			 (unsigned long long)config->ram->size_bytes / MIB,
			 (unsigned long long)ROUND_UP(needed, MIB) / MIB);
}

int boot_initrd_load(const struct boot_config *config, const struct boot_initrd_limits *limits,
		     struct boot_initrd *initrd, struct error *err)
{
	uint64_t size, at;
	int ret;

	*initrd = (struct boot_initrd){ 0, 0 };
	if (!config->initrd)
		return 0;
	size = boot_image_size(config->initrd);
	at = place(config->ram, limits, size);
	if (!at)
		return no_room(config, limits, err);
	ret = boot_image_read(config->initrd, 0, guest_ram_hva(config->ram, at, size), size);
	if (ret)
		return error_set(err, ret, "%s: cannot read it: %s",
				 boot_image_name(config->initrd), strerror(-ret));
	*initrd = (struct boot_initrd){ at, size };
	return 0;
}
