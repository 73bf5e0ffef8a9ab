// SPDX-License-Identifier: BSD-2-Clause
/*
 * The setup header of a bzImage: see boot_bzimage.h. The file may be hostile: its numbers have 32
 * bits, or are bounded first, so that sums in 64 bits cannot wrap. Main thread. Neighbours:
 * boot_linux.c loads what was judged here.
 */
#include "boot_bzimage.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "board.h"
#include "boot.h"
#include "boot_image.h"

#define HDR_OFFSET	 offsetof(struct boot_params, hdr)
#define HDR_MAGIC	 0x53726448 /* "HdrS" */
#define BOOT_FLAG	 0xaa55
#define VERSION_MIN	 0x020c /* the first with xloadflags: Linux 3.8 */
#define SECTOR		 512ull
#define DEFAULT_SECTORS	 4 /* what setup_sects 0 means */
#define PARAGRAPH	 16ull
#define ENTRY64_OFFSET	 0x200
#define MIB		 (1ull << 20)
/* The header's length is one byte, at its jump instruction; this much of it we read. */
#define HDR_END_OFFSET	 0x202
#define HDR_NEEDED_BYTES (offsetof(struct setup_header, init_size) + sizeof(uint32_t))

#define bz_error(image, err, errnum, fmt, ...)                                                     \
	error_set(err, errnum, "%s: " fmt, boot_image_name(image), ##__VA_ARGS__)

bool bzimage_detect(const struct boot_image *image)
{
	uint32_t magic;
	uint16_t flag;

	return !boot_image_read(image, HDR_OFFSET + offsetof(struct setup_header, header), &magic,
				sizeof(magic)) &&
	       !boot_image_read(image, HDR_OFFSET + offsetof(struct setup_header, boot_flag), &flag,
				sizeof(flag)) &&
	       magic == HDR_MAGIC && flag == BOOT_FLAG;
}

static int truncated(const struct boot_image *image, uint64_t expected, struct error *err)
{
	return bz_error(image, err, -ENOEXEC,
			"truncated: it has %llu bytes of at least %llu; copy it again",
			(unsigned long long)boot_image_size(image), (unsigned long long)expected);
}

static int read_header(const struct boot_image *image, struct bzimage *bz, struct error *err)
{
	uint64_t bytes = BZIMAGE_HDR_BYTES;
	uint8_t more;

	memset(bz, 0, sizeof(*bz));
	/* The header says its length by the offset of its jump, behind the magic of bzimage_detect.
	 */
	if (boot_image_read(image, HDR_END_OFFSET - 1, &more, sizeof(more)))
		return truncated(image, HDR_OFFSET + bytes, err);
	bytes = MIN(bytes, HDR_END_OFFSET + more - HDR_OFFSET);
	if (boot_image_read(image, HDR_OFFSET, bz->hdr_bytes, bytes))
		return truncated(image, HDR_OFFSET + bytes, err);
	if (bz->hdr.version < VERSION_MIN)
		return bz_error(image, err, -ENOEXEC,
				"too old: its boot protocol is %u.%02u, 2.12 is needed (Linux 3.8)",
				bz->hdr.version >> 8, bz->hdr.version & 0xff);
	if (bytes < HDR_NEEDED_BYTES)
		return bz_error(image, err, -ENOEXEC, "a header of %llu bytes: damaged?",
				(unsigned long long)bytes);
	if (!(bz->hdr.loadflags & LOADED_HIGH))
		return bz_error(image, err, -ENOEXEC, "a zImage: a bzImage is needed");
	if (!(bz->hdr.xloadflags & XLF_KERNEL_64))
		return bz_error(image, err, -ENOEXEC,
				"a kernel for 32 bits: one for x86-64 is needed");
	return 0;
}

static int judge_file(const struct boot_image *image, struct bzimage *bz, struct error *err)
{
	unsigned int sectors = bz->hdr.setup_sects ? bz->hdr.setup_sects : DEFAULT_SECTORS;
	uint64_t size = boot_image_size(image);

	bz->file_offset = (sectors + 1) * SECTOR;
	bz->file_bytes = bz->hdr.syssize * PARAGRAPH;
	if (bz->file_offset + bz->file_bytes > size)
		return truncated(image, bz->file_offset + bz->file_bytes, err);
	if (bz->file_bytes <= ENTRY64_OFFSET || bz->file_bytes > bz->hdr.init_size)
		return bz_error(image, err, -ENOEXEC,
				"%llu bytes of code in the %u they take in memory: damaged?",
				(unsigned long long)bz->file_bytes, bz->hdr.init_size);
	return 0;
}

/* Where it wants to be. A lower place is of no use: it would move itself there. */
static int judge_place(const struct boot_image *image, struct bzimage *bz, struct error *err)
{
	uint64_t load = bz->hdr.pref_address, align = bz->hdr.kernel_alignment;

	if (load > UINT32_MAX)
		return bz_error(image, err, -ENOEXEC, "it wants to lie at 0x%llx: damaged?",
				(unsigned long long)load);
	if (bz->hdr.relocatable_kernel) {
		if (!align || align & (align - 1))
			return bz_error(image, err, -ENOEXEC, "an alignment of 0x%llx: damaged?",
					(unsigned long long)align);
		load = ROUND_UP(MAX(load, BOOT_KERNEL_MIN_GPA), align);
	}
	bz->load_gpa = load;
	bz->end_gpa = load + bz->hdr.init_size;
	if (load < BOOT_KERNEL_MIN_GPA || bz->end_gpa > BOARD_LOW_RAM_END_GPA)
		return bz_error(image, err, -ENOEXEC,
				"it wants 0x%llx to 0x%llx, which is never RAM here: damaged?",
				(unsigned long long)load, (unsigned long long)bz->end_gpa);
	return 0;
}

int bzimage_judge(const struct boot_image *image, const struct guest_ram *ram, struct bzimage *bz,
		  struct error *err)
{
	int ret = read_header(image, bz, err);

	if (!ret)
		ret = judge_file(image, bz, err);
	if (!ret)
		ret = judge_place(image, bz, err);
	if (ret)
		return ret;
	if (bz->end_gpa > ram->range[0].size_bytes)
		return bz_error(image, err, -E2BIG,
				"it takes memory up to %llu MiB, the guest has %llu MiB: "
				"use --memory %lluM or more",
				(unsigned long long)ROUND_UP(bz->end_gpa, MIB) / MIB,
				(unsigned long long)ram->size_bytes / MIB,
				(unsigned long long)ROUND_UP(bz->end_gpa, MIB) / MIB);
	bz->initrd_above_4g = bz->hdr.xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G;
	return 0;
}
