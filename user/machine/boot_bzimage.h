/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a bzImage says about itself, judged: all numbers here can be used as they are. Main thread.
 * Rules: Linux Documentation/arch/x86/boot.rst.
 */
#ifndef MACHINE_BOOT_BZIMAGE_H
#define MACHINE_BOOT_BZIMAGE_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <handoff/error.h>
#include <handoff/guest_ram.h>

struct boot_image;

/* The zero page has this much room for it; the kernel may know more fields than we do. */
#define BZIMAGE_HDR_BYTES                                                                          \
	(offsetof(struct boot_params, edd_mbr_sig_buffer) - offsetof(struct boot_params, hdr))

#define BZIMAGE_MIN_BYTES 1024 /* one sector to boot from, one of set-up */

struct bzimage {
	union {
		struct setup_header hdr; /* fields the kernel does not have yet are 0 */
		uint8_t hdr_bytes[BZIMAGE_HDR_BYTES];
	};
	uint64_t file_offset, file_bytes; /* of the part that is loaded */
	uint64_t load_gpa, end_gpa; /* what it takes until it has read e820; inside of low RAM */
	bool initrd_above_4g;
};

/* False for what is no bzImage at all, be it a kernel of another kind, a text file or empty. */
bool bzimage_detect(const struct boot_image *image);
/* -ENOEXEC: damaged, truncated, too old, for 32 bits; -E2BIG: needs more memory; with err. */
int bzimage_judge(const struct boot_image *image, const struct guest_ram *ram, struct bzimage *bz,
		  struct error *err) MUST_CHECK;

#endif
