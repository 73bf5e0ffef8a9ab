// SPDX-License-Identifier: BSD-2-Clause
/* Drained sections: what begin waits for, what it keeps back, how they nest (semantics.md 4.4). */
#include "fixture.h"

#include <errno.h>

/*
 * A chain: backend > delay-like parent would hide the counters, so the parent is a hold node
 * too.
 */
struct chain {
	struct BlockDriverState *parent_bs, *child_bs;
	struct hold *parent, *child;
	struct BlockBackend *blk;
};

static void chain_new(struct chain *c)
{
	struct error err;

	c->child_bs = hold_new(&c->child, NULL);
	c->parent_bs = hold_new(&c->parent, NULL);
	assert_non_null(bdrv_attach_child(c->parent_bs, c->child_bs, &err));
	c->blk = blk_new("disk0", c->parent_bs, &err);
	assert_non_null(c->blk);
}

static void chain_free(struct chain *c)
{
	blk_unref(c->blk);
	bdrv_unref(c->parent_bs);
	bdrv_unref(c->child_bs);
}

/* Begin returns only after a request that the driver held has completed. */
static void test_drain__begin_waits_for_pending(void **state)
{
	struct test_request t;
	struct chain c;
	char buf[512];

	chain_new(&c);
	request_init(&t, BLK_WRITE, 0, buf, sizeof(buf));
	request_submit(c.blk, &t);
	assert_int_equal(c.parent->submitted, 1);
	assert_int_equal(t.completions, 0);
	hold_release(c.parent);
	blk_drained_begin(c.blk);
	assert_int_equal(t.completions, 1);
	assert_int_equal(t.ret, 0);
	blk_drained_end(c.blk);
	chain_free(&c);
}

/* The driver is told of the first begin and the last end, once each. */
static void test_drain__tells_driver_once(void **state)
{
	struct chain c;

	chain_new(&c);
	bdrv_drained_begin(c.parent_bs);
	bdrv_drained_begin(c.parent_bs);
	assert_int_equal(c.parent->drain_begins, 1);
	bdrv_drained_end(c.parent_bs);
	assert_int_equal(c.parent->drain_ends, 0);
	bdrv_drained_end(c.parent_bs);
	assert_int_equal(c.parent->drain_ends, 1);
	chain_free(&c);
}

/* Draining a node quiesces what is above it and leaves what is below alone. */
static void test_drain__quiesces_upward_only(void **state)
{
	struct chain c;

	chain_new(&c);
	bdrv_drained_begin(c.parent_bs);
	assert_int_equal(c.parent_bs->quiesce_counter, 1);
	assert_int_equal(c.child_bs->quiesce_counter, 0);
	assert_true(blk_in_drain(c.blk));
	bdrv_drained_end(c.parent_bs);
	assert_false(blk_in_drain(c.blk));

	bdrv_drained_begin(c.child_bs);
	assert_int_equal(c.child_bs->quiesce_counter, 1);
	assert_int_equal(c.parent_bs->quiesce_counter, 1);
	assert_true(blk_in_drain(c.blk));
	bdrv_drained_end(c.child_bs);
	assert_int_equal(c.parent_bs->quiesce_counter, 0);
	assert_false(blk_in_drain(c.blk));
	chain_free(&c);
}

/* Every pair of an outer and an inner section adds up, and I/O resumes after the last end only. */
static void test_drain__nests_in_all_combinations(void **state)
{
	unsigned int outer, inner, begins = 0;
	struct BlockDriverState *bs[2];
	struct test_request t;
	struct chain c;
	char buf[512];

	chain_new(&c);
	c.parent->pass = true;
	bs[0] = c.parent_bs;
	bs[1] = c.child_bs;
	for (outer = 0; outer < 2; outer++) {
		for (inner = 0; inner < 2; inner++) {
			bdrv_drained_begin(bs[outer]);
			bdrv_drained_begin(bs[inner]);
			assert_int_equal(c.parent_bs->quiesce_counter, outer && inner ? 1 : 2);
			assert_int_equal(c.child_bs->quiesce_counter, outer + inner);
			assert_int_equal(c.parent->drain_begins, ++begins);

			request_init(&t, BLK_WRITE, 0, buf, sizeof(buf));
			request_submit(c.blk, &t);
			bdrv_drained_end(bs[inner]);
			fixture_settle();
			assert_int_equal(c.parent->submitted, begins - 1);
			bdrv_drained_end(bs[outer]);
			assert_int_equal(request_wait(&t), 0);
			assert_int_equal(c.parent->submitted, begins);
			assert_int_equal(c.parent->drain_ends, begins);
		}
	}
	chain_free(&c);
}

/* A node under two parents: draining it quiesces both, draining one leaves the other alone. */
static void test_drain__reaches_every_parent(void **state)
{
	struct BlockDriverState *other;
	struct error err;
	struct chain c;

	chain_new(&c);
	other = hold_new(NULL, NULL);
	assert_non_null(bdrv_attach_child(other, c.child_bs, &err));
	bdrv_drained_begin(c.parent_bs);
	assert_int_equal(other->quiesce_counter, 0);
	bdrv_drained_end(c.parent_bs);
	bdrv_drained_begin(c.child_bs);
	assert_int_equal(other->quiesce_counter, 1);
	assert_int_equal(c.parent_bs->quiesce_counter, 1);
	bdrv_drained_end(c.child_bs);
	bdrv_unref(other);
	chain_free(&c);
}

/* --- queueing -------------------------------------------------------------------------------- */

/* Requests that come while drained reach no driver; at the end they go down in their order. */
static void test_drain__queues_in_order(void **state)
{
	struct test_request t[4];
	struct chain c;
	char buf[512];
	int i;

	chain_new(&c);
	c.parent->pass = true;
	blk_drained_begin(c.blk);
	for (i = 0; i < 4; i++) {
		request_init(&t[i], BLK_WRITE, 512 * i, buf, sizeof(buf));
		request_submit(c.blk, &t[i]);
	}
	fixture_settle();
	assert_int_equal(c.parent->submitted, 0);
	blk_drained_end(c.blk);
	for (i = 0; i < 4; i++)
		assert_int_equal(request_wait(&t[i]), 0);
	assert_int_equal(c.parent->submitted, 4);
	for (i = 1; i < 4; i++)
		assert_int_equal(t[i].order, t[i - 1].order + 1);
	chain_free(&c);
}

/*
 * A drain that begins before the queue was taken up again keeps it, and ends waiting for
 * nothing.
 */
static void test_drain__second_drain_keeps_queue(void **state)
{
	struct test_request t;
	struct chain c;
	char buf[512];

	chain_new(&c);
	c.parent->pass = true;
	blk_drained_begin(c.blk);
	request_init(&t, BLK_WRITE, 0, buf, sizeof(buf));
	request_submit(c.blk, &t);
	blk_drained_end(c.blk);
	/* The queue is held by the end already, although nothing has run yet. */
	assert_true(bdrv_drain_poll(c.parent_bs));
	blk_drained_begin(c.blk);
	assert_false(bdrv_drain_poll(c.parent_bs));
	assert_int_equal(c.parent->submitted, 0);
	blk_drained_end(c.blk);
	assert_int_equal(request_wait(&t), 0);
	chain_free(&c);
}

/* The end of a section runs nothing: bottom halves wait for the loop's next turn. */
static void count_bh(void *opaque)
{
	++*(unsigned int *)opaque;
}

static void test_drain__end_does_not_poll(void **state)
{
	unsigned int ran = 0;
	struct chain c;

	chain_new(&c);
	blk_drained_begin(c.blk);
	aio_bh_schedule_oneshot(fixture_main(), count_bh, &ran, "count");
	blk_drained_end(c.blk);
	assert_int_equal(ran, 0);
	fixture_settle();
	assert_int_equal(ran, 1);
	chain_free(&c);
}

struct resubmit {
	struct test_request t;
	struct BlockBackend *blk;
	unsigned int left;
};

static void resubmit_then(struct test_request *t)
{
	struct resubmit *r = container_of(t, struct resubmit, t);

	if (r->left-- > 0)
		blk_submit(r->blk, &t->req);
}

/* A completion that submits again does not keep a drain from ending; it goes on afterwards. */
static void test_drain__ends_though_completions_submit(void **state)
{
	struct resubmit r;
	struct chain c;
	char buf[512];

	chain_new(&c);
	request_init(&r.t, BLK_WRITE, 0, buf, sizeof(buf));
	r.t.then = resubmit_then;
	r.blk = c.blk;
	r.left = 1000;
	c.parent->pass = true;
	request_submit(c.blk, &r.t);
	blk_drained_begin(c.blk);
	assert_int_equal(c.parent->submitted, 1);
	fixture_settle();
	assert_int_equal(r.t.completions, 1);
	blk_drained_end(c.blk);
	AIO_WAIT_WHILE(r.t.completions < 1001);
	assert_int_equal(c.parent->submitted, 1001);
	chain_free(&c);
}

/* --- other holders --------------------------------------------------------------------------- */

static void drop_hold_bh(void *opaque)
{
	blk_dec_in_flight(opaque);
}

/* A hold from elsewhere is waited for like a request, and let go from another thread. */
static void test_drain__waits_for_holds_of_other_threads(void **state)
{
	struct IOThread *a = fixture_iothread("a");
	struct chain c;

	chain_new(&c);
	blk_inc_in_flight(c.blk);
	aio_bh_schedule_oneshot(iothread_get_aio_context(a), drop_hold_bh, c.blk, "drop");
	blk_drained_begin(c.blk);
	assert_int_equal(atomic_load(&c.blk->in_flight), 0);
	blk_drained_end(c.blk);
	chain_free(&c);
	iothread_free(a);
}

struct across {
	struct hold *hold;
	struct AioContext *b;
};

static void across_b(void *opaque)
{
	struct across *x = opaque;

	hold_release(x->hold); /* back into a */
}

static void across_a(void *opaque)
{
	struct across *x = opaque;

	aio_bh_schedule_oneshot(x->b, across_b, x, "across_b");
}

/*
 * A request in iothread a that needs a bottom half in b to finish has finished when begin
 * returns.
 */
static void test_drain__spans_iothreads(void **state)
{
	struct IOThread *a = fixture_iothread("a"), *b = fixture_iothread("b");
	struct test_request t;
	struct across x;
	struct error err;
	struct chain c;
	char buf[512];
	int i;

	chain_new(&c);
	x.hold = c.parent;
	x.b = iothread_get_aio_context(b);
	assert_int_equal(blk_set_aio_context(c.blk, iothread_get_aio_context(a), &err), 0);
	for (i = 0; i < 100; i++) {
		request_init(&t, BLK_WRITE, 0, buf, sizeof(buf));
		request_submit(c.blk, &t);
		aio_bh_schedule_oneshot(iothread_get_aio_context(a), across_a, &x, "across_a");
		blk_drained_begin(c.blk);
		assert_int_equal(t.completions, 1);
		assert_ptr_equal(t.completed_in, iothread_get_aio_context(a));
		blk_drained_end(c.blk);
	}
	chain_free(&c);
	/* b first: it may still be on its way out of waking a. */
	iothread_free(b);
	iothread_free(a);
}

/* Draining again and again under a load in an iothread: each begin finds nothing in flight. */
static void test_drain__stands_under_load(void **state)
{
	struct IOThread *a = fixture_iothread("a");
	struct BlockDriverState *bs;
	struct BlockBackend *blk;
	unsigned long completed;
	struct error err;
	struct load load;
	int i;

	bs = bdrv_null_new(1 << 20, false, &err);
	assert_non_null(bs);
	blk = blk_new("disk0", bs, &err);
	assert_non_null(blk);
	assert_int_equal(blk_set_aio_context(blk, iothread_get_aio_context(a), &err), 0);
	load_start(&load, blk, false);
	for (i = 0; i < 1000; i++) {
		blk_drained_begin(blk);
		assert_int_equal(atomic_load(&blk->in_flight), 0);
		completed = atomic_load(&load.completed);
		aio_poll(fixture_main(), false);
		assert_int_equal(atomic_load(&load.completed), completed);
		blk_drained_end(blk);
		load_wait(&load, 1);
	}
	load_stop(&load);
	assert_int_equal(atomic_load(&load.errors), 0);
	blk_unref(blk);
	bdrv_unref(bs);
	iothread_free(a);
}

/* --- devices --------------------------------------------------------------------------------- */

struct device {
	unsigned int begins, ends;
	bool busy;
};

static void device_begin(void *opaque)
{
	((struct device *)opaque)->begins++;
}

static void device_end(void *opaque)
{
	((struct device *)opaque)->ends++;
}

static bool device_poll(void *opaque)
{
	return ((struct device *)opaque)->busy;
}

static const struct BlockDevOps device_ops = {
	.drained_begin = device_begin,
	.drained_end = device_end,
	.drained_poll = device_poll,
};

/* The device hears of the outermost section only; one that comes during a section hears at once. */
static void test_drain__tells_device_once(void **state)
{
	struct device dev = { 0 };
	struct chain c;

	chain_new(&c);
	blk_set_dev_ops(c.blk, &device_ops, &dev);
	assert_int_equal(dev.begins, 0);
	blk_drained_begin(c.blk);
	bdrv_drained_begin(c.child_bs);
	assert_int_equal(dev.begins, 1);
	blk_drained_end(c.blk);
	assert_int_equal(dev.ends, 0);
	bdrv_drained_end(c.child_bs);
	assert_int_equal(dev.ends, 1);

	blk_set_dev_ops(c.blk, NULL, NULL);
	blk_drained_begin(c.blk);
	assert_int_equal(dev.begins, 1);
	blk_set_dev_ops(c.blk, &device_ops, &dev);
	assert_int_equal(dev.begins, 2);
	blk_drained_end(c.blk);
	assert_int_equal(dev.ends, 2);
	blk_set_dev_ops(c.blk, NULL, NULL);
	chain_free(&c);
}

static void device_idle_bh(void *opaque)
{
	((struct device *)opaque)->busy = false;
}

/* Begin waits while the device says that it still has something running. */
static void test_drain__waits_for_device(void **state)
{
	struct device dev = { .busy = true };
	struct chain c;

	chain_new(&c);
	blk_set_dev_ops(c.blk, &device_ops, &dev);
	aio_bh_schedule_oneshot(fixture_main(), device_idle_bh, &dev, "device_idle");
	blk_drained_begin(c.blk);
	assert_false(dev.busy);
	blk_drained_end(c.blk);
	blk_set_dev_ops(c.blk, NULL, NULL);
	chain_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drain__begin_waits_for_pending),
		cmocka_unit_test(test_drain__tells_driver_once),
		cmocka_unit_test(test_drain__quiesces_upward_only),
		cmocka_unit_test(test_drain__nests_in_all_combinations),
		cmocka_unit_test(test_drain__reaches_every_parent),
		cmocka_unit_test(test_drain__queues_in_order),
		cmocka_unit_test(test_drain__second_drain_keeps_queue),
		cmocka_unit_test(test_drain__end_does_not_poll),
		cmocka_unit_test(test_drain__ends_though_completions_submit),
		cmocka_unit_test(test_drain__waits_for_holds_of_other_threads),
		cmocka_unit_test(test_drain__spans_iothreads),
		cmocka_unit_test(test_drain__stands_under_load),
		cmocka_unit_test(test_drain__tells_device_once),
		cmocka_unit_test(test_drain__waits_for_device),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
