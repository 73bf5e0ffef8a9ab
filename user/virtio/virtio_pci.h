/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio over PCI (virtio 1.2, 4.1), modern only: the registers in BAR 4, MSI-X in BAR 1. Under the
 * BQL, but for raising interrupts.
 */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

#include <handoff/memory.h>
#include <handoff/pci.h>
#include "virtio_bus.h"
#include "virtio_device.h"

#define VIRTIO_PCI_MSIX_BAR   1
#define VIRTIO_PCI_MODERN_BAR 4

/* Layout of BAR 4: a page for each, so that the notify registers share theirs with nothing. */
#define VIRTIO_PCI_COMMON_OFFSET 0x0000
#define VIRTIO_PCI_ISR_OFFSET	 0x1000
#define VIRTIO_PCI_DEVICE_OFFSET 0x2000
#define VIRTIO_PCI_NOTIFY_OFFSET 0x3000
#define VIRTIO_PCI_BAR_BYTES	 0x4000

#define VIRTIO_PCI_NOTIFY_MULTIPLIER 4

struct VirtIOPCIProxy {
	struct pci_device pci;
	struct VirtioBus bus;
	struct VirtIODevice *vdev;
	struct MemoryRegion bar, common, isr, device, notify;
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select;
	unsigned int cfg_cap; /* config offset of the PCI configuration access capability */
};

/* vdev is initialised; sets its bus. */
int virtio_pci_init(struct VirtIOPCIProxy *proxy, struct VirtIODevice *vdev, struct pci_host *host,
		    uint16_t device_id, uint32_t class_code, bool ioeventfd,
		    struct error *err) MUST_CHECK;
/* Reset before. */
void virtio_pci_release(struct VirtIOPCIProxy *proxy);
/* The driver's reset: status 0, no vectors, no selections. */
void virtio_pci_reset(struct VirtIOPCIProxy *proxy);

/* If the driver runs and the device may use memory. */
FRAME void virtio_pci_start_ioeventfd(struct VirtIOPCIProxy *proxy);
void virtio_pci_stop_ioeventfd(struct VirtIOPCIProxy *proxy);

/* virtio_pci_common.c: the common configuration structure. */
extern const struct MemoryRegionOps virtio_pci_common_ops;
FRAME void virtio_pci_common_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size);

/* virtio_pci_vector.c: *slot becomes vector, or VIRTIO_MSI_NO_VECTOR if that is not to be had. */
void virtio_pci_set_vector(struct VirtIOPCIProxy *proxy, uint16_t *slot, uint16_t vector);
void virtio_pci_release_vectors(struct VirtIOPCIProxy *proxy);
/* Where the guest kicks and what its interrupts are, for the stats page. */
void virtio_pci_update_rows(struct VirtIOPCIProxy *proxy);

/* virtio_pci_regions.c: the other structures, as regions and as capabilities. Release undoes add
 * even if that failed, after pci_device_release. */
int virtio_pci_add_regions(struct VirtIOPCIProxy *proxy, struct error *err) MUST_CHECK;
void virtio_pci_release_regions(struct VirtIOPCIProxy *proxy);
uint32_t virtio_pci_cap_read(struct pci_device *dev, unsigned int where, unsigned int size);
void virtio_pci_cap_write(struct pci_device *dev, unsigned int where, uint32_t value,
			  unsigned int size);

#endif
