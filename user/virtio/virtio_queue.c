// SPDX-License-Identifier: BSD-2-Clause
/*
 * Serving a queue and notifying its guest, whoever brought us here: a spin, an eventfd, a write
 * that left to user space. One thread at a time per queue, see virtio_device.h.
 *
 * Interrupts are batched without waiting: when a completion leaves nothing in flight there is
 * nothing to wait for, and the guest is told at once; else a bottom half tells it once for all
 * completions of the loop's turn.
 */
#include "virtio_device.h"

#include <errno.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include <handoff/stats.h>
#include "virtio_bus.h"

/* How many turns the present one stands for in histograms; 0 = it is not timed. */
static uint32_t virtio_queue_weight(struct VirtQueue *vq, enum virtio_arrival how)
{
	if (!stats_armed())
		return 0;
	if (how != ARRIVAL_POLLED)
		return 1;
	if (++vq->polled_untimed < STATS_POLLED_PER_TIMED)
		return 0;
	vq->polled_untimed = 0;
	return STATS_POLLED_PER_TIMED;
}

void virtio_queue_add_leg(struct VirtQueue *vq, enum stats_leg leg, int64_t ns, uint32_t weight)
{
	struct stats_queue *row = vq->stats;

	stats_write_begin(&row->seq);
	hist_add_weighted(&row->leg[leg], ns > 0 ? ns : 0, weight);
	stats_write_end(&row->seq);
}

void virtio_queue_count_arrival(struct VirtQueue *vq, enum virtio_arrival how)
{
	struct stats_queue *row = vq->stats;
	__u64 *const counter[] = {
		[ARRIVAL_POLLED] = &row->arrivals_polled,
		[ARRIVAL_NOTIFIED] = &row->arrivals_notified,
		[ARRIVAL_RECHECK] = &row->arrivals_recheck,
		[ARRIVAL_USERSPACE] = &row->arrivals_userspace,
	};

	/* Together, so that a reader's sum is right at any moment. */
	stats_write_begin(&row->seq);
	stats_inc(counter[how]);
	stats_inc(&row->arrivals);
	stats_write_end(&row->seq);
}

void virtio_queue_name_loop(struct VirtQueue *vq, struct AioContext *ctx)
{
	uint32_t index = stats_loop_index(vq->vdev->stats_page, aio_context_stats(ctx));

	/* Attaching (main context) may race with a turn that is being served: both say the same. */
	__atomic_store_n(&vq->stats->loop, index, __ATOMIC_RELAXED);
}

static void schedule(struct VirtQueue *vq)
{
	if (vq->bh_scheduled)
		return;
	vq->bh_scheduled = true;
	aio_bh_schedule(vq->bh);
}

static void notify_guest(struct VirtQueue *vq)
{
	struct VirtIODevice *vdev = vq->vdev;
	int64_t oldest_ns = vq->oldest_complete_ns;

	vq->notify_pending = false;
	vq->oldest_complete_ns = 0;
	if (vq->bh_scheduled && !vq->serve_again) {
		aio_bh_cancel(vq->bh);
		vq->bh_scheduled = false;
	}
	if (!vring_should_notify(&vq->vring)) {
		stats_inc(&vq->stats->interrupts_suppressed);
		return;
	}
	/* Not written without need: other queues' threads read the same cache line. */
	if (!(atomic_load_explicit(&vdev->isr, memory_order_relaxed) & 1))
		atomic_fetch_or(&vdev->isr, 1);
	if (vq->vector == VIRTIO_MSI_NO_VECTOR)
		return;
	vdev->bus->ops->notify(vdev->bus, vq->vector);
	stats_inc(&vq->stats->interrupts);
	if (oldest_ns)
		virtio_queue_add_leg(vq, STATS_LEG_IRQ, clock_ns() - oldest_ns, vq->oldest_weight);
}

bool virtio_queue_serve(struct VirtQueue *vq, enum virtio_arrival how)
{
	struct VirtIODevice *vdev = vq->vdev;
	int64_t start_ns;

	vq->serve_again = false;
	if (!atomic_load_explicit(&vdev->live, memory_order_relaxed) ||
	    atomic_load_explicit(&vdev->broken, memory_order_relaxed) ||
	    !vdev->ops->may_serve(vdev))
		return true;
	if (vring_empty(&vq->vring)) {
		vq->left_empty = true;
		return false;
	}
	if (vq->left_empty)
		virtio_queue_count_arrival(vq, how);
	/* No handler was attached that would have said so. */
	if (how == ARRIVAL_USERSPACE)
		virtio_queue_name_loop(vq, vq->ctx);
	vq->weight = virtio_queue_weight(vq, how);
	start_ns = vq->weight ? clock_ns() : 0;
	vq->serving = true;
	vq->left_empty = vdev->ops->handle_output(vdev, vq);
	vq->serving = false;
	if (start_ns)
		virtio_queue_add_leg(vq, STATS_LEG_SERVICE, clock_ns() - start_ns, vq->weight);
	if (vq->notify_pending && !vq->bh_scheduled)
		notify_guest(vq);
	if (!vq->left_empty) {
		vq->serve_again = true;
		schedule(vq);
	}
	return true;
}

void virtio_queue_push(struct VirtQueue *vq, struct virtqueue_chain chain, uint32_t written_bytes,
		       int64_t t_ns, uint32_t weight)
{
	vring_fill(&vq->vring, chain, written_bytes);
	vring_flush(&vq->vring);
	stats_inc(&vq->stats->completions);
	vq->notify_pending = true;
	if (!vq->oldest_complete_ns) {
		vq->oldest_complete_ns = t_ns;
		vq->oldest_weight = weight;
	}
	if (vq->serving)
		return;
	if (!vq->vring.in_use)
		notify_guest(vq);
	else
		schedule(vq);
}

void virtio_queue_settle(struct VirtQueue *vq)
{
	if (vq->notify_pending)
		notify_guest(vq);
	vq->serve_again = vq->bh_scheduled = false;
	/* Also if it is not ours: virtio_queue_kick_from_userspace schedules it from outside. */
	aio_bh_cancel(vq->bh);
	/* Detached in poll mode there is no io_poll_end, and the guest would never kick again. */
	if (!vq->vring.notification)
		vring_set_notification(&vq->vring, true);
}

static void virtio_queue_bh(void *opaque)
{
	struct VirtQueue *vq = opaque;
	bool kicked = atomic_exchange(&vq->userspace_kicked, false);

	vq->bh_scheduled = false;
	if (vq->notify_pending)
		notify_guest(vq);
	/* If it goes on where its turn had ended, that is no arrival: left_empty knows. */
	if (vq->serve_again || kicked)
		virtio_queue_serve(vq, ARRIVAL_USERSPACE);
}

/* By the bottom half: its home may be an iothread, when the backend has to stay there. */
void virtio_queue_kick_from_userspace(struct VirtQueue *vq)
{
	if (aio_in_home_thread_any(vq->ctx)) {
		if (!virtio_queue_serve(vq, ARRIVAL_USERSPACE))
			stats_inc(&vq->stats->spurious);
		return;
	}
	atomic_store(&vq->userspace_kicked, true);
	aio_bh_schedule(vq->bh);
}

void virtio_queues_look(struct VirtIODevice *vdev)
{
	unsigned int i;

	if (!atomic_load(&vdev->live))
		return;
	for (i = 0; i < vdev->n_queues; i++) {
		atomic_store(&vdev->vq[i].userspace_kicked, true);
		aio_bh_schedule(vdev->vq[i].bh);
	}
}

/* --- home
 * ----------------------------------------------------------------------------------------- */

int virtio_queues_prepare_context(struct VirtIODevice *vdev, struct AioContext *ctx,
				  struct QEMUBH *bh[VIRTIO_MAX_QUEUES], struct error *err)
{
	unsigned int i;

	for (i = 0; i < vdev->n_queues; i++) {
		bh[i] = aio_bh_new(ctx, virtio_queue_bh, &vdev->vq[i], "virtio-queue");
		if (bh[i])
			continue;
		while (i-- > 0)
			aio_bh_delete(bh[i]);
		return error_set(err, -ENOMEM, "%s: no memory for a bottom half", vdev->name);
	}
	return 0;
}

void virtio_queues_enter_context(struct VirtIODevice *vdev, struct AioContext *ctx,
				 struct QEMUBH *bh[VIRTIO_MAX_QUEUES])
{
	unsigned int i;

	for (i = 0; i < vdev->n_queues; i++) {
		struct VirtQueue *vq = &vdev->vq[i];

		if (vq->bh)
			aio_bh_delete(vq->bh);
		vq->bh = bh[i];
		vq->bh_scheduled = vq->serve_again = false;
		vq->ctx = ctx;
		/* After a stop the row goes on naming the loop that served: nobody does now. */
		if (!vq->stats->arrivals)
			virtio_queue_name_loop(vq, vq->ctx);
	}
}

void virtio_queues_forget_context(struct VirtIODevice *vdev, struct QEMUBH *bh[VIRTIO_MAX_QUEUES])
{
	unsigned int i;

	for (i = 0; i < vdev->n_queues; i++)
		aio_bh_delete(bh[i]);
}
