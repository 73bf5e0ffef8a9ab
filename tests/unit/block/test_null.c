// SPDX-License-Identifier: BSD-2-Clause
/* The null driver: what it gives back, and that it costs a turn of the loop at most. */
#include "fixture.h"

#include <errno.h>

#define DISK_BYTES (1 << 20)

static struct BlockBackend *null_disk(bool read_zeroes)
{
	struct BlockDriverState *bs;
	struct BlockBackend *blk;
	struct error err;

	bs = bdrv_null_new(DISK_BYTES, read_zeroes, &err);
	assert_non_null(bs);
	blk = blk_new("null0", bs, &err);
	assert_non_null(blk);
	bdrv_unref(bs);
	return blk;
}

/* All types succeed; reads give zeroes if that was asked for, else leave the memory alone. */
static void test_null__reads_as_configured(void **state)
{
	struct BlockBackend *blk;
	char buf[1024];
	int zeroes;

	for (zeroes = 0; zeroes <= 1; zeroes++) {
		blk = null_disk(zeroes);
		memset(buf, 0x5a, sizeof(buf));
		assert_int_equal(request_run(blk, BLK_WRITE, 0, buf, sizeof(buf)), 0);
		assert_int_equal(request_run(blk, BLK_DISCARD, 0, NULL, 512), 0);
		assert_int_equal(request_run(blk, BLK_WRITE_ZEROES, 0, NULL, 512), 0);
		assert_int_equal(request_run(blk, BLK_FLUSH, 0, NULL, 0), 0);
		assert_int_equal(buf[0], 0x5a);
		assert_int_equal(request_run(blk, BLK_READ, 0, buf, sizeof(buf)), 0);
		assert_int_equal(buf[0], zeroes ? 0 : 0x5a);
		assert_int_equal(buf[1023], zeroes ? 0 : 0x5a);
		blk_unref(blk);
	}
}

/* The length is whole sectors; what is shorter than one, or not a length, is refused. */
static void test_null__rounds_length(void **state)
{
	struct BlockDriverState *bs;
	struct error err;

	bs = bdrv_null_new(1300, false, &err);
	assert_non_null(bs);
	assert_int_equal(bdrv_getlength(bs), 1024);
	assert_false(bdrv_is_read_only(bs));
	bdrv_unref(bs);
	assert_null(bdrv_null_new(511, false, &err));
	assert_non_null(strstr(err.msg, "512"));
	assert_null(bdrv_null_new(UINT64_MAX, false, &err));
}

/* What was submitted in one turn completes in the next, in order; none completes inline. */
static void test_null__completes_in_one_turn(void **state)
{
	struct BlockBackend *blk = null_disk(false);
	struct test_request t[32];
	char buf[512];
	int i;

	for (i = 0; i < 32; i++) {
		request_init(&t[i], BLK_READ, 0, buf, sizeof(buf));
		blk_submit(blk, &t[i].req);
	}
	for (i = 0; i < 32; i++)
		assert_int_equal(t[i].completions, 0);
	assert_true(aio_poll(fixture_main(), true));
	for (i = 0; i < 32; i++) {
		assert_int_equal(t[i].completions, 1);
		assert_int_equal(t[i].order, t[0].order + i);
	}
	blk_unref(blk);
}

static void submit_again(struct test_request *t)
{
	if (t->completions < 100)
		blk_submit(t->req.blk, &t->req);
}

/* A completion that submits again gets one request a turn: it cannot keep the loop to itself. */
static void test_null__gives_way_to_the_loop(void **state)
{
	struct BlockBackend *blk = null_disk(false);
	struct test_request t;
	char buf[512];
	unsigned int i;

	request_init(&t, BLK_READ, 0, buf, sizeof(buf));
	t.then = submit_again;
	blk_submit(blk, &t.req);
	for (i = 1; i <= 100; i++) {
		assert_true(aio_poll(fixture_main(), true));
		assert_int_equal(t.completions, i);
	}
	blk_unref(blk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_null__reads_as_configured),
		cmocka_unit_test(test_null__rounds_length),
		cmocka_unit_test(test_null__completes_in_one_turn),
		cmocka_unit_test(test_null__gives_way_to_the_loop),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
