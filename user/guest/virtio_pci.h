/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's side of modern virtio-pci (virtio 1.2, section 4.1): capabilities, status, features,
 * queue set-up. */
#ifndef GUEST_VIRTIO_PCI_H
#define GUEST_VIRTIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)
#define VIRTIO_F_RING_PACKED   (1ull << 34)

struct virtq;

struct virtio_device {
	struct pci_function fn;
	uint64_t common; /* gpas of the four register blocks */
	uint64_t notify;
	uint64_t config;
	uint32_t notify_multiplier;
	uint32_t config_bytes;
	uint64_t features; /* as negotiated */
	bool has_msix;
	struct pci_msix msix;
};

/* Finds the register blocks and sets MSI-X up. False if the function has no modern interface. */
bool virtio_pci_probe(struct virtio_device *dev);
/* Device status 0, and waits until the device agrees: it has then stopped using memory. Dies after
 * 10 s. */
void virtio_reset(struct virtio_device *dev);
/* From reset to FEATURES_OK with what both sides know. Dies if the device refuses. */
void virtio_negotiate(struct virtio_device *dev, uint64_t driver_features);
uint16_t virtio_num_queues(const struct virtio_device *dev);
/* Largest size the device takes for this queue; 0 if there is no such queue. */
uint16_t virtio_queue_max(const struct virtio_device *dev, uint16_t index);
/* Tells the device where the queue is and enables it; fills vq->notify_gpa. */
void virtio_queue_enable(struct virtio_device *dev, struct virtq *vq);
void virtio_driver_ok(struct virtio_device *dev);

#endif
