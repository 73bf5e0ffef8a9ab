// SPDX-License-Identifier: BSD-2-Clause
/*
 * A queue's kicks by eventfd (paths A and B of design.md): the handlers a loop gets, and how they
 * come and go. The loop spins on the available ring, or sleeps on the eventfd; semantics.md 2.
 * Handlers run in the loop that serves the queue.
 *
 * The eventfd's count is read, not just cleared: it adds up, so every kick KVM signalled is counted
 * once. Counts of our own making (self-kicks at attach, forwarded notify writes) are announced in
 * own_kicks_new first and taken off here; hence, once all is read,
 * kicks of the guest = signals + userspace_kicks.
 */
#include "virtio_device.h"

#include <errno.h>
#include <unistd.h>
#include <handoff/aio.h>
#include <handoff/probes.h>
#include <handoff/stats.h>

static struct VirtQueue *queue_of(struct EventNotifier *e)
{
	return container_of(e, struct VirtQueue, host_notifier);
}

uint64_t virtio_queue_take_signals(struct VirtQueue *vq)
{
	uint64_t count = 0, own;
	ssize_t ret;

	do {
		ret = read(vq->host_notifier.fd, &count, sizeof(count));
	} while (ret < 0 && errno == EINTR);
	if (ret != sizeof(count))
		return 0;
	/* An own kick may be announced and not set yet: it stays owed until its count comes. */
	vq->own_kicks += atomic_exchange(&vq->own_kicks_new, 0);
	own = MIN(count, vq->own_kicks);
	vq->own_kicks -= own;
	return count - own;
}

static void kick_self(struct VirtQueue *vq)
{
	atomic_fetch_add(&vq->own_kicks_new, 1);
	event_notifier_set(&vq->host_notifier);
}

FRAME void virtio_queue_host_notifier_aio_read(struct EventNotifier *e)
{
	struct VirtQueue *vq = queue_of(e);
	uint64_t signals = virtio_queue_take_signals(vq);
	bool from_userspace = atomic_exchange(&vq->userspace_kicked, false);
	bool work = !vring_empty(&vq->vring);

	stats_add(&vq->stats->signals, signals);
	if (atomic_load(&vq->vdev->broken) || !vq->vdev->ops->may_serve(vq->vdev))
		return;
	HANDOFF_PROBE4(queue_notified, stats_queue_index(vq->vdev->stats_page, vq->stats),
		       vq->stats->gpa, signals, work && vq->left_empty);
	/* The kick of work that a spin has served already. */
	if (!work && (signals || from_userspace)) {
		stats_inc(&vq->stats->spurious);
		aio_count_spurious_wake(vq->ctx);
	}
	if (work)
		virtio_queue_serve(vq, !signals && from_userspace ? ARRIVAL_USERSPACE
								  : ARRIVAL_NOTIFIED);
}

FRAME bool virtio_queue_host_notifier_aio_poll(struct EventNotifier *e)
{
	struct VirtQueue *vq = queue_of(e);

	return !vring_empty(&vq->vring) &&
	       !atomic_load_explicit(&vq->vdev->broken, memory_order_relaxed);
}

/* The eventfd stays as it is: clearing it would cost what polling saves. */
FRAME void virtio_queue_host_notifier_aio_poll_ready(struct EventNotifier *e)
{
	struct VirtQueue *vq = queue_of(e);
	uint64_t requests = vq->stats->requests;

	if (!virtio_queue_serve(vq, ARRIVAL_POLLED))
		stats_inc(&vq->stats->spurious);
	/* Held or drained: whoever ends that attaches anew, with a kick of its own. */
	if (vq->stats->requests == requests)
		aio_count_idle_poll(vq->ctx);
}

FRAME void virtio_queue_host_notifier_aio_poll_begin(struct EventNotifier *e)
{
	vring_set_notification(&queue_of(e)->vring, false);
}

/* The loop calls io_poll right afterwards: the look that must follow. */
FRAME void virtio_queue_host_notifier_aio_poll_end(struct EventNotifier *e)
{
	vring_set_notification(&queue_of(e)->vring, true);
}

void virtio_queue_aio_attach_host_notifier(struct VirtQueue *vq, struct AioContext *ctx)
{
	/* Detached in poll mode it had no io_poll_end: left off, the guest would never kick again.
	 */
	if (!vq->vring.notification)
		vring_set_notification(&vq->vring, true);
	virtio_queue_name_loop(vq, ctx);
	aio_set_event_notifier(ctx, &vq->host_notifier, virtio_queue_host_notifier_aio_read,
			       virtio_queue_host_notifier_aio_poll,
			       virtio_queue_host_notifier_aio_poll_ready);
	aio_set_event_notifier_poll(ctx, &vq->host_notifier,
				    virtio_queue_host_notifier_aio_poll_begin,
				    virtio_queue_host_notifier_aio_poll_end);
	stats_inc(&vq->stats->self_kicks);
	kick_self(vq);
}

void virtio_queue_aio_detach_host_notifier(struct VirtQueue *vq, struct AioContext *ctx)
{
	aio_set_event_notifier(ctx, &vq->host_notifier, NULL, NULL, NULL);
}

void virtio_queue_forward_kick(struct VirtQueue *vq)
{
	atomic_store(&vq->userspace_kicked, true);
	kick_self(vq);
}
