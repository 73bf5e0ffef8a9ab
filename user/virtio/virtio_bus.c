// SPDX-License-Identifier: BSD-2-Clause
/*
 * Start and stop of ioeventfds, for any device and transport (semantics.md 3). All queues' fds are
 * handed to the memory layer in one transaction, so KVM's tables are changed once. Under the BQL.
 */
#include "virtio_bus.h"

#include <errno.h>
#include <string.h>
#include <handoff/memory.h>
#include <handoff/stats.h>
#include "virtio_device.h"

FRAME int virtio_bus_start_ioeventfd(struct VirtioBus *bus)
{
	struct VirtIODevice *vdev = bus->vdev;
	int ret = -ENOSYS;

	if (bus->ioeventfd_started)
		return 0;
	if (bus->ioeventfd_enabled)
		ret = vdev->ops->start_ioeventfd(vdev);
	if (ret) {
		virtio_queues_look(vdev);
		return ret;
	}
	bus->ioeventfd_started = true;
	/* Start runs the main context: a bottom half there may have reset the device meanwhile. */
	if (!atomic_load(&vdev->live))
		virtio_bus_stop_ioeventfd(bus);
	return 0;
}

void virtio_bus_stop_ioeventfd(struct VirtioBus *bus)
{
	if (!bus->ioeventfd_started)
		return;
	bus->ioeventfd_started = false;
	bus->vdev->ops->stop_ioeventfd(bus->vdev);
}

/* Undoes the first n. The eventfds are closed after the commit, which still names them. */
static void unassign(struct VirtioBus *bus, unsigned int n)
{
	struct VirtIODevice *vdev = bus->vdev;
	unsigned int i;

	memory_region_transaction_begin();
	for (i = n; i-- > 0;)
		bus->ops->ioeventfd_assign(bus, &vdev->vq[i], false);
	memory_region_transaction_commit();
	for (i = 0; i < n; i++) {
		struct VirtQueue *vq = &vdev->vq[i];

		vq->host_notifier_enabled = false;
		vq->stats->ioeventfd = 0;
		/* Nobody listens any more; what was signalled up to here is still counted. */
		stats_add(&vq->stats->signals, virtio_queue_take_signals(vq));
		event_notifier_release(&vq->host_notifier);
	}
}

int virtio_bus_assign_host_notifiers(struct VirtioBus *bus, struct error *err)
{
	struct VirtIODevice *vdev = bus->vdev;
	unsigned int i;
	int ret = 0;

	memory_region_transaction_begin();
	for (i = 0; i < vdev->n_queues; i++) {
		ret = event_notifier_init(&vdev->vq[i].host_notifier, false);
		if (ret)
			break;
		vdev->vq[i].own_kicks = 0;
		atomic_store(&vdev->vq[i].own_kicks_new, 0);
		atomic_store(&vdev->vq[i].userspace_kicked, false);
		bus->ops->ioeventfd_assign(bus, &vdev->vq[i], true);
	}
	memory_region_transaction_commit();
	if (ret) {
		unassign(bus, i);
		return error_set(err, ret, "cannot create an eventfd: %s", strerror(-ret));
	}
	for (i = 0; i < vdev->n_queues; i++) {
		ret = memory_region_eventfd_error(&vdev->vq[i].host_notifier);
		if (ret) {
			unassign(bus, vdev->n_queues);
			return error_set(err, ret, "queue %u: ioeventfd refused: %s", i,
					 strerror(-ret));
		}
	}
	for (i = 0; i < vdev->n_queues; i++) {
		vdev->vq[i].host_notifier_enabled = true;
		vdev->vq[i].stats->ioeventfd = 1;
	}
	return 0;
}

void virtio_bus_unassign_host_notifiers(struct VirtioBus *bus)
{
	unassign(bus, bus->vdev->n_queues);
}
