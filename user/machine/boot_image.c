// SPDX-License-Identifier: BSD-2-Clause
/* The bytes a guest is booted from: see boot_image.h. Main thread. Neighbours: elf.c,
 * boot_bzimage.c and boot_initrd.c read. */
#include "boot_image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct boot_image {
	char *name;
	int fd; /* -1: bytes */
	const char *bytes;
	uint64_t size;
};

/* Takes over `name`, which may be NULL: out of memory. */
static struct boot_image *image_new(char *name, struct error *err)
{
	struct boot_image *image = calloc(1, sizeof(*image));

	if (!image || !name) {
		free(image);
		free(name);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	image->name = name;
	image->fd = -1;
	return image;
}

static int open_file(struct boot_image *image, const char *path, struct error *err)
{
	struct stat st;

	/* Without O_NONBLOCK a FIFO would wait for its other end. */
	image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (image->fd < 0 || fstat(image->fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", image->name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: %s, not a file", image->name,
				 S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
	if (!st.st_size)
		return error_set(err, -EINVAL, "%s: an empty file", image->name);
	image->size = st.st_size;
	return 0;
}

struct boot_image *boot_image_open(const char *what, const char *path, struct error *err)
{
	struct boot_image *image;
	char *name;

	if (asprintf(&name, "%s %s", what, path) < 0)
		name = NULL;
	image = image_new(name, err);
	if (image && open_file(image, path, err)) {
		boot_image_free(image);
		return NULL;
	}
	return image;
}

struct boot_image *boot_image_of(const char *name, const void *bytes, uint64_t size,
				 struct error *err)
{
	struct boot_image *image = image_new(strdup(name), err);

	if (!image)
		return NULL;
	image->bytes = bytes;
	image->size = size;
	return image;
}

void boot_image_free(struct boot_image *image)
{
	if (!image)
		return;
	if (image->fd >= 0)
		close(image->fd);
	free(image->name);
	free(image);
}

const char *boot_image_name(const struct boot_image *image)
{
	return image->name;
}

uint64_t boot_image_size(const struct boot_image *image)
{
	return image->size;
}

int boot_image_read(const struct boot_image *image, uint64_t offset, void *to, uint64_t len)
{
	char *at = to;

	if (offset > image->size || len > image->size - offset)
		return -EINVAL;
	if (image->fd < 0) {
		memcpy(to, image->bytes + offset, len);
		return 0;
	}
	while (len) {
		ssize_t n = pread(image->fd, at, MIN(len, 1ull << 30), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO; /* it shrank meanwhile */
		at += n;
		offset += n;
		len -= n;
	}
	return 0;
}
