// SPDX-License-Identifier: BSD-2-Clause
/*
 * The common configuration structure (virtio 1.2, 4.1.4.3): how a driver sets the device up and
 * starts it. Registers of 64 bits come as two dwords. Under the BQL; the write that sets DRIVER_OK
 * is path C of design.md.
 */
#include "virtio_pci.h"

static struct VirtQueue *selected(struct VirtIOPCIProxy *proxy)
{
	struct VirtIODevice *vdev = proxy->vdev;

	return proxy->queue_select < vdev->n_queues ? &vdev->vq[proxy->queue_select] : NULL;
}

static uint64_t feature_word(uint64_t features, uint32_t select)
{
	return select < 2 ? (uint32_t)(features >> (32 * select)) : 0;
}

static uint64_t queue_read(const struct VirtQueue *vq, uint64_t addr)
{
	switch (addr) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return vq->layout.size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return vq->vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return vq->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return vq->index;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		return (uint32_t)vq->layout.desc_gpa;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return vq->layout.desc_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		return (uint32_t)vq->layout.avail_gpa;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return vq->layout.avail_gpa >> 32;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		return (uint32_t)vq->layout.used_gpa;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return vq->layout.used_gpa >> 32;
	default:
		return 0;
	}
}

static uint64_t virtio_pci_common_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct VirtIOPCIProxy *proxy = opaque;
	struct VirtIODevice *vdev = proxy->vdev;
	struct VirtQueue *vq = selected(proxy);

	switch (addr) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return proxy->device_feature_select;
	case VIRTIO_PCI_COMMON_DF:
		return feature_word(vdev->host_features, proxy->device_feature_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return proxy->driver_feature_select;
	case VIRTIO_PCI_COMMON_GF:
		return feature_word(vdev->guest_features, proxy->driver_feature_select);
	case VIRTIO_PCI_COMMON_MSIX:
		return vdev->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return vdev->n_queues;
	case VIRTIO_PCI_COMMON_STATUS:
		return atomic_load(&vdev->status);
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return vdev->generation;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return proxy->queue_select;
	default:
		/* 4.1.4.3.1: a queue that does not exist has size 0. */
		return vq ? queue_read(vq, addr) : 0;
	}
}

static void set_low(uint64_t *reg, uint64_t value)
{
	*reg = (*reg & ~0xffffffffull) | (uint32_t)value;
}

static void set_high(uint64_t *reg, uint64_t value)
{
	*reg = (uint32_t)*reg | value << 32;
}

/* Size and addresses: judged when the driver starts the device, by vring_start. */
static void layout_write(struct virtqueue_layout *layout, uint64_t addr, uint64_t value)
{
	switch (addr) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		layout->size = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		set_low(&layout->desc_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_high(&layout->desc_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		set_low(&layout->avail_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_high(&layout->avail_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		set_low(&layout->used_gpa, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_high(&layout->used_gpa, value);
		break;
	default:
		break;
	}
}

static void queue_write(struct VirtIOPCIProxy *proxy, struct VirtQueue *vq, uint64_t addr,
			uint64_t value)
{
	bool running = atomic_load(&vq->vdev->status) & VIRTIO_CONFIG_S_DRIVER_OK;

	if (addr == VIRTIO_PCI_COMMON_Q_MSIX)
		virtio_pci_set_vector(proxy, &vq->vector, (uint16_t)value);
	else if (vq->enabled || running)
		return; /* 4.1.4.3.2: set up first, then enabled, all before DRIVER_OK */
	else if (addr == VIRTIO_PCI_COMMON_Q_ENABLE)
		vq->enabled = value == 1;
	else if (addr != VIRTIO_PCI_COMMON_Q_SIZE || value <= vq->vdev->max_queue_size)
		layout_write(&vq->layout, addr, value);
}

static void feature_write(struct VirtIOPCIProxy *proxy, uint64_t value)
{
	struct VirtIODevice *vdev = proxy->vdev;

	/* 3.1.1: nothing is negotiated any more after FEATURES_OK. */
	if (atomic_load(&vdev->status) & VIRTIO_CONFIG_S_FEATURES_OK)
		return;
	if (proxy->driver_feature_select == 0)
		set_low(&vdev->guest_features, value);
	else if (proxy->driver_feature_select == 1)
		set_high(&vdev->guest_features, value);
}

static void status_write(struct VirtIOPCIProxy *proxy, uint8_t value)
{
	struct VirtIODevice *vdev = proxy->vdev;

	if (!value) {
		virtio_pci_reset(proxy);
		return;
	}
	virtio_set_status(vdev, value);
}

FRAME void virtio_pci_common_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct VirtIOPCIProxy *proxy = opaque;
	struct VirtQueue *vq = selected(proxy);

	switch (addr) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		proxy->device_feature_select = (uint32_t)value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		proxy->driver_feature_select = (uint32_t)value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		feature_write(proxy, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		virtio_pci_set_vector(proxy, &proxy->vdev->config_vector, (uint16_t)value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		status_write(proxy, (uint8_t)value);
		virtio_pci_start_ioeventfd(proxy);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		proxy->queue_select = (uint16_t)value;
		break;
	default:
		if (vq)
			queue_write(proxy, vq, addr, value);
		break;
	}
}

const struct MemoryRegionOps virtio_pci_common_ops = {
	.read = virtio_pci_common_read,
	.write = virtio_pci_common_write,
	.impl = { .min_access_size = 1, .max_access_size = 4 },
};
