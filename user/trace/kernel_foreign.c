// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel's side of a VMM that is not ours: binding what was found out of its queues, hearing of
 * what it registers, and which hooks its consumers need.
 */
#include "kernel_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <handoff/compiler.h>
#include <handoff/error.h>

/* As the programs file it: fast MMIO is MMIO, and each way is there once. */
static void add_way(struct queue_ways *ways, struct kick_key key)
{
	uint32_t i;

	if (key.bus == BUS_FAST_MMIO)
		key.bus = BUS_MMIO;
	if (!(key.bus & BUS_BY_VALUE))
		key.value = 0;
	key.past = 0;
	for (i = 0; i < ways->n; i++)
		if (!memcmp(&ways->way[i], &key, sizeof(key)))
			return;
	ways->way[ways->n++] = key;
}

int kernel_bind(struct kernel *k, uint32_t row, const struct kernel_queue *queue)
{
	struct queue_binding *binding = &k->skel->bss->binding;
	uint64_t args[] = { row };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	uint32_t i;

	if (!k->program[PROGRAM_BIND].loaded)
		return -ENOSYS;
	if (row >= MODEL_MAX_QUEUES)
		return -EINVAL;
	memset(binding, 0, sizeof(*binding));
	for (i = 0; i < queue->ways.n && i < QUEUE_WAYS; i++)
		add_way(&binding->ways, queue->ways.way[i]);
	for (i = 0; i < queue->n_fds && i < QUEUE_FDS; i++)
		binding->fd[binding->n_fds++] = queue->fd[i];
	binding->ctx = queue->ctx;
	binding->msi = queue->msi;
	binding->msi_seen = queue->msi_seen;
	binding->consumer_tid = queue->consumer_tid;
	return bpf_prog_test_run_opts(bpf_program__fd(kernel_program_of(k, PROGRAM_BIND)), &opts);
}

static int take_change(void *opaque, void *data, size_t size)
{
	struct kernel *k = opaque;

	if (size < sizeof(struct vm_change))
		return 0;
	if (k->n_change == CHANGES_KEPT) {
		k->change_first = (k->change_first + 1) % CHANGES_KEPT;
		k->n_change--;
	}
	memcpy(&k->change[(k->change_first + k->n_change) % CHANGES_KEPT], data,
	       sizeof(struct vm_change));
	k->n_change++;
	k->changes_seen++;
	return 0;
}

int kernel_open_changes(struct kernel *k, struct error *err)
{
	if (!k->config.foreign)
		return 0;
	k->change = calloc(CHANGES_KEPT, sizeof(*k->change));
	if (!k->change)
		return error_set(err, -ENOMEM, "out of memory");
	k->changes = ring_buffer__new(bpf_map__fd(k->skel->maps.changes), take_change, k, NULL);
	if (libbpf_get_error(k->changes)) {
		k->changes = NULL;
		return error_set(err, -errno, "cannot map our BPF ring buffer: %m");
	}
	return 0;
}

void kernel_close_changes(struct kernel *k)
{
	ring_buffer__free(k->changes);
	free(k->change);
}

int kernel_changes_fd(const struct kernel *k)
{
	return k->changes ? ring_buffer__epoll_fd(k->changes) : -1;
}

uint64_t kernel_changes(struct kernel *k)
{
	uint64_t before = k->changes_seen;

	if (k->changes)
		(void)!ring_buffer__consume(k->changes);
	return k->changes_seen - before;
}

bool kernel_next_change(struct kernel *k, struct vm_change *change)
{
	if (!k->n_change)
		return false;
	*change = k->change[k->change_first];
	k->change_first = (k->change_first + 1) % CHANGES_KEPT;
	k->n_change--;
	return true;
}

/* Every task of the machine pays for these: only what no other hook tells. */
bool kernel_needs(struct kernel *k, enum program p, char *why, size_t size)
{
	bool reads = k->program[PROGRAM_READ].attached;

	if (reads && (p == PROGRAM_SYS_READ || p == PROGRAM_RING_READ)) {
		snprintf(why, size, "not needed: fexit hooks %s", programs[PROGRAM_READ].target);
		return false;
	}
	if (p == PROGRAM_RING_READ && !k->config.rings) {
		snprintf(why, size, "not needed: no eventfd is read by io_uring");
		return false;
	}
	if (p != PROGRAM_SYS_EXIT)
		return true;
	k->skel->bss->sys_exit_reads = !reads && !k->program[PROGRAM_SYS_READ].attached;
	k->skel->bss->sys_exit_ioctls = !k->program[PROGRAM_SYS_IOCTL].attached;
	if (k->skel->bss->sys_exit_reads || k->skel->bss->sys_exit_ioctls)
		return true;
	snprintf(why, size, "not needed: single system calls' tracepoints are there");
	return false;
}

int kernel_watch_rings(struct kernel *k)
{
	struct kernel_program *state = &k->program[PROGRAM_RING_READ];

	k->config.rings = true;
	if (k->program[PROGRAM_READ].attached || state->attached)
		return 0;
	if (!state->loaded)
		return -ENOTSUP;
	state->why[0] = '\0';
	kernel_attach(k, PROGRAM_RING_READ);
	return state->attached ? 0 : -ENOTSUP;
}
