// SPDX-License-Identifier: BSD-2-Clause
/*
 * Moving a graph between event loops (semantics.md 4): drain every node that would move, ask every
 * parent, then move, every edge once. Drained before asking, since draining polls and what was
 * answered before might not hold any more afterwards. Main context.
 */
#include "block_int.h"

#include <errno.h>
#include <stdlib.h>

void bdrv_edge_set_init(struct bdrv_edge_set *set)
{
	list_init(&set->edges);
}

bool bdrv_edge_set_add(struct bdrv_edge_set *set, struct BdrvChild *edge)
{
	if (!edge || list_linked(&edge->visited_node))
		return false;
	list_add_tail(&edge->visited_node, &set->edges);
	return true;
}

void bdrv_edge_set_release(struct bdrv_edge_set *set)
{
	while (!list_empty(&set->edges))
		list_del(set->edges.next);
}

/* --- ask ------------------------------------------------------------------------------------- */

bool bdrv_can_set_aio_context(struct BlockDriverState *bs, struct AioContext *ctx,
			      struct bdrv_edge_set *visited, struct error *err)
{
	struct BdrvChild *edge;

	if (bs->ctx == ctx)
		return true;
	list_for_each_entry(edge, &bs->parents, parents_node) {
		if (bdrv_edge_set_add(visited, edge) &&
		    !edge->klass->can_set_aio_context(edge, ctx, visited, err))
			return false;
	}
	list_for_each_entry(edge, &bs->children, children_node) {
		if (bdrv_edge_set_add(visited, edge) &&
		    !bdrv_can_set_aio_context(edge->bs, ctx, visited, err))
			return false;
	}
	return true;
}

/* --- move ------------------------------------------------------------------------------------ */

void bdrv_switch_aio_context(struct BlockDriverState *bs, struct AioContext *ctx)
{
	if (bs->drv->detach_aio_context)
		bs->drv->detach_aio_context(bs);
	bs->ctx = ctx;
	if (bs->drv->attach_aio_context)
		bs->drv->attach_aio_context(bs);
}

FRAME void bdrv_set_aio_context_ignore(struct BlockDriverState *bs, struct AioContext *ctx,
				       struct bdrv_edge_set *ignore)
{
	struct list_head todo = LIST_HEAD_INIT(todo);
	struct BdrvChild *edge;

	assert_main_context();
	if (bs->ctx == ctx)
		return;
	assert(bs->quiesce_counter > 0);

	/*
	 * All our edges go into the set before any is followed: a node reached a second time
	 * through one of them would be switched twice (QEMU 722d8e73d6).
	 */
	list_for_each_entry(edge, &bs->children, children_node) {
		if (bdrv_edge_set_add(ignore, edge))
			list_add_tail(&edge->todo_node, &todo);
	}
	list_for_each_entry(edge, &bs->parents, parents_node) {
		if (bdrv_edge_set_add(ignore, edge))
			list_add_tail(&edge->todo_node, &todo);
	}
	while (!list_empty(&todo)) {
		edge = list_first_entry(&todo, struct BdrvChild, todo_node);
		list_del(&edge->todo_node);
		if (edge->bs == bs)
			edge->klass->set_aio_context(edge, ctx, ignore);
		else
			bdrv_set_aio_context_ignore(edge->bs, ctx, ignore);
	}
	bdrv_switch_aio_context(bs, ctx);
}

/* --- the whole ------------------------------------------------------------------------------- */

/* The nodes of a graph, referenced: polling may drop others' references. */
struct bdrv_graph {
	struct BlockDriverState **nodes;
	size_t n, room;
};

static int bdrv_graph_add(struct bdrv_graph *graph, struct BlockDriverState *bs)
{
	struct BlockDriverState **nodes;
	size_t i, room;

	for (i = 0; i < graph->n; i++) {
		if (graph->nodes[i] == bs)
			return 0;
	}
	if (graph->n == graph->room) {
		room = graph->room ? 2 * graph->room : BDRV_MAX_DEPTH;
		nodes = realloc(graph->nodes, room * sizeof(*nodes));
		if (!nodes)
			return -ENOMEM;
		graph->nodes = nodes;
		graph->room = room;
	}
	bdrv_ref(bs);
	graph->nodes[graph->n++] = bs;
	return 0;
}

/* Everything that hangs together with bs. What was added is released by bdrv_graph_release. */
static int bdrv_graph_collect(struct bdrv_graph *graph, struct BlockDriverState *bs)
{
	struct BdrvChild *edge;
	int ret;
	size_t i;

	ret = bdrv_graph_add(graph, bs);
	for (i = 0; ret == 0 && i < graph->n; i++) {
		list_for_each_entry(edge, &graph->nodes[i]->children, children_node) {
			if (ret == 0)
				ret = bdrv_graph_add(graph, edge->bs);
		}
		list_for_each_entry(edge, &graph->nodes[i]->parents, parents_node) {
			if (ret == 0 && edge->klass == &bdrv_child_of_node)
				ret = bdrv_graph_add(graph, edge->parent);
		}
	}
	return ret;
}

static bool bdrv_graph_drain_poll(const struct bdrv_graph *graph)
{
	size_t i;

	for (i = 0; i < graph->n; i++) {
		if (bdrv_drain_poll(graph->nodes[i]))
			return true;
	}
	return false;
}

static void bdrv_graph_drained_begin(const struct bdrv_graph *graph)
{
	size_t i;

	for (i = 0; i < graph->n; i++)
		bdrv_drained_begin_no_poll(graph->nodes[i]);
	AIO_WAIT_WHILE(bdrv_graph_drain_poll(graph));
}

static void bdrv_graph_drained_end(const struct bdrv_graph *graph)
{
	size_t i;

	for (i = graph->n; i-- > 0;)
		bdrv_drained_end(graph->nodes[i]);
}

static void bdrv_graph_release(struct bdrv_graph *graph)
{
	while (graph->n > 0)
		bdrv_unref(graph->nodes[--graph->n]);
	free(graph->nodes);
}

FRAME int bdrv_child_try_set_aio_context(struct BlockDriverState *bs, struct AioContext *ctx,
					 struct BdrvChild *ignore_child, struct error *err)
{
	struct bdrv_edge_set visited, ignore;
	struct bdrv_graph graph = { 0 };
	bool may = true;
	int ret = 0;

	assert_main_context();
	/* Nobody is disturbed for a move that is none. */
	if (bs->ctx != ctx)
		ret = bdrv_graph_collect(&graph, bs);
	if (ret < 0) {
		bdrv_graph_release(&graph);
		return error_set(err, ret, "no memory to move a block graph");
	}
	bdrv_graph_drained_begin(&graph);

	bdrv_edge_set_init(&visited);
	bdrv_edge_set_add(&visited, ignore_child);
	may = bdrv_can_set_aio_context(bs, ctx, &visited, err);
	bdrv_edge_set_release(&visited);
	if (may) {
		bdrv_edge_set_init(&ignore);
		bdrv_edge_set_add(&ignore, ignore_child);
		bdrv_set_aio_context_ignore(bs, ctx, &ignore);
		bdrv_edge_set_release(&ignore);
	}

	bdrv_graph_drained_end(&graph);
	bdrv_graph_release(&graph);
	return may ? 0 : -EPERM;
}
