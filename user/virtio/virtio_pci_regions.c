// SPDX-License-Identifier: BSD-2-Clause
/*
 * The structures in BAR 4 but for the common one, and the capabilities that say where they are,
 * among them the window through config space (virtio 1.2, 4.1.4). Under the BQL.
 */
#include "virtio_pci.h"

#include <string.h>
#include <linux/pci_regs.h>
#include <handoff/stats.h>

/* --- notify --- */

static uint64_t notify_read(void *opaque, uint64_t addr, unsigned int size)
{
	return 0;
}

/* A kick that left to user space; the value is not looked at, the address says it all. */
static void notify_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct VirtIOPCIProxy *proxy = opaque;
	uint64_t index = addr / VIRTIO_PCI_NOTIFY_MULTIPLIER;
	struct VirtQueue *vq;

	if (index >= proxy->vdev->n_queues || addr % VIRTIO_PCI_NOTIFY_MULTIPLIER)
		return;
	vq = &proxy->vdev->vq[index];
	stats_inc(&vq->stats->userspace_kicks);
	if (vq->host_notifier_enabled)
		virtio_queue_forward_kick(vq);
	else
		virtio_queue_kick_from_userspace(vq);
}

static const struct MemoryRegionOps notify_ops = { .read = notify_read, .write = notify_write };

/* --- ISR: no INTx here, but the bits are kept for drivers that look --- */

static uint64_t isr_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct VirtIOPCIProxy *proxy = opaque;

	return addr ? 0 : atomic_exchange(&proxy->vdev->isr, 0);
}

static void ignore_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
}

static const struct MemoryRegionOps isr_ops = { .read = isr_read, .write = ignore_write };

/* --- device configuration --- */

static uint64_t device_read(void *opaque, uint64_t addr, unsigned int size)
{
	const struct VirtIODevice *vdev = ((struct VirtIOPCIProxy *)opaque)->vdev;
	uint64_t value = 0;

	if (addr < vdev->config_len)
		memcpy(&value, (const char *)vdev->config + addr,
		       MIN(size, vdev->config_len - addr));
	return value;
}

static void device_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct VirtIODevice *vdev = ((struct VirtIOPCIProxy *)opaque)->vdev;

	if (addr < vdev->config_len && size <= vdev->config_len - addr)
		vdev->ops->write_config(vdev, addr, value, size);
}

static const struct MemoryRegionOps device_ops = { .read = device_read, .write = device_write };

/* --- capabilities --- */

static int add_cap(struct VirtIOPCIProxy *proxy, void *cap, unsigned int len, uint8_t type,
		   struct MemoryRegion *mr)
{
	struct virtio_pci_cap *head = cap;

	head->cap_len = len;
	head->cfg_type = type;
	if (mr) {
		head->bar = VIRTIO_PCI_MODERN_BAR;
		head->offset = mr->addr;
		head->length = mr->size;
	}
	/* The two bytes of the list's header are PCI's (PCI_CAP_SIZEOF counts two more). */
	return pci_add_capability(&proxy->pci, PCI_CAP_ID_VNDR,
				  (char *)cap + offsetof(struct virtio_pci_cap, cap_len), len);
}

static int add_capabilities(struct VirtIOPCIProxy *proxy)
{
	struct virtio_pci_cap common = { 0 }, isr = { 0 }, device = { 0 };
	struct virtio_pci_notify_cap notify = { .notify_off_multiplier =
							VIRTIO_PCI_NOTIFY_MULTIPLIER };
	struct virtio_pci_cfg_cap cfg = { 0 };
	int ret;

	ret = add_cap(proxy, &common, sizeof(common), VIRTIO_PCI_CAP_COMMON_CFG, &proxy->common);
	if (ret >= 0)
		ret = add_cap(proxy, &isr, sizeof(isr), VIRTIO_PCI_CAP_ISR_CFG, &proxy->isr);
	if (ret >= 0)
		ret = add_cap(proxy, &device, sizeof(device), VIRTIO_PCI_CAP_DEVICE_CFG,
			      &proxy->device);
	if (ret >= 0)
		ret = add_cap(proxy, &notify, sizeof(notify), VIRTIO_PCI_CAP_NOTIFY_CFG,
			      &proxy->notify);
	if (ret >= 0)
		ret = add_cap(proxy, &cfg, sizeof(cfg), VIRTIO_PCI_CAP_PCI_CFG, NULL);
	if (ret < 0)
		return ret;
	proxy->cfg_cap = ret;
	proxy->pci.wmask[proxy->cfg_cap + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(&proxy->pci.wmask[proxy->cfg_cap + VIRTIO_PCI_CAP_OFFSET], 0xff, 4);
	memset(&proxy->pci.wmask[proxy->cfg_cap + VIRTIO_PCI_CAP_LENGTH], 0xff, 4);
	memset(&proxy->pci.wmask[proxy->cfg_cap + sizeof(struct virtio_pci_cap)], 0xff, 4);
	return 0;
}

static void add_region(struct VirtIOPCIProxy *proxy, struct MemoryRegion *mr,
		       const struct MemoryRegionOps *ops, const char *name, uint64_t offset,
		       uint64_t size)
{
	memory_region_init_io(mr, ops, proxy, name, size);
	memory_region_add_subregion(&proxy->bar, offset, mr);
}

int virtio_pci_add_regions(struct VirtIOPCIProxy *proxy, struct error *err)
{
	struct VirtIODevice *vdev = proxy->vdev;
	int ret;

	memory_region_init(&proxy->bar, "virtio-pci", VIRTIO_PCI_BAR_BYTES);
	add_region(proxy, &proxy->common, &virtio_pci_common_ops, "virtio-pci-common",
		   VIRTIO_PCI_COMMON_OFFSET, sizeof(struct virtio_pci_common_cfg));
	add_region(proxy, &proxy->isr, &isr_ops, "virtio-pci-isr", VIRTIO_PCI_ISR_OFFSET, 4);
	add_region(proxy, &proxy->device, &device_ops, "virtio-pci-device",
		   VIRTIO_PCI_DEVICE_OFFSET, ROUND_UP(vdev->config_len, 4));
	add_region(proxy, &proxy->notify, &notify_ops, "virtio-pci-notify",
		   VIRTIO_PCI_NOTIFY_OFFSET, vdev->n_queues * VIRTIO_PCI_NOTIFY_MULTIPLIER);
	pci_register_bar(&proxy->pci, VIRTIO_PCI_MODERN_BAR, &proxy->bar, false);
	ret = add_capabilities(proxy);
	if (ret)
		return error_set(err, ret, "%s: no room for the virtio capabilities", vdev->name);
	return 0;
}

void virtio_pci_release_regions(struct VirtIOPCIProxy *proxy)
{
	struct MemoryRegion *const sub[] = { &proxy->common, &proxy->isr, &proxy->device,
					     &proxy->notify };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sub); i++) {
		memory_region_del_subregion(&proxy->bar, sub[i]);
		memory_region_release(sub[i]);
	}
	memory_region_release(&proxy->bar);
}

/* --- the window (4.1.4.9): config accesses that become accesses to BAR 4 --- */

/* The structure [offset, offset + len) lies in, and where in it; NULL if it is no valid access. */
static struct MemoryRegion *window_target(struct VirtIOPCIProxy *proxy, uint64_t *addr,
					  unsigned int *len)
{
	struct MemoryRegion *const sub[] = { &proxy->common, &proxy->isr, &proxy->device,
					     &proxy->notify };
	const struct pci_device *pci = &proxy->pci;
	uint32_t offset = pci_config_stored(pci, proxy->cfg_cap + VIRTIO_PCI_CAP_OFFSET, 4);
	unsigned int i;

	*len = pci_config_stored(pci, proxy->cfg_cap + VIRTIO_PCI_CAP_LENGTH, 4);
	if ((*len != 1 && *len != 2 && *len != 4) || offset % *len ||
	    pci->config[proxy->cfg_cap + VIRTIO_PCI_CAP_BAR] != VIRTIO_PCI_MODERN_BAR)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(sub); i++) {
		*addr = (uint64_t)offset - sub[i]->addr;
		if (*addr < sub[i]->size && *len <= sub[i]->size - *addr)
			return sub[i];
	}
	return NULL;
}

static bool in_window(const struct VirtIOPCIProxy *proxy, unsigned int where)
{
	unsigned int data = proxy->cfg_cap + sizeof(struct virtio_pci_cap);

	return where >= data && where < data + 4;
}

uint32_t virtio_pci_cap_read(struct pci_device *dev, unsigned int where, unsigned int size)
{
	struct VirtIOPCIProxy *proxy = container_of(dev, struct VirtIOPCIProxy, pci);
	struct MemoryRegion *mr;
	uint64_t addr, value = 0;
	unsigned int len;

	if (in_window(proxy, where)) {
		mr = window_target(proxy, &addr, &len);
		if (mr && memory_region_dispatch_read(mr, addr, &value, len) == MEMTX_OK)
			memcpy(&dev->config[proxy->cfg_cap + sizeof(struct virtio_pci_cap)], &value,
			       len);
	}
	return pci_config_stored(dev, where, size);
}

void virtio_pci_cap_write(struct pci_device *dev, unsigned int where, uint32_t value,
			  unsigned int size)
{
	struct VirtIOPCIProxy *proxy = container_of(dev, struct VirtIOPCIProxy, pci);
	struct MemoryRegion *mr;
	uint64_t addr;
	unsigned int len;

	if (!in_window(proxy, where))
		return;
	mr = window_target(proxy, &addr, &len);
	if (mr)
		memory_region_dispatch_write(
			mr, addr,
			pci_config_stored(dev, proxy->cfg_cap + sizeof(struct virtio_pci_cap), len),
			len);
}
