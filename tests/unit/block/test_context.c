// SPDX-License-Identifier: BSD-2-Clause
/* Graphs moving between event loops: who goes along, and who refuses (semantics.md 4, 7). */
#include "fixture.h"

#include <errno.h>

static void edge(struct BlockDriverState *parent, struct BlockDriverState *child)
{
	struct error err;

	assert_non_null(bdrv_attach_child(parent, child, &err));
}

/* An idle node goes main > a > b > main; its driver leaves and enters each time, once. */
static void test_context__moves_idle_node(void **state)
{
	struct BlockBackend *blk;
	struct hold *hold;
	unsigned int i;

	blk = backend(hold_new(&hold, NULL), "disk0");
	for (i = 1; i <= 3; i++) {
		move(blk, loops.ctx[i % 3]);
		assert_ptr_equal(bdrv_get_aio_context(hold->bs), loops.ctx[i % 3]);
		assert_int_equal(hold->attaches, i);
		assert_int_equal(hold->detaches, i);
	}
	assert_int_equal(hold->bs->quiesce_counter, 0);
	bdrv_unref(hold->bs);
	blk_unref(blk);
}

struct device {
	unsigned int begins, ends;
	struct BlockBackend *blk;
	struct AioContext *ctx_at_end;
};

static void device_begin(void *opaque)
{
	((struct device *)opaque)->begins++;
}

static void device_end(void *opaque)
{
	struct device *dev = opaque;

	dev->ends++;
	dev->ctx_at_end = blk_get_aio_context(dev->blk);
}

static const struct BlockDevOps device_ops = {
	.drained_begin = device_begin,
	.drained_end = device_end,
};

/*
 * A device is drained once around its own move, which it may make, and sees the new context at the
 * end.
 */
static void test_context__drains_device_around_move(void **state)
{
	struct device dev = { 0 };
	struct BlockBackend *blk;
	struct hold *hold;

	dev.blk = blk = backend(hold_new(&hold, NULL), "disk0");
	blk_set_dev_ops(blk, &device_ops, &dev);
	move(blk, loops.ctx[1]);
	assert_int_equal(dev.begins, 1);
	assert_int_equal(dev.ends, 1);
	assert_ptr_equal(dev.ctx_at_end, loops.ctx[1]);
	/* To where it is already: nobody is disturbed. */
	move(blk, loops.ctx[1]);
	assert_int_equal(dev.begins, 1);
	assert_int_equal(hold->drain_begins, 1);
	blk_set_dev_ops(blk, NULL, NULL);
	bdrv_unref(hold->bs);
	blk_unref(blk);
}

/* Whoever comes to a node in an iothread finds itself there: a filter, another backend. */
static void test_context__new_parents_follow(void **state)
{
	struct BlockBackend *blk, *second, *third;
	struct BlockDriverState *filter;
	struct error err;
	struct hold *hold;

	blk = backend(hold_new(&hold, NULL), "disk0");
	move(blk, loops.ctx[1]);
	filter = bdrv_delay_new(hold->bs, BDRV_DELAY_FIXED, 1, 0, &err);
	assert_non_null(filter);
	assert_ptr_equal(bdrv_get_aio_context(filter), loops.ctx[1]);
	second = backend(filter, "disk1");
	third = backend(hold->bs, "disk2");
	assert_ptr_equal(blk_get_aio_context(second), loops.ctx[1]);
	assert_ptr_equal(blk_get_aio_context(third), loops.ctx[1]);
	assert_int_equal(hold->attaches, 1);
	blk_unref(blk);
	blk_unref(third);
	blk_unref(second);
	bdrv_unref(filter);
	bdrv_unref(hold->bs);
}

/* When its last user goes, a node returns to the main context. */
static void test_context__returns_to_main_when_unused(void **state)
{
	struct BlockBackend *blk, *second;
	struct hold *hold;

	blk = backend(hold_new(&hold, NULL), "disk0");
	second = backend(hold->bs, "disk1");
	move(blk, loops.ctx[1]);
	blk_unref(blk);
	assert_ptr_equal(bdrv_get_aio_context(hold->bs), loops.ctx[1]);
	blk_unref(second);
	assert_ptr_equal(bdrv_get_aio_context(hold->bs), loops.ctx[0]);
	bdrv_unref(hold->bs);
}

/* A switch reaches a sibling through a common parent, and the way back does too. */
static void test_context__reaches_siblings(void **state)
{
	struct hold *left, *right, *top;
	struct BlockBackend *blk;

	hold_new(&left, NULL);
	hold_new(&right, NULL);
	hold_new(&top, NULL);
	edge(top->bs, left->bs);
	edge(top->bs, right->bs);
	blk = backend(left->bs, "disk0");
	move(blk, loops.ctx[1]);
	assert_ptr_equal(right->bs->ctx, loops.ctx[1]);
	assert_ptr_equal(top->bs->ctx, loops.ctx[1]);
	move(blk, loops.ctx[0]);
	assert_ptr_equal(right->bs->ctx, loops.ctx[0]);
	assert_ptr_equal(top->bs->ctx, loops.ctx[0]);
	blk_unref(blk);
	bdrv_unref(top->bs);
	bdrv_unref(left->bs);
	bdrv_unref(right->bs);
}

/* In a diamond, whichever corner the switch starts at, every node is switched once. */
static void test_context__switches_diamond_once(void **state)
{
	struct hold *top, *left, *right, *bottom, *all[4];
	struct BlockBackend *blk;
	unsigned int i, start;

	hold_new(&top, NULL);
	hold_new(&left, NULL);
	hold_new(&right, NULL);
	hold_new(&bottom, NULL);
	edge(left->bs, bottom->bs);
	edge(right->bs, bottom->bs);
	edge(top->bs, left->bs);
	edge(top->bs, right->bs);
	all[0] = top;
	all[1] = left;
	all[2] = right;
	all[3] = bottom;
	for (start = 0; start < 4; start++) {
		blk = backend(all[start]->bs, "disk0");
		move(blk, loops.ctx[1]);
		for (i = 0; i < 4; i++) {
			assert_ptr_equal(all[i]->bs->ctx, loops.ctx[1]);
			assert_int_equal(all[i]->attaches, 2 * start + 1);
			assert_int_equal(all[i]->detaches, 2 * start + 1);
			assert_int_equal(all[i]->bs->quiesce_counter, 0);
		}
		move(blk, loops.ctx[0]);
		blk_unref(blk);
	}
	bdrv_unref(top->bs);
	bdrv_unref(left->bs);
	bdrv_unref(right->bs);
	bdrv_unref(bottom->bs);
}

/*
 * A second child in another context is asked to come to its parent; where it cannot, it is not
 * taken.
 */
static void test_context__second_child_is_asked(void **state)
{
	struct device dev = { 0 };
	struct hold *top, *first, *second;
	struct BlockBackend *blk;
	struct error err;

	hold_new(&first, NULL);
	hold_new(&second, NULL);
	hold_new(&top, NULL);
	edge(top->bs, first->bs);
	dev.blk = blk = backend(second->bs, "disk0");
	move(blk, loops.ctx[1]);
	blk_set_dev_ops(blk, &device_ops, &dev);
	assert_null(bdrv_attach_child(top->bs, second->bs, &err));
	assert_ptr_equal(second->bs->ctx, loops.ctx[1]);
	blk_set_dev_ops(blk, NULL, NULL);
	assert_non_null(bdrv_attach_child(top->bs, second->bs, &err));
	assert_ptr_equal(second->bs->ctx, loops.ctx[0]);
	assert_ptr_equal(blk_get_aio_context(blk), loops.ctx[0]);
	blk_unref(blk);
	bdrv_unref(top->bs);
	bdrv_unref(first->bs);
	bdrv_unref(second->bs);
}

/* --- refusal --------------------------------------------------------------------------------- */

/* Another backend that a device uses refuses, and nothing has moved; if allowed it goes along. */
static void test_context__active_backend_refuses(void **state)
{
	struct device dev = { 0 };
	struct BlockBackend *blk, *active;
	struct BlockDriverState *filter;
	struct hold *hold;
	struct error err;

	hold_new(&hold, NULL);
	filter = bdrv_delay_new(hold->bs, BDRV_DELAY_FIXED, 1, 0, &err);
	assert_non_null(filter);
	blk = backend(filter, "disk0");
	dev.blk = active = backend(hold->bs, "disk1");
	blk_set_dev_ops(active, &device_ops, &dev);

	assert_int_equal(blk_set_aio_context(blk, loops.ctx[1], &err), -EPERM);
	assert_string_equal(err.msg, "disk1: Cannot change iothread of active block backend");
	assert_ptr_equal(blk_get_aio_context(blk), loops.ctx[0]);
	assert_ptr_equal(blk_get_aio_context(active), loops.ctx[0]);
	assert_ptr_equal(filter->ctx, loops.ctx[0]);
	assert_ptr_equal(hold->bs->ctx, loops.ctx[0]);
	assert_int_equal(hold->detaches, 0);
	assert_int_equal(dev.begins, dev.ends);
	assert_false(blk_in_drain(blk));

	blk_set_allow_aio_context_change(active, true);
	move(blk, loops.ctx[1]);
	assert_ptr_equal(blk_get_aio_context(active), loops.ctx[1]);
	assert_ptr_equal(dev.ctx_at_end, loops.ctx[1]);
	blk_set_dev_ops(active, NULL, NULL);
	blk_unref(active);
	blk_unref(blk);
	bdrv_unref(filter);
	bdrv_unref(hold->bs);
}

/* A parent of a kind we do not know, that hears whether it was asked and moved. */
struct stranger {
	bool refuses;
	unsigned int asked, moved, begins, ends;
};

static void stranger_begin(struct BdrvChild *child)
{
	((struct stranger *)child->parent)->begins++;
}

static void stranger_end(struct BdrvChild *child)
{
	((struct stranger *)child->parent)->ends++;
}

static bool stranger_poll(struct BdrvChild *child)
{
	return false;
}

static bool stranger_can_move(struct BdrvChild *child, struct AioContext *ctx,
			      struct bdrv_edge_set *visited, struct error *err)
{
	struct stranger *s = child->parent;

	s->asked++;
	if (s->refuses)
		error_set(err, -EPERM, "not me");
	return !s->refuses;
}

static void stranger_move(struct BdrvChild *child, struct AioContext *ctx,
			  struct bdrv_edge_set *ignore)
{
	((struct stranger *)child->parent)->moved++;
}

static const struct BdrvChildClass stranger_class = {
	.drained_begin = stranger_begin,
	.drained_end = stranger_end,
	.drained_poll = stranger_poll,
	.can_set_aio_context = stranger_can_move,
	.set_aio_context = stranger_move,
};

/* Each edge is asked once and moved once, after all were asked; an ignored one is not bothered. */
static void test_context__asks_each_edge_once(void **state)
{
	struct stranger s[2] = { { 0 }, { 0 } };
	struct BdrvChild *child[2];
	struct hold *hold;
	struct error err;

	hold_new(&hold, NULL);
	child[0] = bdrv_root_attach_child(hold->bs, &stranger_class, &s[0], &err);
	child[1] = bdrv_root_attach_child(hold->bs, &stranger_class, &s[1], &err);
	s[1].refuses = true;
	assert_int_equal(bdrv_child_try_set_aio_context(hold->bs, loops.ctx[1], NULL, &err),
			 -EPERM);
	assert_string_equal(err.msg, "not me");
	assert_int_equal(s[0].asked, 1);
	assert_int_equal(s[0].moved + s[1].moved, 0);
	assert_int_equal(s[0].begins, 1);
	assert_int_equal(s[0].ends, 1);

	assert_int_equal(bdrv_child_try_set_aio_context(hold->bs, loops.ctx[1], child[1], &err), 0);
	assert_int_equal(s[0].asked, 2);
	assert_int_equal(s[0].moved, 1);
	assert_int_equal(s[1].asked, 1);
	assert_int_equal(s[1].moved, 0);
	assert_int_equal(bdrv_child_try_set_aio_context(hold->bs, loops.ctx[0], child[1], &err), 0);
	bdrv_detach_child(child[0]);
	bdrv_detach_child(child[1]);
	bdrv_unref(hold->bs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context__moves_idle_node),
		cmocka_unit_test(test_context__drains_device_around_move),
		cmocka_unit_test(test_context__new_parents_follow),
		cmocka_unit_test(test_context__returns_to_main_when_unused),
		cmocka_unit_test(test_context__reaches_siblings),
		cmocka_unit_test(test_context__switches_diamond_once),
		cmocka_unit_test(test_context__second_child_is_asked),
		cmocka_unit_test(test_context__active_backend_refuses),
		cmocka_unit_test(test_context__asks_each_edge_once),
	};

	return cmocka_run_group_tests(tests, loops_setup, loops_teardown);
}
