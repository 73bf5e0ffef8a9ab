// SPDX-License-Identifier: BSD-2-Clause
/*
 * The PCI function: what it is, when its device runs, reset. Its registers are in
 * virtio_pci_common.c and virtio_pci_regions.c. Under the BQL, but for virtio_pci_notify.
 */
#include "virtio_pci.h"

#include <linux/pci_regs.h>

#define PCI_VENDOR_REDHAT_QUMRANET 0x1af4 /* 4.1.2.1 */
#define PCI_SUBSYSTEM_QEMU	   0x1100 /* any of 0x40 and up */

static struct VirtIOPCIProxy *proxy_of_bus(struct VirtioBus *bus)
{
	return container_of(bus, struct VirtIOPCIProxy, bus);
}

static struct VirtIOPCIProxy *proxy_of_pci(struct pci_device *dev)
{
	return container_of(dev, struct VirtIOPCIProxy, pci);
}

/* Any width: KVM then need not decode the instruction where it can (semantics.md 5). */
static void virtio_pci_ioeventfd_assign(struct VirtioBus *bus, struct VirtQueue *vq, bool assign)
{
	struct VirtIOPCIProxy *proxy = proxy_of_bus(bus);
	uint64_t addr = vq->index * VIRTIO_PCI_NOTIFY_MULTIPLIER;

	if (assign)
		memory_region_add_eventfd(&proxy->notify, addr, 0, false, 0, &vq->host_notifier);
	else
		memory_region_del_eventfd(&proxy->notify, addr, 0, false, 0, &vq->host_notifier);
}

static void virtio_pci_notify(struct VirtioBus *bus, uint16_t vector)
{
	msix_notify_any(&proxy_of_bus(bus)->pci, vector);
}

static const struct virtio_bus_ops virtio_pci_bus_ops = {
	.ioeventfd_assign = virtio_pci_ioeventfd_assign,
	.notify = virtio_pci_notify,
};

FRAME void virtio_pci_start_ioeventfd(struct VirtIOPCIProxy *proxy)
{
	struct VirtIODevice *vdev = proxy->vdev;

	if (!(atomic_load(&vdev->status) & VIRTIO_CONFIG_S_DRIVER_OK) ||
	    !pci_bus_master(&proxy->pci) || atomic_load(&vdev->broken))
		return;
	virtio_pci_update_rows(proxy);
	atomic_store(&vdev->live, true);
	virtio_bus_start_ioeventfd(&proxy->bus);
}

void virtio_pci_stop_ioeventfd(struct VirtIOPCIProxy *proxy)
{
	virtio_bus_stop_ioeventfd(&proxy->bus);
}

void virtio_pci_reset(struct VirtIOPCIProxy *proxy)
{
	virtio_pci_stop_ioeventfd(proxy);
	virtio_set_status(proxy->vdev, 0);
	/* Only now: what was completed meanwhile has raised its interrupts. */
	virtio_pci_release_vectors(proxy);
	proxy->device_feature_select = proxy->driver_feature_select = 0;
	proxy->queue_select = 0;
}

static void virtio_pci_device_reset(struct pci_device *dev)
{
	virtio_pci_reset(proxy_of_pci(dev));
}

/* Without bus mastering a device must leave the guest's memory alone. */
static void virtio_pci_command_changed(struct pci_device *dev, uint16_t command)
{
	struct VirtIOPCIProxy *proxy = proxy_of_pci(dev);

	virtio_pci_update_rows(proxy);
	if (command & PCI_COMMAND_MASTER) {
		virtio_pci_start_ioeventfd(proxy);
		return;
	}
	virtio_pci_stop_ioeventfd(proxy);
	virtio_quiesce(proxy->vdev);
}

static void virtio_pci_msix_changed(struct pci_device *dev, unsigned int vector)
{
	virtio_pci_update_rows(proxy_of_pci(dev));
}

static const struct pci_device_ops virtio_pci_device_ops = {
	.command_changed = virtio_pci_command_changed,
	.cap_read = virtio_pci_cap_read,
	.cap_write = virtio_pci_cap_write,
	.reset = virtio_pci_device_reset,
};

int virtio_pci_init(struct VirtIOPCIProxy *proxy, struct VirtIODevice *vdev, struct pci_host *host,
		    uint16_t device_id, uint32_t class_code, bool ioeventfd, struct error *err)
{
	const struct pci_device_ids ids = {
		.vendor = PCI_VENDOR_REDHAT_QUMRANET,
		.device = device_id,
		.subsystem_vendor = PCI_VENDOR_REDHAT_QUMRANET,
		.subsystem = PCI_SUBSYSTEM_QEMU,
		.class_code = class_code,
		.revision = 1,
	};
	int ret;

	proxy->vdev = vdev;
	proxy->bus = (struct VirtioBus){
		.ops = &virtio_pci_bus_ops,
		.vdev = vdev,
		.ioeventfd_enabled = ioeventfd,
	};
	vdev->bus = &proxy->bus;
	ret = pci_device_init(&proxy->pci, host, -1, &ids, &virtio_pci_device_ops, vdev->name, err);
	if (ret)
		return ret;
	ret = virtio_pci_add_regions(proxy, err);
	if (ret)
		goto fail;
	/* One for each queue and one for the configuration. */
	ret = msix_init(&proxy->pci, vdev->n_queues + 1, VIRTIO_PCI_MSIX_BAR, err);
	if (ret)
		goto fail;
	msix_set_changed_callback(&proxy->pci, virtio_pci_msix_changed);
	return 0;

fail:
	virtio_pci_release(proxy);
	return ret;
}

void virtio_pci_release(struct VirtIOPCIProxy *proxy)
{
	pci_device_release(&proxy->pci);
	virtio_pci_release_regions(proxy);
}
