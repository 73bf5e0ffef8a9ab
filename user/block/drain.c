// SPDX-License-Identifier: BSD-2-Clause
/*
 * Drained sections (semantics.md 4.4). Quiescing runs from a node up to all its parents: they stop
 * issuing, then the main context is run until nothing is in flight above the node. Requests may run
 * in iothreads meanwhile; what they bring to an end kicks the wait. Ending never polls. Main
 * context.
 */
#include "block_int.h"

void bdrv_parent_drained_begin(struct BdrvChild *edge)
{
	assert(!edge->quiesced_parent);
	edge->quiesced_parent = true;
	edge->klass->drained_begin(edge);
}

void bdrv_parent_drained_end(struct BdrvChild *edge)
{
	assert(edge->quiesced_parent);
	edge->quiesced_parent = false;
	edge->klass->drained_end(edge);
}

void bdrv_drained_begin_no_poll(struct BlockDriverState *bs)
{
	struct BdrvChild *edge;

	assert_main_context();
	if (bs->quiesce_counter++ > 0)
		return;
	list_for_each_entry(edge, &bs->parents, parents_node)
		bdrv_parent_drained_begin(edge);
	if (bs->drv->drain_begin)
		bs->drv->drain_begin(bs);
}

bool bdrv_drain_poll(const struct BlockDriverState *bs)
{
	struct BdrvChild *edge;

	list_for_each_entry(edge, &bs->parents, parents_node) {
		if (edge->klass->drained_poll(edge))
			return true;
	}
	return false;
}

void bdrv_drained_begin(struct BlockDriverState *bs)
{
	bdrv_drained_begin_no_poll(bs);
	AIO_WAIT_WHILE(bdrv_drain_poll(bs));
}

void bdrv_drained_end(struct BlockDriverState *bs)
{
	struct BdrvChild *edge;

	assert_main_context();
	assert(bs->quiesce_counter > 0);
	if (--bs->quiesce_counter > 0)
		return;
	if (bs->drv->drain_end)
		bs->drv->drain_end(bs);
	list_for_each_entry(edge, &bs->parents, parents_node)
		bdrv_parent_drained_end(edge);
}

/* --- a node as the parent of an edge --------------------------------------------------------- */

static void bdrv_child_drained_begin(struct BdrvChild *edge)
{
	bdrv_drained_begin_no_poll(edge->parent);
}

static bool bdrv_child_drained_poll(struct BdrvChild *edge)
{
	return bdrv_drain_poll(edge->parent);
}

static void bdrv_child_drained_end(struct BdrvChild *edge)
{
	bdrv_drained_end(edge->parent);
}

static bool bdrv_child_can_set_aio_context(struct BdrvChild *edge, struct AioContext *ctx,
					   struct bdrv_edge_set *visited, struct error *err)
{
	return bdrv_can_set_aio_context(edge->parent, ctx, visited, err);
}

static void bdrv_child_set_aio_context(struct BdrvChild *edge, struct AioContext *ctx,
				       struct bdrv_edge_set *ignore)
{
	bdrv_set_aio_context_ignore(edge->parent, ctx, ignore);
}

const struct BdrvChildClass bdrv_child_of_node = {
	.drained_begin = bdrv_child_drained_begin,
	.drained_poll = bdrv_child_drained_poll,
	.drained_end = bdrv_child_drained_end,
	.can_set_aio_context = bdrv_child_can_set_aio_context,
	.set_aio_context = bdrv_child_set_aio_context,
};
