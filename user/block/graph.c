// SPDX-License-Identifier: BSD-2-Clause
/*
 * Life of nodes, and the edges between them. Main context only. An edge that is made while its
 * child is drained drains its parent, one that goes ends what it drained (semantics.md 4.4, 7).
 */
#include "block_int.h"

#include <errno.h>
#include <stdlib.h>

struct BlockDriverState *bdrv_new(const struct BlockDriver *drv, void *opaque, struct error *err)
{
	struct BlockDriverState *bs;

	assert_main_context();
	bs = calloc(1, sizeof(*bs));
	if (!bs) {
		error_set(err, -ENOMEM, "%s: no memory for a block node", drv->name);
		return NULL;
	}
	bs->drv = drv;
	bs->opaque = opaque;
	bs->request_alignment = 1;
	bs->refcnt = 1;
	bs->depth = 1;
	list_init(&bs->parents);
	list_init(&bs->children);
	bs->ctx = main_loop_aio_context_any();
	if (drv->attach_aio_context)
		drv->attach_aio_context(bs);
	return bs;
}

void bdrv_ref(struct BlockDriverState *bs)
{
	assert_main_context();
	bs->refcnt++;
}

/* Without parents there are no requests, so nothing needs to be drained. */
static void bdrv_delete(struct BlockDriverState *bs)
{
	struct BdrvChild *edge, *next;

	assert(list_empty(&bs->parents));
	list_for_each_entry_safe(edge, next, &bs->children, children_node)
		bdrv_detach_child(edge);
	/* After the children: a drained one had us drained too. */
	assert(bs->quiesce_counter == 0);
	if (bs->drv->detach_aio_context)
		bs->drv->detach_aio_context(bs);
	if (bs->drv->close)
		bs->drv->close(bs);
	free(bs);
}

void bdrv_unref(struct BlockDriverState *bs)
{
	if (!bs)
		return;
	assert_main_context();
	assert(bs->refcnt > 0);
	if (--bs->refcnt == 0)
		bdrv_delete(bs);
}

struct BdrvChild *bdrv_root_attach_child(struct BlockDriverState *bs,
					 const struct BdrvChildClass *klass, void *parent,
					 struct error *err)
{
	struct BdrvChild *edge;

	assert_main_context();
	edge = calloc(1, sizeof(*edge));
	if (!edge) {
		error_set(err, -ENOMEM, "%s: no memory for an edge of the block graph",
			  bs->drv->name);
		return NULL;
	}
	edge->bs = bs;
	edge->klass = klass;
	edge->parent = parent;
	list_init(&edge->children_node);
	list_init(&edge->visited_node);
	list_init(&edge->todo_node);
	bdrv_ref(bs);
	list_add_tail(&edge->parents_node, &bs->parents);
	if (bs->quiesce_counter > 0) {
		bdrv_parent_drained_begin(edge);
		assert(!klass->drained_poll(edge));
	}
	return edge;
}

/* Both nodes into one context: a parent without ties follows, else the child is asked. */
static int bdrv_join_contexts(struct BlockDriverState *parent, struct BlockDriverState *child,
			      struct error *err)
{
	if (parent->ctx == child->ctx)
		return 0;
	if (list_empty(&parent->children)) {
		bdrv_switch_aio_context(parent, child->ctx);
		return 0;
	}
	return bdrv_child_try_set_aio_context(child, parent->ctx, NULL, err);
}

struct BdrvChild *bdrv_attach_child(struct BlockDriverState *parent, struct BlockDriverState *child,
				    struct error *err)
{
	struct BdrvChild *edge;

	assert(list_empty(&parent->parents));
	if (child->depth >= BDRV_MAX_DEPTH) {
		error_set(err, -E2BIG, "%s: more than %d block nodes on top of each other",
			  parent->drv->name, BDRV_MAX_DEPTH);
		return NULL;
	}
	if (bdrv_join_contexts(parent, child, err) < 0)
		return NULL;
	edge = bdrv_root_attach_child(child, &bdrv_child_of_node, parent, err);
	if (!edge)
		return NULL;
	list_add_tail(&edge->children_node, &parent->children);
	parent->depth = MAX(parent->depth, child->depth + 1);
	return edge;
}

void bdrv_detach_child(struct BdrvChild *edge)
{
	assert_main_context();
	assert(!list_linked(&edge->visited_node));
	list_del(&edge->parents_node);
	list_del(&edge->children_node);
	if (edge->quiesced_parent)
		bdrv_parent_drained_end(edge);
	bdrv_unref(edge->bs);
	free(edge);
}

int64_t bdrv_getlength(const struct BlockDriverState *bs)
{
	return bs->length_bytes;
}

struct AioContext *bdrv_get_aio_context(const struct BlockDriverState *bs)
{
	return bs->ctx;
}

const char *bdrv_get_format_name(const struct BlockDriverState *bs)
{
	return bs->drv->name;
}

/* No driver of ours has several children. */
struct BlockDriverState *bdrv_filter_bs(const struct BlockDriverState *bs)
{
	if (list_empty(&bs->children))
		return NULL;
	return list_first_entry(&bs->children, struct BdrvChild, children_node)->bs;
}

bool bdrv_is_read_only(const struct BlockDriverState *bs)
{
	return bs->read_only;
}
