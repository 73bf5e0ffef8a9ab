/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of user/block share: nodes, edges, backends, and the table a driver fills. All of
 * it belongs to the main context, but for the fields that name other threads.
 */
#ifndef BLOCK_INT_H
#define BLOCK_INT_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <handoff/block.h>
#include <handoff/list.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>

/*
 * Graph, drain and context switches are for the main context alone: iothreads never take the
 * BQL.
 */
#define assert_main_context() assert(aio_in_home_thread_any(main_loop_aio_context_any()))

/* --- nodes ----------------------------------------------------------------------------------- */

struct BlockDriver {
	const char *name;
	/* Starts a request; bdrv_complete once, later, never inline. Node's context. */
	void (*submit)(struct BlockDriverState *bs, struct BlkRequest *req);
	/* First begin, last end. Must neither poll nor change the graph. May be NULL. */
	void (*drain_begin)(struct BlockDriverState *bs);
	void (*drain_end)(struct BlockDriverState *bs);
	/* bs->ctx is the context left or entered; nothing is in flight. May be NULL. */
	void (*detach_aio_context)(struct BlockDriverState *bs);
	void (*attach_aio_context)(struct BlockDriverState *bs);
	/* Frees opaque; children are gone already, the context is detached. May be NULL. */
	void (*close)(struct BlockDriverState *bs);
};

struct BlockDriverState {
	const struct BlockDriver *drv;
	void *opaque;
	int64_t length_bytes; /* these three never change after construction */
	bool read_only;
	unsigned int request_alignment; /* see blk_request_alignment; 1 for none */

	struct AioContext *ctx; /* changes only while drained, so requests may read it */
	unsigned int refcnt;
	unsigned int depth; /* nodes on the longest way down from here, this one included */
	unsigned int quiesce_counter; /* drained sections open on this node */
	struct list_head parents;     /* BdrvChild.parents_node: edges that point here */
	struct list_head children;    /* BdrvChild.children_node: edges that start here */
};

/*
 * One reference, in the main context, length 0. Takes over opaque; on failure (NULL) it does
 * not.
 */
struct BlockDriverState *bdrv_new(const struct BlockDriver *drv, void *opaque, struct error *err);

/* Down: hands req to bs; complete is called when bs is done with it. */
static inline void bdrv_submit(struct BlockDriverState *bs, struct BlkRequest *req,
			       void (*complete)(struct BlkRequest *req, int ret))
{
	assert(req->depth < BDRV_MAX_DEPTH);
	req->frame[req->depth].complete = complete;
	req->frame[req->depth].bs = bs;
	req->depth++;
	bs->drv->submit(bs, req);
}

/* Up: the node that holds req is done with it. */
static inline void bdrv_complete(struct BlkRequest *req, int ret)
{
	assert(req->depth > 0);
	req->depth--;
	req->frame[req->depth].complete(req, ret);
}

/* The node that holds req. */
static inline struct BlockDriverState *bdrv_request_node(const struct BlkRequest *req)
{
	return req->frame[req->depth - 1].bs;
}

/* bdrv_complete from ctx's next turn, for results known at once. Uses req->timer. */
void bdrv_complete_later(struct AioContext *ctx, struct BlkRequest *req, int ret);

/* --- edges ----------------------------------------------------------------------------------- */

/*
 * How an edge speaks to its parent. Drain callbacks come in pairs for each edge; none of them polls
 * or changes the graph.
 */
struct BdrvChildClass {
	void (*drained_begin)(struct BdrvChild *edge);
	bool (*drained_poll)(struct BdrvChild *edge); /* true: the parent has requests in flight */
	void (*drained_end)(struct BdrvChild *edge);
	/* Would the parent, and all that hangs on it, go along to ctx? If not: err. */
	bool (*can_set_aio_context)(struct BdrvChild *edge, struct AioContext *ctx,
				    struct bdrv_edge_set *visited, struct error *err);
	void (*set_aio_context)(struct BdrvChild *edge, struct AioContext *ctx,
				struct bdrv_edge_set *ignore);
};

struct BdrvChild {
	struct BlockDriverState *bs; /* the child; the edge holds a reference */
	const struct BdrvChildClass *klass;
	void *parent;
	bool quiesced_parent; /* drained_begin was called and drained_end was not */
	struct list_head parents_node, children_node;
	struct list_head visited_node, todo_node; /* of a context switch under way */
};

/*
 * Edges a pass over the graph has been through. An edge is in one set at most: there is one pass at
 * a time, in the main context, without polling. So it needs no memory and a pass cannot fail.
 */
struct bdrv_edge_set {
	struct list_head edges;
};

void bdrv_edge_set_init(struct bdrv_edge_set *set);
/* False if it was in the set already. NULL is ignored (false). */
bool bdrv_edge_set_add(struct bdrv_edge_set *set, struct BdrvChild *edge);
void bdrv_edge_set_release(struct bdrv_edge_set *set);

/*
 * An edge from a parent that is no node (a backend). If bs is drained, so is the parent from now
 * on; it has nothing in flight yet. NULL with err without memory.
 */
struct BdrvChild *bdrv_root_attach_child(struct BlockDriverState *bs,
					 const struct BdrvChildClass *klass, void *parent,
					 struct error *err);
/*
 * An edge between nodes; parent is under construction, with nobody above it. For its first child it
 * follows to the child's context, further children are asked to follow it. NULL with err if one
 * refuses, if the graph gets too deep, or without memory.
 */
struct BdrvChild *bdrv_attach_child(struct BlockDriverState *parent, struct BlockDriverState *child,
				    struct error *err);
/* Ends what the edge has drained in its parent and drops the reference. */
void bdrv_detach_child(struct BdrvChild *edge);

extern const struct BdrvChildClass bdrv_child_of_node;

/* --- drain (drain.c) ------------------------------------------------------------------------- */

void bdrv_drained_begin_no_poll(struct BlockDriverState *bs);
bool bdrv_drain_poll(const struct BlockDriverState *bs);
void bdrv_parent_drained_begin(struct BdrvChild *edge);
void bdrv_parent_drained_end(struct BdrvChild *edge);

/* --- context (context.c) --------------------------------------------------------------------- */

bool bdrv_can_set_aio_context(struct BlockDriverState *bs, struct AioContext *ctx,
			      struct bdrv_edge_set *visited, struct error *err);
/* The node alone: for context.c, and for a new one that has no neighbours yet. */
void bdrv_switch_aio_context(struct BlockDriverState *bs, struct AioContext *ctx);

/* --- backends -------------------------------------------------------------------------------- */

struct BlockBackend {
	char *name;
	struct BdrvChild *root;
	_Atomic(struct AioContext *) ctx; /* the root's; changes only while drained */
	const struct BlockDevOps *dev_ops;
	void *dev_opaque;
	bool allow_aio_context_change;

	/*
	 * Requests and holds, from any thread. Every request enters the graph through a backend, so
	 * this is the only place that counts it: nodes do not.
	 */
	atomic_uint in_flight;
	/* Written where requests end, in the backend's context. */
	struct blk_counters counters[BLK_REQUEST_TYPES];
	/* The root is drained; it counts how often. Written by the main context. */
	atomic_bool quiesced;

	pthread_mutex_t queue_lock; /* taken only while drained or resuming */
	struct list_head queued;    /* BlkRequest.node, in order of arrival */
	bool closing;		    /* nothing is queued any more; under queue_lock */
};

extern const struct BdrvChildClass blk_child_of_backend;

/* Takes up what a drain has queued, from the backend's context. */
void blk_resume_queued(struct BlockBackend *blk);

#endif
