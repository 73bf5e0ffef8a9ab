// SPDX-License-Identifier: BSD-2-Clause
/* The bytes of a kernel, from a file or from memory: see boot_pvh.h. Main thread. Neighbour: elf.c
 * reads. */
#include "boot_pvh.h"

#include <errno.h>
#include <fcntl.h>
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

static struct boot_image *image_new(const char *name, struct error *err)
{
	struct boot_image *image = calloc(1, sizeof(*image));

	if (image)
		image->name = strdup(name);
	if (!image || !image->name) {
		free(image);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	image->fd = -1;
	return image;
}

struct boot_image *boot_image_open(const char *path, struct error *err)
{
	struct boot_image *image = image_new(path, err);
	struct stat st;

	if (!image)
		return NULL;
	image->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0) {
		error_set(err, -errno, "kernel %s: %m", path);
		goto free;
	}
	if (fstat(image->fd, &st) < 0) {
		error_set(err, -errno, "kernel %s: %m", path);
		goto free;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, -EINVAL, "kernel %s: not a file", path);
		goto free;
	}
	image->size = st.st_size;
	return image;

free:
	boot_image_free(image);
	return NULL;
}

struct boot_image *boot_image_of(const char *name, const void *bytes, uint64_t size,
				 struct error *err)
{
	struct boot_image *image = image_new(name, err);

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
