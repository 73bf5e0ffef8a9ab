// SPDX-License-Identifier: BSD-2-Clause
/*
 * The file driver when things go wrong: images that cannot be opened, shrink, or fill their
 * disk.
 */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <lib/capture.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* --- opening --------------------------------------------------------------------------------- */

static char folder[64];

static int folder_setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/handoff-file-XXXXXX");
	return mkdtemp(folder) ? fixture_setup(state) : -1;
}

static int folder_teardown(void **state)
{
	return rmdir(folder) | fixture_teardown(state);
}

static void path_in_folder(char path[128], const char *name)
{
	snprintf(path, 128, "%s/%s", folder, name);
}

static void make_file(char path[128], const char *name, int64_t bytes)
{
	int fd;

	path_in_folder(path, name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, bytes), 0);
	close(fd);
}

/* A missing file: the message has its name and how to make it. */
static void test_file_open__missing_file(void **state)
{
	struct bdrv_file_config config = { .path = "/nonexistent/disk.img" };
	struct error err;

	assert_null(bdrv_file_new(&config, &err));
	assert_non_null(strstr(err.msg, "/nonexistent/disk.img: No such file"));
	assert_non_null(strstr(err.msg, "truncate -s"));
	/* Nor can it be created there. */
	config.create_bytes = 4096;
	assert_null(bdrv_file_new(&config, &err));
	assert_non_null(strstr(err.msg, "cannot create"));
}

/* What is no disk image is refused without waiting for it: folders, FIFOs, less than a sector. */
static void test_file_open__wrong_kinds(void **state)
{
	struct bdrv_file_config config;
	struct error err;
	char path[128];
	int read_only;

	for (read_only = 0; read_only < 2; read_only++) {
		config = (struct bdrv_file_config){ .path = folder, .read_only = read_only };
		assert_null(bdrv_file_new(&config, &err));
		assert_non_null(strstr(err.msg, folder));

		path_in_folder(path, "fifo");
		assert_int_equal(mkfifo(path, 0600), 0);
		config.path = path;
		assert_null(bdrv_file_new(&config, &err));
		unlink(path);
		assert_non_null(strstr(err.msg, "neither a regular file nor a block device"));

		make_file(path, "short", 511);
		assert_null(bdrv_file_new(&config, &err));
		unlink(path);
		assert_non_null(strstr(err.msg, "shorter than one sector"));
	}
}

/* The length is whole sectors: a rest at the end is out of range. */
static void test_file_open__rounds_length(void **state)
{
	struct bdrv_file_config config;
	struct BlockDriverState *bs;
	struct error err;
	char path[128];

	make_file(path, "odd", 1025);
	config = (struct bdrv_file_config){ .path = path };
	bs = bdrv_file_new(&config, &err);
	unlink(path);
	assert_non_null(bs);
	assert_int_equal(bdrv_getlength(bs), 1024);
	/* Opened without waiting, used with it. */
	assert_false(fcntl(((struct file_state *)bs->opaque)->fd, F_GETFL) & O_NONBLOCK);
	bdrv_unref(bs);
}

/* A file is created sparse with the size given; one that exists is left as it is. */
static void test_file_open__creates(void **state)
{
	struct bdrv_file_config config;
	struct BlockDriverState *bs;
	struct error err;
	struct stat st;
	char path[128];
	int i;

	path_in_folder(path, "new");
	config = (struct bdrv_file_config){ .path = path, .create_bytes = 1ull << 30 };
	for (i = 0; i < 2; i++) {
		bs = bdrv_file_new(&config, &err);
		assert_non_null(bs);
		assert_int_equal(bdrv_getlength(bs), 1ll << 30);
		bdrv_unref(bs);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_blocks, 0);
		config.create_bytes = 4096;
	}
	unlink(path);

	/* What cannot be is not left behind, and a read-only disk is not created. */
	config.create_bytes = 100;
	assert_null(bdrv_file_new(&config, &err));
	assert_int_equal(access(path, F_OK), -1);
	config.create_bytes = UINT64_MAX;
	assert_null(bdrv_file_new(&config, &err));
	assert_int_equal(access(path, F_OK), -1);
	config.create_bytes = 4096;
	config.read_only = true;
	assert_null(bdrv_file_new(&config, &err));
	assert_int_equal(access(path, F_OK), -1);
}

/*
 * One writer alone, or readers together; who comes too late is told, and may come once the other
 * left.
 */
static void test_file_open__locks(void **state)
{
	struct bdrv_file_config writer, reader;
	struct BlockDriverState *one, *two;
	struct error err;
	char path[128];

	make_file(path, "locked", 4096);
	writer = (struct bdrv_file_config){ .path = path };
	reader = (struct bdrv_file_config){ .path = path, .read_only = true };
	one = bdrv_file_new(&writer, &err);
	assert_non_null(one);
	assert_null(bdrv_file_new(&writer, &err));
	assert_non_null(strstr(err.msg, "in use by another program"));
	assert_null(bdrv_file_new(&reader, &err));
	assert_non_null(strstr(err.msg, "in use by a writer"));
	bdrv_unref(one);
	one = bdrv_file_new(&reader, &err);
	assert_non_null(one);
	two = bdrv_file_new(&reader, &err);
	assert_non_null(two);
	assert_null(bdrv_file_new(&writer, &err));
	bdrv_unref(one);
	bdrv_unref(two);
	one = bdrv_file_new(&writer, &err);
	assert_non_null(one);
	bdrv_unref(one);
	unlink(path);
}

/* Read-only reaches down to the file: it is readable without the right to write it. */
static void test_file_open__read_only(void **state)
{
	struct bdrv_file_config config;
	struct BlockDriverState *bs;
	struct BlockBackend *blk;
	struct error err;
	char path[128], buf[512];

	make_file(path, "ro", 4096);
	config = (struct bdrv_file_config){ .path = path, .read_only = true };
	bs = bdrv_file_new(&config, &err);
	assert_non_null(bs);
	blk = blk_new("disk0", bs, &err);
	assert_true(blk_is_read_only(blk));
	assert_int_equal(request_run(blk, BLK_READ, 0, buf, 512), 0);
	assert_int_equal(request_run(blk, BLK_WRITE, 0, buf, 512), -EROFS);
	assert_int_equal(request_run(blk, BLK_FLUSH, 0, NULL, 0), 0);
	blk_unref(blk);
	bdrv_unref(bs);
	unlink(path);
}

/* --- running --------------------------------------------------------------------------------- */

/*
 * An image that shrinks: EIO, also for what straddles its new end, and a line with file and
 * offset.
 */
static void test_file_fault__image_shrinks(void **state)
{
	struct capture capture;
	struct image image;
	const char *text;
	char buf[4096];

	assert_true(image_new(&image, false));
	assert_int_equal(ftruncate(image.fd, 10240), 0);
	capture_begin(&capture, STDERR_FILENO);
	assert_int_equal(request_run(image.blk, BLK_READ, 8192, buf, 4096), -EIO);
	assert_int_equal(request_run(image.blk, BLK_READ, 1 << 20, buf, 512), -EIO);
	text = capture_end(&capture);
	assert_int_equal(lines(text), 2);
	assert_non_null(strstr(text, "disk0: read at 10240: "));
	assert_non_null(strstr(text, "disk0: read at 1048576: "));
	assert_non_null(strstr(text, image.path));
	assert_non_null(strstr(text, "shrank"));
	/* Below the new end all is well, and a write makes it long again. */
	assert_int_equal(request_run(image.blk, BLK_READ, 0, buf, 4096), 0);
	pattern_fill(buf, 0, 512);
	assert_int_equal(request_run(image.blk, BLK_WRITE, IMAGE_BYTES - 512, buf, 512), 0);
	assert_int_equal(request_run(image.blk, BLK_READ, 1 << 20, buf, 512), 0);
	image_free(&image);
}

/* A guest that reads behind the end all the time gets EIO all the time, we get a few lines. */
static void test_file_fault__complaints_are_limited(void **state)
{
	struct capture capture;
	struct image image;
	char buf[512];
	int i;

	assert_true(image_new(&image, false));
	assert_int_equal(ftruncate(image.fd, 0), 0);
	capture_begin(&capture, STDERR_FILENO);
	for (i = 0; i < 500; i++)
		assert_int_equal(request_run(image.blk, BLK_READ, 512 * i, buf, 512), -EIO);
	assert_in_range(lines(capture_end(&capture)), 1, 100);
	image_free(&image);
}

/*
 * A full disk: ENOSPC for what did not fit, a line that says what to do, and no loss of what
 * did.
 */
static void test_file_fault__disk_full(void **state)
{
	const size_t n = 2 << 20;
	struct capture capture;
	struct image image;
	const char *text;
	char dir[64], *buf;

	image_mount(dir, "tmpfs", "size=1m");
	snprintf(image.path, sizeof(image.path), "%s/image", dir);
	image.fd = open(image.path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(image.fd, IMAGE_BYTES), 0);
	image_open(&image, false);
	buf = malloc(n);
	pattern_fill(buf, 0, n);
	assert_int_equal(request_run(image.blk, BLK_WRITE, 0, buf, 65536), 0);
	capture_begin(&capture, STDERR_FILENO);
	assert_int_equal(request_run(image.blk, BLK_WRITE, 65536, buf + 65536, n - 65536), -ENOSPC);
	text = capture_end(&capture);
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "disk0: write at "));
	assert_non_null(strstr(text, image.path));
	assert_non_null(strstr(text, "No space left on device (free space"));

	memset(buf, 0, 65536);
	assert_int_equal(request_run(image.blk, BLK_READ, 0, buf, 65536), 0);
	assert_true(pattern_matches(buf, 0, 65536));
	/* Space again: writes succeed again. */
	assert_int_equal(request_run(image.blk, BLK_DISCARD, 0, NULL, IMAGE_BYTES), 0);
	pattern_fill(buf, 0, n);
	assert_int_equal(request_run(image.blk, BLK_WRITE, n - 4096, buf + n - 4096, 4096), 0);
	free(buf);
	image_free(&image);
	image_unmount(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_open__missing_file),
		cmocka_unit_test(test_file_open__wrong_kinds),
		cmocka_unit_test(test_file_open__rounds_length),
		cmocka_unit_test(test_file_open__creates),
		cmocka_unit_test(test_file_open__locks),
		cmocka_unit_test(test_file_open__read_only),
		cmocka_unit_test(test_file_fault__image_shrinks),
		cmocka_unit_test(test_file_fault__complaints_are_limited),
		cmocka_unit_test(test_file_fault__disk_full),
	};

	return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
