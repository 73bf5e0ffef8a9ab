// SPDX-License-Identifier: BSD-2-Clause
/*
 * Kicks that nobody takes. KVM counts a kick in the queue's eventfd; who serves the queue takes it
 * from there, or, while it spins, serves the work and leaves the count. So a kick is stuck while
 * its eventfd stays readable and the queue's counters stand still. Both are looked at from outside,
 * and the loop that may hang is not asked. Main context. Neighbour: monitor.c calls, at intervals.
 */
#include "monitor.h"

#include <handoff/virtio.h>
#include "board.h"

static uint64_t progress_of(const struct stats_queue *row)
{
	return __atomic_load_n(&row->signals, __ATOMIC_RELAXED) +
	       __atomic_load_n(&row->self_kicks, __ATOMIC_RELAXED) +
	       __atomic_load_n(&row->requests, __ATOMIC_RELAXED) +
	       __atomic_load_n(&row->spurious, __ATOMIC_RELAXED);
}

static void tell(struct machine *m, const struct stats_queue *row, int64_t age_ns)
{
	const char *loop = row->loop < STATS_MAX_LOOPS ? m->stats->loop[row->loop].id : "?";

	monitor_event(m, "X_HANDOFF_QUEUE_STUCK",
		      json_pack("{s:s, s:I, s:s, s:I}", "device", row->device, "queue",
				(json_int_t)row->queue, "loop", loop, "age-ns",
				(json_int_t)age_ns));
}

static void look(struct machine *m, const struct stats_queue *row, struct monitor_stuck_queue *q,
		 int64_t now_ns)
{
	struct VirtIOBlock *vblk = row->used ? board_disk_find(m, row->device, NULL) : NULL;
	uint64_t progress = progress_of(row);

	/* A stopped guest's disks are drained: what waits is to wait. */
	if (m->paused || !vblk || !virtio_blk_kick_waits(vblk, row->queue)) {
		*q = (struct monitor_stuck_queue){};
		return;
	}
	if (!q->since_ns || q->progress != progress) {
		*q = (struct monitor_stuck_queue){ .progress = progress, .since_ns = now_ns };
		return;
	}
	if (q->told || now_ns - q->since_ns < MONITOR_STUCK_NS)
		return;
	q->told = true;
	tell(m, row, now_ns - q->since_ns);
}

void monitor_stuck_look(struct machine *m, struct monitor_stuck_queue *queues, int64_t now_ns)
{
	unsigned int i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		look(m, &m->stats->queue[i], &queues[i], now_ns);
}
