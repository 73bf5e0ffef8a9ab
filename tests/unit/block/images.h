/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks on real files for the tests of the file driver. Files are unlinked or in a private
 * mount.
 */
#ifndef BLOCK_IMAGES_H
#define BLOCK_IMAGES_H

#include "fixture.h"
#include "../../../user/block/file.h"

#define IMAGE_BYTES (4 << 20)

struct image {
	char path[128];
	int fd; /* ours, beside the driver's, to look at the file */
	struct BlockDriverState *bs;
	struct BlockBackend *blk;
};

/*
 * A file of IMAGE_BYTES under $TMPDIR or /var/tmp, opened as "disk0". False if O_DIRECT is not to
 * be had there.
 */
bool image_new(struct image *image, bool direct);
/* The same on anonymous memory: tmpfs, which has no ZERO_RANGE. */
void image_new_memory(struct image *image);
/*
 * A block device of IMAGE_BYTES with blocks of block_bytes; skips the test, saying why, where that
 * is not allowed. It goes away with the last who has it open.
 */
void image_new_block_device(struct image *image, unsigned int block_bytes, bool direct);
/* Opens what path and fd name. */
void image_open(struct image *image, bool direct);
void image_free(struct image *image);

struct file_state *image_state(struct image *image);

/* A byte that differs from its neighbours, for any offset. */
char pattern_at(int64_t offset);
void pattern_fill(char *buf, int64_t offset, size_t n);
bool pattern_matches(const char *buf, int64_t offset, size_t n);

/* A file system of our own; skips the test, saying why, where that is not allowed. */
void image_mount(char dir[64], const char *type, const char *options);
void image_unmount(const char *dir);

#endif
