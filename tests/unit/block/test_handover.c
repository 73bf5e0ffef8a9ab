// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests while their graph moves between event loops: all complete, once, in the right
 * context.
 */
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>
#include <sys/mman.h>
#include <handoff/bql.h>

#define SWITCHES 1000

/*
 * What is queued during the move goes down in the new context; inside an outer section it waits
 * on.
 */
static void test_handover__queued_requests_change_context(void **state)
{
	struct test_request t;
	struct BlockBackend *blk;
	struct hold *hold;
	char buf[512];

	blk = backend(hold_new(&hold, NULL), "disk0");
	hold->pass = true;
	blk_drained_begin(blk);
	request_init(&t, BLK_WRITE, 0, buf, sizeof(buf));
	request_submit(blk, &t);
	move(blk, loops.ctx[1]);
	fixture_settle();
	assert_int_equal(t.completions, 0);
	blk_drained_end(blk);
	assert_int_equal(request_wait(&t), 0);
	assert_ptr_equal(t.completed_in, loops.ctx[1]);
	bdrv_unref(hold->bs);
	blk_unref(blk);
}

/*
 * A load runs on while its graph goes round main, a and b: all complete, each in the backend's
 * context.
 */
static void move_under_load(struct BlockDriverState *bs, bool verify, unsigned int switches)
{
	struct BlockBackend *blk = backend(bs, "disk0");
	struct load load;
	unsigned int i;

	load_start(&load, blk, verify);
	for (i = 1; i <= switches; i++) {
		move(blk, loops.ctx[i % 3]);
		load_wait(&load, 1);
	}
	load_stop(&load);
	assert_true(atomic_load(&load.completed) >= switches);
	assert_int_equal(atomic_load(&load.errors), 0);
	assert_int_equal(atomic_load(&load.strangers), 0);
	blk_unref(blk);
}

static void *vcpu_thread(void *opaque)
{
	struct BlockBackend *blk = opaque;
	unsigned int i;

	bql_lock();
	for (i = 1; i <= 300; i++)
		move(blk, loops.ctx[i % 3]);
	bql_unlock();
	return NULL;
}

/*
 * A vCPU thread that holds the BQL hands a busy disk over, as when a guest sets DRIVER_OK (path
 * C).
 */
static void test_handover__moved_by_holder_of_bql(void **state)
{
	struct BlockDriverState *bs;
	struct BlockBackend *blk;
	struct error err;
	struct load load;
	pthread_t vcpu;

	bs = bdrv_null_new(1 << 20, false, &err);
	assert_non_null(bs);
	blk = backend(bs, "disk0");
	load_start(&load, blk, false);
	assert_int_equal(pthread_create(&vcpu, NULL, vcpu_thread, blk), 0);
	bql_unlock();
	assert_int_equal(pthread_join(vcpu, NULL), 0);
	bql_lock();
	load_wait(&load, 1);
	load_stop(&load);
	assert_int_equal(atomic_load(&load.errors) + atomic_load(&load.strangers), 0);
	blk_unref(blk);
	bdrv_unref(bs);
}

/* 1000 switches of the null driver under load. */
static void test_handover__moves_null_under_load(void **state)
{
	struct error err;
	struct BlockDriverState *bs = bdrv_null_new(1 << 20, false, &err);

	assert_non_null(bs);
	move_under_load(bs, false, SWITCHES);
	bdrv_unref(bs);
}

static struct BlockDriverState *memory_file(int *fd)
{
	struct bdrv_file_config config = { 0 };
	struct BlockDriverState *bs;
	struct error err;
	char path[64];

	*fd = memfd_create("image", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(ftruncate(*fd, 1 << 20), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	config.path = path;
	bs = bdrv_file_new(&config, &err);
	if (!bs)
		fail_msg("%s", err.msg);
	return bs;
}

/* 1000 switches of a file that is written and read back all the while. */
static void test_handover__moves_file_under_load(void **state)
{
	struct BlockDriverState *bs;
	int fd;

	bs = memory_file(&fd);
	move_under_load(bs, true, SWITCHES);
	bdrv_unref(bs);
	close(fd);
}

/* The same below a filter that delays and reorders. */
static void test_handover__moves_filter_under_load(void **state)
{
	struct BlockDriverState *bs, *filter;
	struct error err;
	int fd;

	bs = memory_file(&fd);
	filter = bdrv_delay_new(bs, BDRV_DELAY_EXPONENTIAL, 100000, 1, &err);
	assert_non_null(filter);
	move_under_load(filter, true, SWITCHES);
	bdrv_unref(filter);
	bdrv_unref(bs);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handover__queued_requests_change_context),
		cmocka_unit_test(test_handover__moved_by_holder_of_bql),
		cmocka_unit_test(test_handover__moves_null_under_load),
		cmocka_unit_test(test_handover__moves_file_under_load),
		cmocka_unit_test(test_handover__moves_filter_under_load),
	};

	return cmocka_run_group_tests(tests, loops_setup, loops_teardown);
}
