// SPDX-License-Identifier: BSD-2-Clause
/* Disks on real files for the tests of the file driver. */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

static bool image_try_open(struct image *image, bool direct, struct error *err)
{
	struct bdrv_file_config config = { .path = image->path, .direct = direct };

	image->bs = bdrv_file_new(&config, err);
	if (!image->bs)
		return false;
	image->blk = blk_new("disk0", image->bs, err);
	assert_non_null(image->blk);
	return true;
}

void image_open(struct image *image, bool direct)
{
	struct error err;

	if (!image_try_open(image, direct, &err))
		fail_msg("%s", err.msg);
}

bool image_new(struct image *image, bool direct)
{
	const char *dir = getenv("TMPDIR");
	struct error err;
	bool ok;

	snprintf(image->path, sizeof(image->path), "%s/handoff-image-XXXXXX",
		 dir ? dir : "/var/tmp");
	image->fd = mkstemp(image->path);
	assert_true(image->fd >= 0);
	assert_int_equal(ftruncate(image->fd, IMAGE_BYTES), 0);
	ok = image_try_open(image, direct, &err);
	unlink(image->path);
	if (ok)
		return true;
	close(image->fd);
	if (!direct)
		fail_msg("%s", err.msg);
	print_message("# %s\n", err.msg);
	return false;
}

void image_new_memory(struct image *image)
{
	image->fd = memfd_create("image", MFD_CLOEXEC);
	assert_true(image->fd >= 0);
	assert_int_equal(ftruncate(image->fd, IMAGE_BYTES), 0);
	snprintf(image->path, sizeof(image->path), "/proc/self/fd/%d", image->fd);
	image_open(image, false);
}

static int loop_device(struct image *image, const struct loop_config *config)
{
	int control, n = -1;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	n = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (n < 0)
		return -errno;
	snprintf(image->path, sizeof(image->path), "/dev/loop%d", n);
	image->fd = open(image->path, O_RDWR | O_CLOEXEC);
	if (image->fd < 0)
		return -errno;
	if (ioctl(image->fd, LOOP_CONFIGURE, config) == 0)
		return 0;
	n = -errno;
	close(image->fd);
	return n;
}

void image_new_block_device(struct image *image, unsigned int block_bytes, bool direct)
{
	struct loop_config config = {
		.block_size = block_bytes,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR },
	};
	int ret;

	config.fd = memfd_create("image", MFD_CLOEXEC);
	assert_true((int)config.fd >= 0);
	assert_int_equal(ftruncate(config.fd, IMAGE_BYTES), 0);
	ret = loop_device(image, &config);
	close(config.fd);
	if (ret < 0)
		skip_because("no loop device: %s", strerror(-ret));
	image_open(image, direct);
}

void image_free(struct image *image)
{
	blk_unref(image->blk);
	bdrv_unref(image->bs);
	close(image->fd);
}

struct file_state *image_state(struct image *image)
{
	return image->bs->opaque;
}

char pattern_at(int64_t offset)
{
	return (char)(((uint64_t)offset * 0x9e3779b97f4a7c15ull >> 56) | 1); /* never 0 */
}

void pattern_fill(char *buf, int64_t offset, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf[i] = pattern_at(offset + i);
}

bool pattern_matches(const char *buf, int64_t offset, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (buf[i] != pattern_at(offset + i))
			return false;
	}
	return true;
}

void image_mount(char dir[64], const char *type, const char *options)
{
	snprintf(dir, 64, "/tmp/handoff-mount-XXXXXX");
	assert_non_null(mkdtemp(dir));
	if (mount("none", dir, type, 0, options) < 0) {
		int errnum = errno;

		rmdir(dir);
		skip_because("cannot mount a %s of our own: %s", type, strerror(errnum));
	}
}

void image_unmount(const char *dir)
{
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
	assert_int_equal(rmdir(dir), 0);
}
