// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Where the queues of a VMM that is not ours are: run by the tracer (kernel_bind) with what it
 * found out in `binding`. The only writer of what it writes here.
 */
#include "place.h"

static __always_inline bool same_way(const struct kick_key *a, const struct kick_key *b)
{
	return a->gpa == b->gpa && a->bus == b->bus && a->value == b->value;
}

static __always_inline bool has_way(const struct queue_ways *ways, const struct kick_key *key)
{
	__u32 i;

	for (i = 0; i < QUEUE_WAYS && i < ways->n; i++)
		if (same_way(&ways->way[i], key))
			return true;
	return false;
}

/* What is counted there stays with the row. */
static __always_inline void way_leave(__u32 row, const struct kick_key *key)
{
	struct kick_state *state = bpf_map_lookup_elem(&kicks, key);

	if (!state || state->row != row + 1)
		return;
	if (state->kicks)
		address_leave(key, state);
	else
		state->row = 0;
}

/* Kicks that came before anybody said whose they are have been consumed by nobody we saw: one may
 * be waiting. */
static __always_inline void way_adopt(struct kick_state *state)
{
	__u64 pending;
	int i;

	for (i = 0; i < RACES; i++) {
		pending = state->pending;
		if (pending <= 1 ||
		    __sync_val_compare_and_swap(&state->pending, pending, 1) == pending)
			break;
	}
	state->first_ns = state->pending ? state->last_ns : 0;
}

static __always_inline void way_take(__u32 row, const struct kick_key *key)
{
	struct kick_key address = { .gpa = key->gpa, .bus = key->bus & ~BUS_BY_VALUE };
	struct kick_state *state;

	if (key->bus & BUS_BY_VALUE) {
		state = kick_find_or_make(&address, true);
		if (state)
			state->by_value = 1;
	}
	state = bpf_map_lookup_elem(&kicks, key);
	if (state && state->row == row + 1)
		return;
	if (state && state->row && state->kicks)
		address_leave(key, state);
	state = kick_find_or_make(key, true);
	if (!state)
		return;
	way_adopt(state);
	state->row = row + 1;
}

static __always_inline void bind_ways(__u32 row, struct queue_ways *old)
{
	struct kick_key key;
	__u32 i;

	for (i = 0; i < QUEUE_WAYS && i < old->n; i++) {
		key = old->way[i];
		if (!has_way(&binding.ways, &key))
			way_leave(row, &key);
	}
	for (i = 0; i < QUEUE_WAYS && i < binding.ways.n; i++) {
		key = binding.ways.way[i];
		way_take(row, &key);
	}
}

/* What stays is not to be taken out, not even for a moment: it may be read in that. */
static __always_inline bool binding_has_fd(__s32 fd)
{
	__u32 i;

	for (i = 0; i < QUEUE_FDS && i < binding.n_fds; i++)
		if (binding.fd[i] == fd)
			return true;
	return false;
}

static __always_inline void bind_eventfd(__u32 row, const struct queue_binding *old)
{
	__u32 i, one_more = row + 1, *now;
	__u64 ctx = old->ctx;
	__s32 fd;

	now = ctx && ctx != binding.ctx ? bpf_map_lookup_elem(&eventfd_ctxs, &ctx) : NULL;
	if (now && *now == one_more)
		bpf_map_delete_elem(&eventfd_ctxs, &ctx);
	for (i = 0; i < QUEUE_FDS && i < old->n_fds; i++) {
		fd = old->fd[i];
		if (binding_has_fd(fd))
			continue;
		now = bpf_map_lookup_elem(&eventfd_fds, &fd);
		if (now && *now == one_more)
			bpf_map_delete_elem(&eventfd_fds, &fd);
	}
	ctx = binding.ctx;
	if (ctx && bpf_map_update_elem(&eventfd_ctxs, &ctx, &one_more, BPF_ANY))
		lost(LOSS_MAPS);
	for (i = 0; i < QUEUE_FDS && i < binding.n_fds; i++) {
		fd = binding.fd[i];
		if (bpf_map_update_elem(&eventfd_fds, &fd, &one_more, BPF_ANY))
			lost(LOSS_MAPS);
	}
}

static __always_inline void bind_message(__u32 row, const struct irq_key *old)
{
	struct irq_key was = *old, is = binding.msi;

	if (is.address && binding.msi_seen)
		rows_with_message |= 1ull << row;
	else
		rows_with_message &= ~(1ull << row);
	if (was.address == is.address && was.data == is.data)
		return;
	if (was.address)
		message_leave(row, &was);
	if (is.address)
		message_take(row, &is);
}

static __always_inline void bind_consumer(__u32 row, __u32 was)
{
	__u32 is = binding.consumer_tid;
	const __u64 only = 1ull << row;
	__u64 *rows;

	if (was == is)
		return;
	rows = was ? bpf_map_lookup_elem(&consumers, &was) : NULL;
	if (rows) {
		*rows &= ~only;
		if (!*rows && !bpf_map_delete_elem(&consumers, &was))
			consumers_used--;
	}
	if (!is)
		return;
	if (!thread_find(is) && !thread_new(is))
		return;
	rows = bpf_map_lookup_elem(&consumers, &is);
	if (rows)
		*rows |= only;
	else if (bpf_map_update_elem(&consumers, &is, &only, BPF_NOEXIST))
		lost(LOSS_MAPS);
	else
		consumers_used++;
}

/* (row); the rest in `binding` */
SEC("?raw_tp/bind")
int ho_bind(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 row = ctx->args[0];
	struct queue_binding *old = bpf_map_lookup_elem(&bindings, &row);

	if (!old || row >= MODEL_MAX_QUEUES)
		return 0;
	rows_bound += (binding.ways.n != 0) - (old->ways.n != 0);
	bind_ways(row, &old->ways);
	bind_eventfd(row, old);
	bind_message(row, &old->msi);
	bind_consumer(row, old->consumer_tid);
	*old = binding;
	return 0;
}
