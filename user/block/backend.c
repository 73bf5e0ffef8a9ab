// SPDX-License-Identifier: BSD-2-Clause
/*
 * BlockBackend: what a device holds of the graph. Its life, its part in drained sections, and its
 * way into another AioContext (path C of design.md). Requests: request.c. Main context, but for the
 * getters and in_flight.
 */
#include "block_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct BlockBackend *blk_new(const char *name, struct BlockDriverState *root, struct error *err)
{
	struct BlockBackend *blk;

	assert_main_context();
	blk = calloc(1, sizeof(*blk));
	if (!blk)
		goto no_memory;
	blk->name = strdup(name);
	if (!blk->name)
		goto no_memory;
	list_init(&blk->queued);
	pthread_mutex_init(&blk->queue_lock, NULL);
	atomic_init(&blk->ctx, root->ctx);
	blk->root = bdrv_root_attach_child(root, &blk_child_of_backend, blk, err);
	if (!blk->root)
		goto fail;
	return blk;

no_memory:
	error_set(err, -ENOMEM, "%s: no memory for a block backend", name);
fail:
	if (blk)
		free(blk->name);
	free(blk);
	return NULL;
}

/* From now on nothing is queued, and what is queued already comes back with -ECANCELED. */
static void blk_close_queue(struct BlockBackend *blk)
{
	pthread_mutex_lock(&blk->queue_lock);
	blk->closing = true;
	pthread_mutex_unlock(&blk->queue_lock);
	blk_resume_queued(blk);
}

void blk_unref(struct BlockBackend *blk)
{
	struct BlockDriverState *bs;

	if (!blk)
		return;
	assert_main_context();
	bs = blk->root->bs;
	bdrv_ref(bs);
	blk->dev_ops = NULL;
	blk_close_queue(blk);
	bdrv_drained_begin(bs);
	bdrv_detach_child(blk->root);
	if (list_empty(&bs->parents)) {
		struct error err;

		/*
		 * A device that uses a node below from elsewhere may refuse: then all stay
		 * there.
		 */
		if (bdrv_child_try_set_aio_context(bs, main_loop_aio_context_any(), NULL, &err) < 0)
			log_debug("%s: %s", blk->name, err.msg);
	}
	bdrv_drained_end(bs);
	bdrv_unref(bs);
	assert(atomic_load(&blk->in_flight) == 0);
	pthread_mutex_destroy(&blk->queue_lock);
	free(blk->name);
	free(blk);
}

const char *blk_name(const struct BlockBackend *blk)
{
	return blk->name;
}

struct BlockDriverState *blk_bs(const struct BlockBackend *blk)
{
	return blk->root->bs;
}

void blk_set_dev_ops(struct BlockBackend *blk, const struct BlockDevOps *ops, void *opaque)
{
	assert_main_context();
	blk->dev_ops = ops;
	blk->dev_opaque = opaque;
	if (ops && blk_in_drain(blk))
		ops->drained_begin(opaque);
}

void blk_set_allow_aio_context_change(struct BlockBackend *blk, bool allow)
{
	assert_main_context();
	blk->allow_aio_context_change = allow;
}

int64_t blk_getlength(const struct BlockBackend *blk)
{
	return blk->root->bs->length_bytes;
}

bool blk_is_read_only(const struct BlockBackend *blk)
{
	return blk->root->bs->read_only;
}

unsigned int blk_request_alignment(const struct BlockBackend *blk)
{
	return blk->root->bs->request_alignment;
}

bool blk_in_drain(const struct BlockBackend *blk)
{
	return atomic_load(&blk->quiesced);
}

void blk_drained_begin(struct BlockBackend *blk)
{
	bdrv_drained_begin(blk->root->bs);
}

void blk_drained_end(struct BlockBackend *blk)
{
	bdrv_drained_end(blk->root->bs);
}

/* --- the context ----------------------------------------------------------------------------- */

struct AioContext *blk_get_aio_context(const struct BlockBackend *blk)
{
	return atomic_load(&blk->ctx);
}

/* Our own context changes with the root's, inside one drained section: nobody sees them differ. */
static FRAME int blk_do_set_aio_context(struct BlockBackend *blk, struct AioContext *ctx,
					struct error *err)
{
	struct BlockDriverState *bs = blk->root->bs;
	bool moves = bs->ctx != ctx;
	int ret;

	if (moves)
		bdrv_drained_begin(bs);
	ret = bdrv_child_try_set_aio_context(bs, ctx, blk->root, err);
	if (ret == 0)
		atomic_store(&blk->ctx, ctx);
	if (moves)
		bdrv_drained_end(bs);
	return ret;
}

FRAME int blk_set_aio_context(struct BlockBackend *blk, struct AioContext *ctx, struct error *err)
{
	assert_main_context();
	return blk_do_set_aio_context(blk, ctx, err);
}

/* --- the backend as the parent of an edge ---------------------------------------------------- */

static void blk_root_drained_begin(struct BdrvChild *edge)
{
	struct BlockBackend *blk = edge->parent;

	/* Pairs with blk_start: we raise this and then read in_flight, it does the reverse. */
	atomic_store(&blk->quiesced, true);
	if (blk->dev_ops)
		blk->dev_ops->drained_begin(blk->dev_opaque);
}

static bool blk_root_drained_poll(struct BdrvChild *edge)
{
	struct BlockBackend *blk = edge->parent;

	if (blk->dev_ops && blk->dev_ops->drained_poll &&
	    blk->dev_ops->drained_poll(blk->dev_opaque))
		return true;
	return atomic_load(&blk->in_flight) > 0;
}

static void blk_root_drained_end(struct BdrvChild *edge)
{
	struct BlockBackend *blk = edge->parent;

	atomic_store(&blk->quiesced, false);
	if (blk->dev_ops)
		blk->dev_ops->drained_end(blk->dev_opaque);
	blk_resume_queued(blk);
}

static bool blk_root_can_set_aio_context(struct BdrvChild *edge, struct AioContext *ctx,
					 struct bdrv_edge_set *visited, struct error *err)
{
	struct BlockBackend *blk = edge->parent;

	if (!blk->dev_ops || blk->allow_aio_context_change)
		return true;
	error_set(err, -EPERM, "%s: Cannot change iothread of active block backend", blk->name);
	return false;
}

static void blk_root_set_aio_context(struct BdrvChild *edge, struct AioContext *ctx,
				     struct bdrv_edge_set *ignore)
{
	struct BlockBackend *blk = edge->parent;

	atomic_store(&blk->ctx, ctx);
}

const struct BdrvChildClass blk_child_of_backend = {
	.drained_begin = blk_root_drained_begin,
	.drained_poll = blk_root_drained_poll,
	.drained_end = blk_root_drained_end,
	.can_set_aio_context = blk_root_can_set_aio_context,
	.set_aio_context = blk_root_set_aio_context,
};
