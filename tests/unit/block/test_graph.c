// SPDX-License-Identifier: BSD-2-Clause
/*
 * The graph changing while parts of it are drained or busy (test-bdrv-drain's deletion, attach,
 * detach).
 */
#include "fixture.h"

#include <errno.h>

/*
 * A node lives as long as somebody holds it: the constructor's caller, its parents, its
 * backends.
 */
static void test_graph__references_keep_nodes(void **state)
{
	struct BlockDriverState *bs, *filter;
	struct BlockBackend *blk;
	struct error err;
	bool gone;

	bs = hold_new(NULL, &gone);
	filter = bdrv_delay_new(bs, BDRV_DELAY_FIXED, 1, 0, &err);
	assert_non_null(filter);
	blk = backend(filter, "disk0");
	bdrv_unref(bs);
	bdrv_unref(filter);
	assert_false(gone);
	blk_unref(blk);
	assert_true(gone);
}

/* A backend that goes with requests in flight waits for them first. */
static void test_graph__unref_drains(void **state)
{
	struct test_request t[3];
	struct BlockBackend *blk;
	struct hold *hold;
	char buf[512];
	bool gone;
	int i;

	blk = backend(hold_new(&hold, &gone), "disk0");
	bdrv_unref(hold->bs);
	for (i = 0; i < 3; i++) {
		request_init(&t[i], BLK_READ, 0, buf, sizeof(buf));
		request_submit(blk, &t[i]);
	}
	hold_release(hold);
	blk_unref(blk);
	assert_true(gone);
	for (i = 0; i < 3; i++) {
		assert_int_equal(t[i].completions, 1);
		assert_int_equal(t[i].ret, 0);
	}
}

/* The same with the requests in an iothread: no thread touches the backend after it is gone. */
static void test_graph__unref_drains_iothread(void **state)
{
	struct IOThread *a = fixture_iothread("a");
	struct test_request t;
	struct BlockBackend *blk;
	struct error err;
	char buf[512];
	int i;

	for (i = 0; i < 300; i++) {
		struct BlockDriverState *bs = bdrv_null_new(4096, false, &err);

		assert_non_null(bs);
		blk = backend(bs, "disk0");
		bdrv_unref(bs);
		assert_int_equal(blk_set_aio_context(blk, iothread_get_aio_context(a), &err), 0);
		request_init(&t, BLK_READ, 0, buf, sizeof(buf));
		request_submit(blk, &t);
		blk_unref(blk);
		assert_int_equal(t.completions, 1);
		assert_int_equal(t.ret, 0);
	}
	iothread_free(a);
}

/* What an outer section keeps queued comes back cancelled when the backend goes. */
static void test_graph__unref_cancels_queued(void **state)
{
	struct test_request t[2];
	struct BlockBackend *blk;
	struct hold *hold;
	char buf[512];
	bool gone;
	int i;

	blk = backend(hold_new(&hold, &gone), "disk0");
	bdrv_drained_begin(hold->bs);
	for (i = 0; i < 2; i++) {
		request_init(&t[i], BLK_READ, 0, buf, sizeof(buf));
		request_submit(blk, &t[i]);
	}
	blk_unref(blk);
	for (i = 0; i < 2; i++) {
		assert_int_equal(t[i].completions, 1);
		assert_int_equal(t[i].ret, -ECANCELED);
	}
	assert_int_equal(hold->submitted, 0);
	bdrv_drained_end(hold->bs);
	bdrv_unref(hold->bs);
	assert_true(gone);
}

static void submit_once_more(struct test_request *t)
{
	if (t->completions == 1)
		blk_submit(t->req.blk, &t->req);
}

/* What a completion submits to a backend that is going comes back cancelled; nothing is forgotten.
 */
static void test_graph__unref_cancels_latecomers(void **state)
{
	struct test_request t;
	struct BlockBackend *blk;
	struct hold *hold;
	char buf[512];
	bool gone;

	blk = backend(hold_new(&hold, &gone), "disk0");
	hold->pass = true;
	request_init(&t, BLK_READ, 0, buf, sizeof(buf));
	t.then = submit_once_more;
	request_submit(blk, &t);
	blk_unref(blk);
	assert_int_equal(t.completions, 2);
	assert_int_equal(t.ret, -ECANCELED);
	assert_int_equal(hold->submitted, 1);
	bdrv_unref(hold->bs);
	assert_true(gone);
}

struct deletion {
	struct BlockBackend *blk;
	struct hold *hold;
};

static void delete_bh(void *opaque)
{
	struct deletion *d = opaque;

	hold_release(d->hold);
	blk_unref(d->blk);
}

/* A parent that is deleted, with its request, while its child's drain waits for it. */
static void test_graph__parent_deleted_during_drain(void **state)
{
	struct BlockDriverState *child;
	struct test_request t;
	struct deletion d;
	struct error err;
	bool gone;
	char buf[512];

	child = hold_new(NULL, NULL);
	hold_new(&d.hold, &gone);
	assert_non_null(bdrv_attach_child(d.hold->bs, child, &err));
	d.blk = backend(d.hold->bs, "disk0");
	bdrv_unref(d.hold->bs);
	request_init(&t, BLK_READ, 0, buf, sizeof(buf));
	request_submit(d.blk, &t);
	aio_bh_schedule_oneshot(fixture_main(), delete_bh, &d, "delete");
	bdrv_drained_begin(child);
	assert_true(gone);
	assert_int_equal(t.completions, 1);
	assert_true(list_empty(&child->parents));
	bdrv_drained_end(child);
	bdrv_unref(child);
}

/* A parent that comes to a drained node is drained at once, and free when the section ends. */
static void test_graph__attach_to_drained(void **state)
{
	struct BlockDriverState *bs, *filter;
	struct BlockBackend *blk, *direct;
	struct test_request t;
	struct hold *hold;
	struct error err;
	char buf[512];

	bs = hold_new(&hold, NULL);
	hold->pass = true;
	bdrv_drained_begin(bs);
	filter = bdrv_delay_new(bs, BDRV_DELAY_FIXED, 1, 0, &err);
	assert_non_null(filter);
	assert_int_equal(filter->quiesce_counter, 1);
	blk = backend(filter, "disk0");
	direct = backend(bs, "disk1");
	assert_true(blk_in_drain(blk));
	assert_true(blk_in_drain(direct));
	request_init(&t, BLK_WRITE, 0, buf, sizeof(buf));
	request_submit(blk, &t);
	fixture_settle();
	assert_int_equal(hold->submitted, 0);
	assert_false(bdrv_drain_poll(bs));

	bdrv_drained_end(bs);
	assert_int_equal(filter->quiesce_counter, 0);
	assert_false(blk_in_drain(direct));
	assert_int_equal(request_wait(&t), 0);
	assert_int_equal(hold->submitted, 1);
	blk_unref(blk);
	blk_unref(direct);
	bdrv_unref(filter);
	bdrv_unref(bs);
}

/*
 * A parent that leaves a drained node takes no quiescence along: nothing is left on other ways
 * up.
 */
static void test_graph__detach_from_drained(void **state)
{
	struct BlockDriverState *parent, *child[2];
	struct BdrvChild *edge[2];
	struct error err;
	int i;

	parent = hold_new(NULL, NULL);
	for (i = 0; i < 2; i++) {
		child[i] = hold_new(NULL, NULL);
		edge[i] = bdrv_attach_child(parent, child[i], &err);
		assert_non_null(edge[i]);
		bdrv_drained_begin(child[i]);
	}
	assert_int_equal(parent->quiesce_counter, 2);
	bdrv_detach_child(edge[0]);
	assert_int_equal(parent->quiesce_counter, 1);
	assert_int_equal(child[0]->quiesce_counter, 1);
	bdrv_drained_end(child[0]);
	assert_int_equal(parent->quiesce_counter, 1);
	bdrv_drained_end(child[1]);
	assert_int_equal(parent->quiesce_counter, 0);
	bdrv_unref(parent);
	bdrv_unref(child[0]);
	bdrv_unref(child[1]);
}

/* Requests pass BDRV_MAX_DEPTH nodes at most; a higher pile is refused when it is built. */
static void test_graph__depth_is_bounded(void **state)
{
	struct BlockDriverState *bs, *above;
	struct error err = { .msg = "" };
	struct BlockBackend *blk;
	char buf[512];
	int i;

	bs = bdrv_null_new(4096, true, &err);
	assert_non_null(bs);
	for (i = 1; i < BDRV_MAX_DEPTH; i++) {
		above = bdrv_delay_new(bs, BDRV_DELAY_FIXED, 1, 0, &err);
		assert_non_null(above);
		bdrv_unref(bs);
		bs = above;
	}
	assert_null(bdrv_delay_new(bs, BDRV_DELAY_FIXED, 1, 0, &err));
	assert_non_null(strstr(err.msg, "more than 8"));
	blk = backend(bs, "disk0");
	bdrv_unref(bs);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(request_run(blk, BLK_READ, 0, buf, sizeof(buf)), 0);
	assert_int_equal(buf[511], 0);
	blk_unref(blk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_graph__references_keep_nodes),
		cmocka_unit_test(test_graph__unref_drains),
		cmocka_unit_test(test_graph__unref_drains_iothread),
		cmocka_unit_test(test_graph__unref_cancels_queued),
		cmocka_unit_test(test_graph__unref_cancels_latecomers),
		cmocka_unit_test(test_graph__parent_deleted_during_drain),
		cmocka_unit_test(test_graph__attach_to_drained),
		cmocka_unit_test(test_graph__detach_from_drained),
		cmocka_unit_test(test_graph__depth_is_bounded),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
