/* SPDX-License-Identifier: BSD-2-Clause */
/* Between a device and its transport: ioeventfds of all queues at once, and interrupts. BQL. */
#ifndef VIRTIO_BUS_H
#define VIRTIO_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/compiler.h>
#include <handoff/error.h>

struct VirtIODevice;
struct VirtQueue;
struct VirtioBus;

struct virtio_bus_ops {
	/* Adds or removes the queue's ioeventfd; within a memory transaction. */
	void (*ioeventfd_assign)(struct VirtioBus *bus, struct VirtQueue *vq, bool assign);
	/* Raises the interrupt of a vector, not VIRTIO_MSI_NO_VECTOR. Any thread. */
	void (*notify)(struct VirtioBus *bus, uint16_t vector);
};

struct VirtioBus {
	const struct virtio_bus_ops *ops;
	struct VirtIODevice *vdev;
	bool ioeventfd_enabled; /* by configuration */
	bool ioeventfd_started;
};

/*
 * Kicks by ioeventfd from now on, served where the device says. 0, also if it was started; else
 * -errno, and kicks are served in user space, those that came before included.
 */
FRAME int virtio_bus_start_ioeventfd(struct VirtioBus *bus);
void virtio_bus_stop_ioeventfd(struct VirtioBus *bus);

/* For start_ioeventfd of a device: all host notifiers, or -errno with err and none. */
int virtio_bus_assign_host_notifiers(struct VirtioBus *bus, struct error *err) MUST_CHECK;
/* Their last counts are taken. Handlers are detached already. */
void virtio_bus_unassign_host_notifiers(struct VirtioBus *bus);

#endif
