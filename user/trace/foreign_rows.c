// SPDX-License-Identifier: BSD-2-Clause
/* Which row a queue has: its own of before, found by its exact name or by a way to kick it, or a
 * new one. Rows are never given back: they keep their counts. */
#include "foreign.h"

#include <string.h>
#include <handoff/compiler.h>

static bool same_way(const struct kick_key *a, const struct kick_key *b)
{
	return a->gpa == b->gpa && a->bus == b->bus && a->value == b->value;
}

static bool has_way(const struct vm_queue *q, const struct kick_key *way)
{
	uint32_t i;

	for (i = 0; i < q->n_ways && i < QUEUE_WAYS; i++)
		if (same_way(&q->way[i], way))
			return true;
	return false;
}

static bool same_name(const struct foreign_row *row, const struct vm_queue *q)
{
	return row->queue == q->queue && !strcmp(row->device, q->device);
}

static bool both_exact(const struct foreign_row *row, const struct vm_queue *q)
{
	return row->name_evidence == EVIDENCE_EXACT && q->name_evidence == EVIDENCE_EXACT;
}

/* A device whose BAR was moved is the same by its name; another at the same address is not. */
static struct foreign_row *find_row(struct foreign *f, const struct vm_queue *q)
{
	struct foreign_row *row;

	for (row = f->row; row < f->row + STATS_MAX_QUEUES; row++)
		if (row->used && !row->present && both_exact(row, q) && same_name(row, q))
			return row;
	for (row = f->row; row < f->row + STATS_MAX_QUEUES; row++)
		if (row->used && !row->present && has_way(q, &row->first) &&
		    (!both_exact(row, q) || same_name(row, q)))
			return row;
	return NULL;
}

static struct foreign_row *new_row(struct foreign *f, const struct vm_queue *q)
{
	struct foreign_row *row;

	for (row = f->row; row < f->row + STATS_MAX_QUEUES; row++) {
		if (row->used)
			continue;
		row->used = true;
		row->first = q->way[0];
		row->loop = FOREIGN_NONE;
		return row;
	}
	return NULL;
}

static void tell(struct foreign_row *row, const struct kernel_queue *queue)
{
	if (!memcmp(&row->to_tell, queue, sizeof(*queue)))
		return;
	row->to_tell = *queue;
	row->stale = true;
}

/* A name that was told is not given up for a guess. */
static void take_name(struct foreign_row *row, const struct vm_queue *q)
{
	if (row->device[0] && row->name_evidence > q->name_evidence)
		return;
	memcpy(row->device, q->device, sizeof(row->device));
	row->device[sizeof(row->device) - 1] = '\0';
	row->queue = q->queue;
	row->name_evidence = q->name_evidence;
	memcpy(row->name_reason, q->name_reason, sizeof(row->name_reason));
}

/* A worker of the kernel's may be known by its name only (foreign_vhost.c). It waits as long as it
 * serves, other than a loop, which is away while it is busy. */
static void take_consumer(const struct foreign *f, struct foreign_row *row,
			  const struct vm_queue *q)
{
	uint32_t i;

	if (row->how == CONSUMER_VHOST) {
		row->how = CONSUMER_UNKNOWN;
		row->outside = false;
		row->seen_tid = 0;
	}
	for (i = 0; i < q->eventfd.n_consumers && i < VM_CONSUMERS; i++) {
		const struct vm_consumer *c = &q->eventfd.consumer[i];

		if (c->how == CONSUMER_IRQFD)
			continue;
		row->how = c->how;
		if (c->how == CONSUMER_VHOST) {
			row->outside = true;
			row->seen_tid = c->tid ? c->tid : f->vhost_tid;
			return;
		}
		if (!c->tid)
			continue;
		row->outside = c->pid && c->pid != f->pid;
		row->seen_tid = c->tid;
		return;
	}
}

static void take_queue(const struct foreign *f, struct foreign_row *row, const struct vm_queue *q)
{
	struct kernel_queue queue;
	uint32_t i;

	/* Compared as bytes. */
	memset(&queue, 0, sizeof(queue));
	queue.ways.n = MIN(q->n_ways, QUEUE_WAYS);
	for (i = 0; i < queue.ways.n; i++)
		queue.ways.way[i] = q->way[i];
	queue.ctx = q->eventfd.ctx;
	/* The device was started anew: so are the eventfds of its interrupts. */
	if (queue.ctx != row->to_tell.ctx)
		row->msi_ctx = 0;
	queue.n_fds = MIN(q->eventfd.n_fds, VM_FDS);
	for (i = 0; i < queue.n_fds; i++)
		queue.fd[i] = q->eventfd.fd[i];
	queue.msi = row->to_tell.msi;
	queue.msi_seen = row->to_tell.msi_seen;
	row->present = true;
	row->had_eventfd |= queue.ctx || queue.n_fds;
	if (!has_way(q, &row->first))
		row->first = q->way[0];
	take_name(row, q);
	take_consumer(f, row, q);
	if (row->outside)
		queue.consumer_tid = row->seen_tid;
	tell(row, &queue);
}

/* Its address stays its own: what is written there now goes to user space, which may serve it. Its
 * eventfd and its message may be another's. */
static void lose_queue(struct foreign_row *row)
{
	struct kernel_queue queue;

	memset(&queue, 0, sizeof(queue));
	queue.ways = row->to_tell.ways;
	row->msi_evidence = EVIDENCE_ABSENT;
	row->msi_ctx = 0;
	tell(row, &queue);
}

void foreign_take_rows(struct foreign *f)
{
	struct foreign_row *row;
	uint64_t no_room = 0;
	uint32_t i;

	for (row = f->row; row < f->row + STATS_MAX_QUEUES; row++)
		row->present = false;
	for (i = 0; i < f->vm->n_queues; i++) {
		const struct vm_queue *q = &f->vm->queue[i];

		if (!q->n_ways)
			continue;
		row = find_row(f, q);
		if (!row)
			row = new_row(f, q);
		if (!row) {
			no_room++;
			continue;
		}
		row->vm_queue = i;
		take_queue(f, row, q);
	}
	for (row = f->row; row < f->row + STATS_MAX_QUEUES; row++)
		if (row->used && !row->present)
			lose_queue(row);
	f->no_room = MAX(f->no_room, no_room);
}
