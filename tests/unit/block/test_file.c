// SPDX-License-Identifier: BSD-2-Clause
/* The file driver's requests: what is written is there, however memory and offsets are aligned. */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is written is in the file after completion, reads back, and survives a flush. */
static void test_file__writes_and_reads_back(void **state)
{
	char buf[8192], raw[8192];
	struct image image;

	assert_true(image_new(&image, false));
	assert_int_equal(blk_getlength(image.blk), IMAGE_BYTES);
	assert_int_equal(blk_request_alignment(image.blk), 1);
	pattern_fill(buf, 512, sizeof(buf));
	assert_int_equal(request_run(image.blk, BLK_WRITE, 512, buf, sizeof(buf)), 0);
	assert_int_equal(pread(image.fd, raw, sizeof(raw), 512), sizeof(raw));
	assert_memory_equal(raw, buf, sizeof(buf));
	assert_int_equal(request_run(image.blk, BLK_FLUSH, 0, NULL, 0), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(request_run(image.blk, BLK_READ, 512, buf, sizeof(buf)), 0);
	assert_true(pattern_matches(buf, 512, sizeof(buf)));
	image_free(&image);
}

/* One request over many buffers of odd lengths, in both directions; bytes = 8192 * scale. */
static void vectored(struct image *image, size_t scale, int64_t bytes)
{
	static const size_t lengths[7] = { 1, 511, 4096, 13, 1011, 0, 2560 };
	const size_t room = bytes + 64;
	char *memory = calloc(1, room);
	struct test_request t;
	struct iovec iov[7];
	unsigned int i, pass;
	int64_t offset;
	size_t at = 3;

	assert_non_null(memory);
	for (i = 0; i < 7; i++) {
		iov[i] = (struct iovec){ memory + at, lengths[i] * scale };
		at += iov[i].iov_len + 7;
	}
	for (pass = 0; pass < 2; pass++) {
		offset = 1024;
		for (i = 0; i < 7 && pass == 0; i++) {
			pattern_fill(iov[i].iov_base, offset, iov[i].iov_len);
			offset += iov[i].iov_len;
		}
		request_init(&t, pass ? BLK_READ : BLK_WRITE, 1024, NULL, bytes);
		t.req.iov = iov;
		t.req.niov = 7;
		request_submit(image->blk, &t);
		assert_int_equal(request_wait(&t), 0);
		for (i = 0; i < 7 && pass == 1; i++) {
			assert_true(pattern_matches(iov[i].iov_base, offset, iov[i].iov_len));
			offset += iov[i].iov_len;
		}
		memset(memory, 0, room);
	}
	free(memory);
}

static void test_file__scatters_and_gathers(void **state)
{
	struct image image;

	assert_true(image_new(&image, false));
	vectored(&image, 1, 8192);
	image_free(&image);
}

/*
 * More than the kernel moves at once (2 GiB less a page) goes on where it stopped, in the middle of
 * a buffer or between two.
 */
static void test_file__continues_short_transfers(void **state)
{
	enum { BUF = 4 << 20, N = 512 };
	const int64_t limit = 0x7ffff000;
	static struct iovec iov[N + 1];
	char *scratch, *tail;
	struct test_request t;
	struct image image;
	unsigned int i, split;

	image.fd = memfd_create("image", MFD_CLOEXEC);
	assert_int_equal(ftruncate(image.fd, (int64_t)BUF * N), 0);
	snprintf(image.path, sizeof(image.path), "/proc/self/fd/%d", image.fd);
	image_open(&image, false);
	scratch = malloc(BUF);
	tail = malloc(BUF);
	assert_true(scratch && tail);
	pattern_fill(tail, limit - 4096, 8192);
	assert_int_equal(pwrite(image.fd, tail, 8192, limit - 4096), 8192);

	for (split = 0; split < 2; split++) {
		for (i = 0; i < N - 1; i++)
			iov[i] = (struct iovec){ scratch, BUF };
		iov[N - 1] = (struct iovec){ tail, split ? BUF - 4096 : BUF };
		iov[N] = (struct iovec){ tail + BUF - 4096, split ? 4096 : 0 };
		memset(tail, 0, BUF);
		request_init(&t, BLK_READ, 0, NULL, (int64_t)BUF * N);
		t.req.iov = iov;
		t.req.niov = N + split;
		request_submit(image.blk, &t);
		assert_int_equal(request_wait(&t), 0);
		assert_int_equal(t.req.done_bytes, (int64_t)BUF * N);
		assert_true(pattern_matches(tail + BUF - 8192, limit - 4096, 8192));
	}
	free(scratch);
	free(tail);
	image_free(&image);
}

/* --- O_DIRECT -------------------------------------------------------------------------------- */

static void image_new_direct(struct image *image)
{
	if (!image_new(image, true))
		skip_because("no O_DIRECT under $TMPDIR or /var/tmp");
}

/* Aligned requests go past the page cache and are there for everybody. */
static void test_file__direct_aligned(void **state)
{
	struct image image;
	char *buf, raw[4096];

	image_new_direct(&image);
	assert_true(blk_request_alignment(image.blk) >= BDRV_SECTOR_SIZE);
	assert_true(image_state(&image)->fd_buffered >= 0);
	buf = aligned_alloc(4096, 4096);
	pattern_fill(buf, 8192, 4096);
	assert_int_equal(request_run(image.blk, BLK_WRITE, 8192, buf, 4096), 0);
	assert_int_equal(pread(image.fd, raw, sizeof(raw), 8192), sizeof(raw));
	assert_memory_equal(raw, buf, sizeof(raw));
	memset(buf, 0, 4096);
	assert_int_equal(request_run(image.blk, BLK_READ, 8192, buf, 4096), 0);
	assert_true(pattern_matches(buf, 8192, 4096));
	free(buf);
	image_free(&image);
}

/* Misaligned memory is bounced, in pieces when it is much. */
static void test_file__direct_misaligned_memory(void **state)
{
	const size_t n = FILE_CHUNK_BYTES * 2 + 8192;
	struct image image;
	char *buf, *raw;

	image_new_direct(&image);
	buf = malloc(n + 1);
	raw = malloc(n);
	pattern_fill(buf + 1, 4096, n);
	assert_int_equal(request_run(image.blk, BLK_WRITE, 4096, buf + 1, n), 0);
	assert_int_equal(pread(image.fd, raw, n, 4096), n);
	assert_memory_equal(raw, buf + 1, n);
	memset(buf, 0, n + 1);
	assert_int_equal(request_run(image.blk, BLK_READ, 4096, buf + 1, n), 0);
	assert_true(pattern_matches(buf + 1, 4096, n));
	free(buf);
	free(raw);
	vectored(&image, 1, 8192);
	vectored(&image, 400, 8192 * 400); /* buffers end anywhere in a piece */
	image_free(&image);
}

/* Parts of a block, where blocks are larger than sectors, agree with direct access to the whole. */
static void test_file__direct_misaligned_offset(void **state)
{
	struct image image;
	char *block, sector[512];
	unsigned int i;

	image_new_direct(&image);
	image.bs->request_alignment = 4096; /* as on a disk with blocks of 4096 bytes */
	block = aligned_alloc(4096, 4096);
	for (i = 0; i < 8; i++) {
		pattern_fill(block, 4096, 4096);
		assert_int_equal(request_run(image.blk, BLK_WRITE, 4096, block, 4096), 0);
		memset(sector, i, sizeof(sector));
		assert_int_equal(request_run(image.blk, BLK_WRITE, 4096 + 512 * i, sector, 512), 0);
		memset(block, 0xff, 4096);
		assert_int_equal(request_run(image.blk, BLK_READ, 4096, block, 4096), 0);
		assert_memory_equal(block + 512 * i, sector, 512);
		assert_true(pattern_matches(block, 4096, 512 * i));
		assert_true(pattern_matches(block + 512 * (i + 1), 4096 + 512 * (i + 1),
					    4096 - 512 * (i + 1)));
	}
	pattern_fill(block, 4096, 4096);
	assert_int_equal(request_run(image.blk, BLK_WRITE, 4096, block, 4096), 0);
	assert_int_equal(request_run(image.blk, BLK_READ, 4096 + 1024, sector, 512), 0);
	assert_true(pattern_matches(sector, 4096 + 1024, 512));
	free(block);
	image_free(&image);
}

/* What O_DIRECT cannot take does not go there, with memory aligned or not. */
static void test_file__direct_misaligned_offset_is_buffered(void **state)
{
	struct image image;
	char sector[512], raw[512];
	int other;

	image_new_direct(&image);
	image.bs->request_alignment = 4096;
	other = memfd_create("other", MFD_CLOEXEC);
	assert_true(other >= 0);
	assert_true(dup2(other, image_state(&image)->fd_buffered) >= 0);
	pattern_fill(sector, 512, 512);
	assert_int_equal(request_run(image.blk, BLK_WRITE, 512, sector, 512), 0);
	assert_int_equal(pread(other, raw, 512, 512), 512);
	assert_memory_equal(raw, sector, 512);
	assert_int_equal(pread(image.fd, raw, 512, 512), 512);
	assert_int_equal(raw[0], 0);
	close(other);
	image_free(&image);
}

/* A real disk with blocks of 4096 bytes: sectors, blocks, flush, discard and zeroes. */
static void test_file__block_device(void **state)
{
	char *block = aligned_alloc(4096, 8192), sector[512];
	struct test_request t;
	struct image image;
	int direct, i;

	for (direct = 0; direct < 2; direct++) {
		image_new_block_device(&image, 4096, direct);
		assert_int_equal(blk_getlength(image.blk), IMAGE_BYTES);
		assert_true(blk_request_alignment(image.blk) % (direct ? 4096 : 1) == 0);
		pattern_fill(block, 4096, 8192);
		assert_int_equal(request_run(image.blk, BLK_WRITE, 4096, block, 8192), 0);
		for (i = 0; i < 8; i++) {
			memset(sector, i, sizeof(sector));
			assert_int_equal(
				request_run(image.blk, BLK_WRITE, 4096 + 1024 * i, sector, 512), 0);
		}
		assert_int_equal(request_run(image.blk, BLK_FLUSH, 0, NULL, 0), 0);
		memset(block, 0xff, 8192);
		assert_int_equal(request_run(image.blk, BLK_READ, 4096, block, 8192), 0);
		for (i = 0; i < 8; i++) {
			memset(sector, i, sizeof(sector));
			assert_memory_equal(block + 1024 * i, sector, 512);
			assert_true(pattern_matches(block + 1024 * i + 512, 4096 + 1024 * i + 512,
						    512));
		}
		/*
		 * Less than a block of zeroes, which the device itself cannot do; a discard
		 * likewise.
		 */
		request_init(&t, BLK_WRITE_ZEROES, 4096 + 512, NULL, 1024);
		request_submit(image.blk, &t);
		assert_int_equal(request_wait(&t), 0);
		assert_int_equal(request_run(image.blk, BLK_DISCARD, 512, NULL, 512), 0);
		assert_int_equal(request_run(image.blk, BLK_READ, 4096, block, 8192), 0);
		assert_int_equal(block[512] | block[1535], 0);
		assert_true(pattern_matches(block + 1536, 4096 + 1536, 512));
		assert_int_equal(request_run(image.blk, BLK_DISCARD, 0, NULL, IMAGE_BYTES), 0);
		image_free(&image);
	}
	free(block);
}

/* --- discard and zeroes ---------------------------------------------------------------------- */

static bool all_zero(struct image *image, int64_t offset, size_t n)
{
	char *buf = malloc(n);
	bool zero = true;
	size_t i;

	assert_int_equal(pread(image->fd, buf, n, offset), n);
	for (i = 0; i < n; i++)
		zero &= buf[i] == 0;
	free(buf);
	return zero;
}

static void fill_file(struct image *image)
{
	char *buf = malloc(IMAGE_BYTES);

	pattern_fill(buf, 0, IMAGE_BYTES);
	assert_int_equal(pwrite(image->fd, buf, IMAGE_BYTES, 0), IMAGE_BYTES);
	assert_int_equal(fsync(image->fd), 0);
	free(buf);
}

/* A discard leaves a hole of exactly its range. */
static void test_file__discard_punches(void **state)
{
	struct image image;

	assert_true(image_new(&image, false));
	fill_file(&image);
	assert_int_equal(request_run(image.blk, BLK_DISCARD, 1 << 20, NULL, 1 << 20), 0);
	if (image_state(&image)->no_punch)
		skip_because("the file system has no holes");
	assert_int_equal(lseek(image.fd, 0, SEEK_HOLE), 1 << 20);
	assert_int_equal(lseek(image.fd, 1 << 20, SEEK_DATA), 2 << 20);
	assert_true(all_zero(&image, 1 << 20, 1 << 20));
	assert_int_equal(lseek(image.fd, 0, SEEK_END), IMAGE_BYTES);
	image_free(&image);
}

static void zero_range(struct image *image, bool may_unmap)
{
	const int64_t offset = (1 << 20) + 512, n = (2 << 20) + 512;
	struct test_request t;
	char edge[512];

	fill_file(image);
	request_init(&t, BLK_WRITE_ZEROES, offset, NULL, n);
	t.req.may_unmap = may_unmap;
	request_submit(image->blk, &t);
	assert_int_equal(request_wait(&t), 0);
	assert_true(all_zero(image, offset, n));
	assert_int_equal(pread(image->fd, edge, 512, offset - 512), 512);
	assert_true(pattern_matches(edge, offset - 512, 512));
	assert_int_equal(pread(image->fd, edge, 512, offset + n), 512);
	assert_true(pattern_matches(edge, offset + n, 512));
}

/* Zeroes leave a hole only if they may. */
static void test_file__zeroes_unmap_if_allowed(void **state)
{
	struct image image;

	image_new_memory(&image);
	zero_range(&image, true);
	assert_int_equal(lseek(image.fd, 0, SEEK_HOLE), (1 << 20) + 4096);
	image_free(&image);
}

/*
 * Where the file system cannot zero a range, zeroes are written, also in pieces, and it is
 * remembered.
 */
static void test_file__zeroes_are_written_if_must(void **state)
{
	struct image image;

	image_new_memory(&image); /* tmpfs has PUNCH_HOLE, but no ZERO_RANGE */
	zero_range(&image, false);
	if (!image_state(&image)->no_zero_range)
		skip_because("tmpfs has learnt ZERO_RANGE: nothing to fall back from");
	assert_int_equal(lseek(image.fd, 0, SEEK_HOLE), IMAGE_BYTES);
	zero_range(&image, false);
	image_free(&image);
}

/* On a disk file system too, buffered and direct. */
static void test_file__zeroes_on_disk(void **state)
{
	struct image image;
	int direct, forced;

	for (direct = 0; direct < 2; direct++) {
		if (!image_new(&image, direct))
			skip_because("no O_DIRECT under $TMPDIR or /var/tmp");
		for (forced = 0; forced < 2; forced++) {
			image_state(&image)->no_punch = image_state(&image)->no_zero_range = forced;
			zero_range(&image, false);
			zero_range(&image, true);
		}
		image_free(&image);
	}
}

/* Where discard is unknown it succeeds, as the hint it is, and the file is not asked again. */
static void test_file__discard_is_a_hint(void **state)
{
	struct image image = { .fd = -1 };
	char dir[64], buf[512];
	int i;

	image_mount(dir, "ramfs", NULL);
	snprintf(image.path, sizeof(image.path), "%s/image", dir);
	image.fd = open(image.path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(image.fd, IMAGE_BYTES), 0);
	image_open(&image, false);
	fill_file(&image);
	for (i = 0; i < 2; i++) {
		assert_int_equal(request_run(image.blk, BLK_DISCARD, 0, NULL, 4096), 0);
		assert_true(image_state(&image)->no_punch);
	}
	assert_int_equal(request_run(image.blk, BLK_READ, 0, buf, 512), 0);
	assert_true(pattern_matches(buf, 0, 512));
	zero_range(&image, true);
	image_free(&image);
	image_unmount(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file__writes_and_reads_back),
		cmocka_unit_test(test_file__scatters_and_gathers),
		cmocka_unit_test(test_file__continues_short_transfers),
		cmocka_unit_test(test_file__direct_aligned),
		cmocka_unit_test(test_file__direct_misaligned_memory),
		cmocka_unit_test(test_file__direct_misaligned_offset),
		cmocka_unit_test(test_file__direct_misaligned_offset_is_buffered),
		cmocka_unit_test(test_file__block_device),
		cmocka_unit_test(test_file__discard_punches),
		cmocka_unit_test(test_file__zeroes_unmap_if_allowed),
		cmocka_unit_test(test_file__zeroes_are_written_if_must),
		cmocka_unit_test(test_file__zeroes_on_disk),
		cmocka_unit_test(test_file__discard_is_a_hint),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
