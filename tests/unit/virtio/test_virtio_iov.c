// SPDX-License-Identifier: BSD-2-Clause
/* Pieces of scattered memory: copies and slices across borders, and beyond the end. */
#include <lib/tap.h>

#include <string.h>
#include <handoff/compiler.h>
#include "virtio_iov.h"

static char one[5], two[1], three[10];
static const struct iovec iov[] = { { one, 5 }, { two, 1 }, { three, 10 } };

static int setup(void **state)
{
	memcpy(one, "abcde", 5);
	memcpy(two, "f", 1);
	memcpy(three, "ghijklmnop", 10);
	return 0;
}

/* Any part is read as if it were in one piece; past the end there is nothing. */
static void test_virtio_iov__reads_across_borders(void **state)
{
	const char all[] = "abcdefghijklmnop";
	unsigned int offset, len;
	char buf[32];

	for (offset = 0; offset < 20; offset++) {
		for (len = 0; len < 20; len++) {
			size_t left = offset < 16 ? 16 - offset : 0;

			memset(buf, 'x', sizeof(buf));
			assert_int_equal(iov_read(iov, 3, offset, buf, len), MIN(left, len));
			assert_memory_equal(buf, all + MIN(offset, 16), MIN(left, len));
			assert_int_equal(buf[MIN(left, len)], 'x');
		}
	}
}

/* A write changes what it covers and nothing else. */
static void test_virtio_iov__writes_across_borders(void **state)
{
	char buf[16];

	assert_int_equal(iov_write(iov, 3, 3, "12345", 5), 5);
	iov_read(iov, 3, 0, buf, 16);
	assert_memory_equal(buf, "abc12345ijklmnop", 16);
	assert_int_equal(iov_write(iov, 3, 14, "6789", 4), 2);
	iov_read(iov, 3, 0, buf, 16);
	assert_memory_equal(buf, "abc12345ijklmn67", 16);
}

/* A slice describes the same bytes; pieces without a share in it take no room. */
static void test_virtio_iov__slices_share_the_bytes(void **state)
{
	struct iovec to[3];

	assert_int_equal(iov_slice(to, 3, iov, 3, 2, 6), 3);
	assert_ptr_equal(to[0].iov_base, one + 2);
	assert_int_equal(to[0].iov_len, 3);
	assert_ptr_equal(to[1].iov_base, two);
	assert_int_equal(to[2].iov_len, 2);
	assert_int_equal(iov_slice(to, 1, iov, 3, 5, 1), 1);
	assert_ptr_equal(to[0].iov_base, two);
	assert_int_equal(iov_slice(to, 3, iov, 3, 16, 1), 0);
	assert_int_equal(iov_slice(to, 3, iov, 3, 0, 0), 0);
}

/* Room for fewer pieces than there are: refused, not cut. */
static void test_virtio_iov__slice_needs_room(void **state)
{
	struct iovec to[2];

	assert_int_equal(iov_slice(to, 2, iov, 3, 0, 7), -1);
	assert_int_equal(iov_slice(to, 2, iov, 3, 0, 6), 2);
	assert_int_equal(iov_slice(to, 0, iov, 3, 0, 1), -1);
}

#define T(name) cmocka_unit_test_setup(test_virtio_iov__##name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_across_borders),
		T(writes_across_borders),
		T(slices_share_the_bytes),
		T(slice_needs_room),
	};

	return cmocka_run_group_tests_name("virtio_iov", tests, NULL, NULL);
}
