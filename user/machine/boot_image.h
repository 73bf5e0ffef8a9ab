/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes a guest is booted from, kernel or initial RAM disk: a file, or memory of ours. Main
 * thread. A file may change while we read it, so every read is judged for itself.
 */
#ifndef MACHINE_BOOT_IMAGE_H
#define MACHINE_BOOT_IMAGE_H

#include <stdint.h>
#include <handoff/error.h>

struct boot_image;

/* `what` ("kernel", "initrd") stands before the path in messages. Regular files with at least one
 * byte only. */
struct boot_image *boot_image_open(const char *what, const char *path,
				   struct error *err) MUST_CHECK;
/* `bytes` must outlive the image. */
struct boot_image *boot_image_of(const char *name, const void *bytes, uint64_t size,
				 struct error *err) MUST_CHECK;
void boot_image_free(struct boot_image *image);

/* For messages: "kernel /boot/vmlinuz". */
const char *boot_image_name(const struct boot_image *image);
uint64_t boot_image_size(const struct boot_image *image);
/* All of [offset, offset + len), or -EINVAL beyond the end, -EIO and others of read(2). */
int boot_image_read(const struct boot_image *image, uint64_t offset, void *to,
		    uint64_t len) MUST_CHECK;

#endif
