// SPDX-License-Identifier: BSD-2-Clause
/* What the backend checks before a request goes down, and when it answers. */
#include "fixture.h"

#include <errno.h>
#include <handoff/clock.h>
#include <handoff/stats.h>

struct disk {
	struct hold *hold;
	struct BlockBackend *blk;
};

static void disk_new(struct disk *d)
{
	struct error err;

	hold_new(&d->hold, NULL);
	d->hold->pass = true;
	d->blk = blk_new("disk0", d->hold->bs, &err);
	assert_non_null(d->blk);
	bdrv_unref(d->hold->bs);
}

/* A range may end at the last byte and not one sector later, whatever overflows on the way. */
static void test_request__checks_range(void **state)
{
	static const struct {
		int64_t offset, bytes;
		int ret;
	} cases[] = {
		{ 0, 512, 0 },
		{ HOLD_BYTES - 512, 512, 0 },
		{ 0, HOLD_BYTES, 0 },
		{ HOLD_BYTES, 512, -EIO },
		{ HOLD_BYTES - 512, 1024, -EIO },
		{ 512, HOLD_BYTES, -EIO },
		{ 0, HOLD_BYTES + 512, -EIO },
		{ INT64_MAX - 511, 512, -EIO },
		{ 512, INT64_MAX - 511, -EIO },
		{ INT64_MAX - 511, INT64_MAX - 511, -EIO },
		{ -512, 512, -EINVAL },
		{ 0, -512, -EINVAL },
		{ INT64_MIN, 512, -EINVAL },
		{ 0, INT64_MIN, -EINVAL },
		{ 1, 512, -EINVAL },
		{ 0, 511, -EINVAL },
	};
	unsigned int i, good = 0;
	struct disk d;

	disk_new(&d);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t offset = cases[i].offset, bytes = cases[i].bytes;

		assert_int_equal(request_run(d.blk, BLK_DISCARD, offset, NULL, bytes),
				 cases[i].ret);
		assert_int_equal(request_run(d.blk, BLK_WRITE_ZEROES, offset, NULL, bytes),
				 cases[i].ret);
		good += 2 * (cases[i].ret == 0);
		assert_int_equal(d.hold->submitted, good);
	}
	assert_int_equal(request_run(d.blk, BLK_READ, HOLD_BYTES, NULL, 512), -EIO);
	blk_unref(d.blk);
}

/* The iovec has to add up to the length, and not to be too long. */
static void test_request__checks_iovec(void **state)
{
	static struct iovec iov[BDRV_REQUEST_NIOV + 1];
	struct test_request t;
	struct disk d;
	char buf[512];
	unsigned int i;

	disk_new(&d);
	for (i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct iovec){ buf, 512 };

	request_init(&t, BLK_READ, 0, buf, 1024);
	t.req.iov = iov;
	t.req.niov = 2;
	request_submit(d.blk, &t);
	assert_int_equal(request_wait(&t), 0);

	for (i = 1; i <= 3; i += 2) {
		request_init(&t, BLK_WRITE, 0, buf, 1024);
		t.req.iov = iov;
		t.req.niov = i;
		request_submit(d.blk, &t);
		assert_int_equal(request_wait(&t), -EINVAL);
	}

	iov[1].iov_len = SIZE_MAX - 511; /* 512 + this = 0 */
	request_init(&t, BLK_READ, 0, buf, 0);
	t.req.iov = iov;
	t.req.niov = 2;
	request_submit(d.blk, &t);
	assert_int_equal(request_wait(&t), -EINVAL);
	iov[1].iov_len = 512;

	for (i = BDRV_REQUEST_NIOV; i <= BDRV_REQUEST_NIOV + 1; i++) {
		request_init(&t, BLK_READ, 0, buf, 512ll * i);
		t.req.iov = iov;
		t.req.niov = i;
		request_submit(d.blk, &t);
		assert_int_equal(request_wait(&t), i == BDRV_REQUEST_NIOV ? 0 : -EINVAL);
	}
	assert_int_equal(d.hold->submitted, 2);
	blk_unref(d.blk);
}

/* A request type that does not exist is refused. */
static void test_request__checks_type(void **state)
{
	struct disk d;

	disk_new(&d);
	assert_int_equal(request_run(d.blk, BLK_WRITE_ZEROES + 1, 0, NULL, 512), -EINVAL);
	assert_int_equal(d.hold->submitted, 0);
	blk_unref(d.blk);
}

/* Whatever would change a read-only disk is refused with EROFS; reads and flushes go on. */
static void test_request__read_only(void **state)
{
	struct disk d;
	char buf[512];

	disk_new(&d);
	d.hold->bs->read_only = true;
	assert_true(blk_is_read_only(d.blk));
	assert_int_equal(request_run(d.blk, BLK_WRITE, 0, buf, 512), -EROFS);
	assert_int_equal(request_run(d.blk, BLK_DISCARD, 0, NULL, 512), -EROFS);
	assert_int_equal(request_run(d.blk, BLK_WRITE_ZEROES, 0, NULL, 512), -EROFS);
	assert_int_equal(d.hold->submitted, 0);
	assert_int_equal(request_run(d.blk, BLK_READ, 0, buf, 512), 0);
	assert_int_equal(request_run(d.blk, BLK_FLUSH, 0, NULL, 0), 0);
	assert_int_equal(d.hold->submitted, 2);
	blk_unref(d.blk);
}

/* An answer that is known at once still does not come before blk_submit has returned. */
static void test_request__never_completes_inline(void **state)
{
	static const int64_t bytes[] = { 0, 512, -1 };
	struct test_request t;
	struct disk d;
	unsigned int i;

	disk_new(&d);
	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		request_init(&t, BLK_DISCARD, HOLD_BYTES, NULL, bytes[i]);
		blk_submit(d.blk, &t.req);
		assert_int_equal(t.completions, 0);
		assert_int_equal(request_wait(&t), i == 0 ? 0 : i == 1 ? -EIO : -EINVAL);
	}
	assert_int_equal(d.hold->submitted, 0);
	blk_unref(d.blk);
}

/* A drain waits for an answer that is on its way like for any other. */
static void test_request__refused_ones_are_in_flight(void **state)
{
	struct test_request t;
	struct disk d;

	disk_new(&d);
	request_init(&t, BLK_DISCARD, HOLD_BYTES, NULL, 512);
	blk_submit(d.blk, &t.req);
	blk_drained_begin(d.blk);
	assert_int_equal(t.completions, 1);
	blk_drained_end(d.blk);
	blk_unref(d.blk);
}

/* Clocks are read only for requests that were submitted while a tracer listened. */
static void test_request__stamps_only_when_armed(void **state)
{
	struct test_request t;
	struct disk d;
	int64_t before;

	disk_new(&d);
	request_init(&t, BLK_FLUSH, 0, NULL, 0);
	t.req.t_submit_ns = t.req.t_complete_ns = 1;
	request_submit(d.blk, &t);
	assert_int_equal(request_wait(&t), 0);
	assert_int_equal(t.req.t_submit_ns, 0);
	assert_int_equal(t.req.t_complete_ns, 0);

	handoff_stats_armed_semaphore++;
	before = clock_ns();
	request_init(&t, BLK_FLUSH, 0, NULL, 0);
	request_submit(d.blk, &t);
	handoff_stats_armed_semaphore--;
	assert_int_equal(request_wait(&t), 0);
	assert_true(t.req.t_submit_ns >= before);
	assert_true(t.req.t_complete_ns >= t.req.t_submit_ns);
	assert_true(clock_ns() >= t.req.t_complete_ns);
	blk_unref(d.blk);
}

/*
 * What two drained sections have queued is answered at once, in its own context, and goes nowhere
 * when they end; what comes afterwards is queued as ever.
 */
static void test_request__queued_ones_can_be_cancelled(void **state)
{
	struct test_request t[3];
	struct disk d;
	char buf[512];
	struct error err;
	int i;

	disk_new(&d);
	assert_int_equal(
		blk_set_aio_context(d.blk, iothread_get_aio_context(fixture_iothread("io0")), &err),
		0);
	blk_drained_begin(d.blk);
	blk_drained_begin(d.blk);
	for (i = 0; i < 2; i++) {
		request_init(&t[i], BLK_READ, 512 * i, buf, sizeof(buf));
		request_submit(d.blk, &t[i]);
	}
	blk_cancel_queued(d.blk);
	for (i = 0; i < 2; i++) {
		assert_int_equal(t[i].completions, 1);
		assert_int_equal(t[i].ret, -ECANCELED);
		assert_ptr_equal(t[i].completed_in, blk_get_aio_context(d.blk));
	}
	request_init(&t[2], BLK_READ, 0, buf, sizeof(buf));
	request_submit(d.blk, &t[2]);
	blk_drained_end(d.blk);
	blk_drained_end(d.blk);
	assert_int_equal(request_wait(&t[2]), 0);
	assert_int_equal(d.hold->submitted, 1);
	/* Without any there is nothing to do. */
	blk_cancel_queued(d.blk);
	blk_unref(d.blk);
}

/* Each kind is counted by itself when it ends; bytes only of what went well. */
static void test_request__is_counted(void **state)
{
	static const int64_t bytes[BLK_REQUEST_TYPES] = { 512, 1024, 0, 2048, 4096 };
	struct blk_counters c;
	char buf[1024];
	struct disk d;

	disk_new(&d);
	for (unsigned int type = 0; type < BLK_REQUEST_TYPES; type++) {
		void *data = type <= BLK_WRITE ? buf : NULL;

		assert_int_equal(request_run(d.blk, type, 0, data, bytes[type]), 0);
		assert_int_equal(request_run(d.blk, type, 0, data, bytes[type]), 0);
		if (type != BLK_FLUSH)
			assert_int_equal(request_run(d.blk, type, HOLD_BYTES, data, 512), -EIO);
	}
	for (unsigned int type = 0; type < BLK_REQUEST_TYPES; type++) {
		c = blk_get_counters(d.blk, type);
		assert_int_equal(c.done, 2);
		assert_int_equal(c.bytes, 2 * bytes[type]);
		assert_int_equal(c.failed, type != BLK_FLUSH);
	}
	blk_unref(d.blk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request__checks_range),
		cmocka_unit_test(test_request__is_counted),
		cmocka_unit_test(test_request__checks_iovec),
		cmocka_unit_test(test_request__checks_type),
		cmocka_unit_test(test_request__read_only),
		cmocka_unit_test(test_request__never_completes_inline),
		cmocka_unit_test(test_request__refused_ones_are_in_flight),
		cmocka_unit_test(test_request__stamps_only_when_armed),
		cmocka_unit_test(test_request__queued_ones_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
