// SPDX-License-Identifier: BSD-2-Clause
/* Copies of the maps. The programs go on writing: each value is whole, values may be of slightly
 * different moments. */
#include "kernel_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>

/* Room for one more in a growing array. */
static int grow(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t larger = *room ? *room * 2 : 256;
	void *p;

	if (n < *room)
		return 0;
	p = realloc(*array, larger * size);
	if (!p)
		return -ENOMEM;
	*array = p;
	*room = larger;
	return 0;
}

/*
 * Appends every entry of a hash, key and value side by side, to a growing array. Keys are never
 * deleted, so the walk sees each once; the bound holds in any case.
 */
struct table {
	int map;
	size_t value_offset, entry_size;
	uint32_t max;
};

static int read_table(const struct table *t, void **array, uint32_t *n, uint32_t *room)
{
	char *entry, *last;
	int ret;

	*n = 0;
	while (*n < t->max) {
		ret = grow(array, *n, room, t->entry_size);
		if (ret)
			return ret;
		entry = (char *)*array + *n * t->entry_size;
		last = *n ? entry - t->entry_size : NULL;
		if (bpf_map_get_next_key(t->map, last, entry))
			break;
		if (bpf_map_lookup_elem(t->map, entry, entry + t->value_offset))
			return -errno;
		(*n)++;
	}
	return 0;
}

#define TABLE(map_name, type, value, most)                                                         \
	&(const struct table)                                                                      \
	{                                                                                          \
		.map = bpf_map__fd(k->skel->maps.map_name),                                        \
		.value_offset = offsetof(struct type, value), .entry_size = sizeof(struct type),   \
		.max = most                                                                        \
	}

static int read_tables(struct kernel *k, struct kernel_view *v)
{
	int ret;

	ret = read_table(TABLE(kicks, kernel_kick, state, MODEL_MAX_KICK_KEYS), (void **)&v->kick,
			 &v->n_kicks, &v->kicks_room);
	if (!ret)
		ret = read_table(TABLE(irqs, kernel_irq, state, MODEL_MAX_IRQ_SETS),
				 (void **)&v->irq, &v->n_irqs, &v->irqs_room);
	if (!ret)
		ret = read_table(TABLE(exits, kernel_exit, count, MODEL_MAX_EXITS),
				 (void **)&v->exit, &v->n_exits, &v->exits_room);
	return ret;
}

/*
 * A row is the first part of a state, the rest of which is the programs' own. A thread that ends
 * under the walk may take its state along, and the walk begins anew: so each is taken once, and the
 * steps are bounded.
 */
static int read_threads(struct kernel *k, struct kernel_view *v)
{
	const struct bpf_map *map = k->skel->maps.thread_states;
	void *state = malloc(bpf_map__value_size(map));
	int fd = bpf_map__fd(map), steps;
	uint32_t tid, last = 0;

	if (!state)
		return -ENOMEM;
	v->n_threads = 0;
	for (steps = 0; steps < 2 * MODEL_MAX_THREADS && v->n_threads < MODEL_MAX_THREADS;
	     steps++) {
		if (bpf_map_get_next_key(fd, steps ? &last : NULL, &tid))
			break;
		last = tid;
		if (kernel_view_thread(v, tid) || bpf_map_lookup_elem(fd, &tid, state))
			continue;
		memcpy(&v->thread[v->n_threads++], state, sizeof(v->thread[0]));
	}
	free(state);
	return 0;
}

static void read_votes(struct kernel *k, struct kernel_view *v)
{
	int fd = bpf_map__fd(k->skel->maps.votes);
	const struct irq_vote *last = NULL;

	v->n_votes = 0;
	while (v->n_votes < MODEL_MAX_VOTES &&
	       !bpf_map_get_next_key(fd, last, &v->vote[v->n_votes].vote) &&
	       !bpf_map_lookup_elem(fd, &v->vote[v->n_votes].vote, &v->vote[v->n_votes].count))
		last = &v->vote[v->n_votes++].vote;
}

int kernel_read(struct kernel *k, struct kernel_view *view)
{
	const struct trace_seen *seen = &k->skel->bss->seen;
	int ret, i;

	ret = read_tables(k, view);
	if (!ret)
		ret = read_threads(k, view);
	if (ret)
		return ret;
	view->hists = k->hists;
	view->loop_hists = k->loop_hists;
	view->waits = &k->skel->bss->loop_waits;
	if (k->config.foreign) {
		memcpy(view->queue, k->queues, sizeof(view->queue));
		read_votes(k, view);
	}
	view->seen.signals_inferred = __atomic_load_n(&seen->signals_inferred, __ATOMIC_RELAXED);
	view->seen.signals_untold = __atomic_load_n(&seen->signals_untold, __ATOMIC_RELAXED);
	view->seen.injects_inferred = __atomic_load_n(&seen->injects_inferred, __ATOMIC_RELAXED);
	view->seen.handlers_unowned = __atomic_load_n(&seen->handlers_unowned, __ATOMIC_RELAXED);
	for (i = 0; i < LOSSES; i++)
		view->loss[i] = __atomic_load_n(&k->skel->bss->losses[i], __ATOMIC_RELAXED);
	return 0;
}

void kernel_view_release(struct kernel_view *view)
{
	free(view->kick);
	free(view->irq);
	free(view->exit);
	memset(view, 0, sizeof(*view));
}

/* min_ns is kept + 1 (hist.bpf.c); the count is what the buckets say, so that one copy agrees with
 * itself. */
void kernel_hist_read(const struct hist *shared, struct hist *out)
{
	unsigned int i;

	memset(out, 0, sizeof(*out));
	for (i = 0; i < HIST_BUCKETS; i++) {
		out->bucket[i] = __atomic_load_n(&shared->bucket[i], __ATOMIC_RELAXED);
		out->count += out->bucket[i];
	}
	if (!out->count)
		return;
	out->sum_ns = __atomic_load_n(&shared->sum_ns, __ATOMIC_RELAXED);
	out->max_ns = __atomic_load_n(&shared->max_ns, __ATOMIC_RELAXED);
	out->min_ns = __atomic_load_n(&shared->min_ns, __ATOMIC_RELAXED);
	out->min_ns -= out->min_ns != 0;
}

void kernel_stage_hist(const struct kernel_view *view, uint32_t row, enum stage stage,
		       struct hist *out)
{
	if (row < MODEL_MAX_QUEUES && stage < KICK_STAGES)
		kernel_hist_read(&view->hists[row * KICK_STAGES + stage], out);
	else
		memset(out, 0, sizeof(*out));
}

void kernel_loop_hist(const struct kernel_view *view, const struct thread_row *thread,
		      enum loop_hist which, struct hist *out)
{
	uint32_t place = thread->loop.hists;

	if (view->loop_hists && place && place <= MODEL_MAX_LOOPS)
		kernel_hist_read(&view->loop_hists[(place - 1) * LOOP_HISTS + which], out);
	else
		memset(out, 0, sizeof(*out));
}

/* What was overwritten meanwhile is taken out again. */
uint32_t kernel_waits(const struct kernel_view *view, struct loop_wait *out, uint64_t *total)
{
	uint64_t i, first, kept;
	uint32_t n = 0;

	*total = 0;
	if (!view->waits)
		return 0;
	*total = __atomic_load_n(&view->waits->n, __ATOMIC_ACQUIRE);
	first = *total > LOOP_WAITS ? *total - LOOP_WAITS : 0;
	for (i = first; i < *total; i++)
		out[n++] = view->waits->wait[i % LOOP_WAITS];
	kept = __atomic_load_n(&view->waits->n, __ATOMIC_ACQUIRE);
	kept = kept > LOOP_WAITS ? MIN(kept - LOOP_WAITS, *total) : 0;
	if (kept <= first)
		return n;
	n = (uint32_t)(*total - kept);
	memmove(out, out + (kept - first), n * sizeof(*out));
	return n;
}

const struct thread_row *kernel_view_thread(const struct kernel_view *view, uint32_t tid)
{
	uint32_t i;

	for (i = 0; tid && i < view->n_threads; i++)
		if (view->thread[i].tid == tid)
			return &view->thread[i];
	return NULL;
}
