// SPDX-License-Identifier: BSD-2-Clause
/*
 * Driver's side of modern virtio-pci. Every access is an exit to user space (27 us on a software
 * KVM): set-up and resets only. The rings are in virtq.c, the disk in virtio_blk.c.
 */
#include "virtio_pci.h"

#include "guest.h"
#include "virtq.h"

#define CAP_VENDOR	      0x09
#define CAP_TYPE	      3
#define CAP_BAR		      4
#define CAP_OFFSET	      8
#define CAP_LENGTH	      12
#define CAP_NOTIFY_MULTIPLIER 16
#define CAP_TYPE_COMMON	      1
#define CAP_TYPE_NOTIFY	      2
#define CAP_TYPE_DEVICE	      4

/* struct virtio_pci_common_cfg */
#define COMMON_DEVICE_FEATURE_SELECT 0
#define COMMON_DEVICE_FEATURE	     4
#define COMMON_DRIVER_FEATURE_SELECT 8
#define COMMON_DRIVER_FEATURE	     12
#define COMMON_MSIX_CONFIG	     16
#define COMMON_NUM_QUEUES	     18
#define COMMON_STATUS		     20
#define COMMON_QUEUE_SELECT	     22
#define COMMON_QUEUE_SIZE	     24
#define COMMON_QUEUE_MSIX	     26
#define COMMON_QUEUE_ENABLE	     28
#define COMMON_QUEUE_NOTIFY_OFF	     30
#define COMMON_QUEUE_DESC	     32
#define COMMON_QUEUE_DRIVER	     40
#define COMMON_QUEUE_DEVICE	     48
#define COMMON_BYTES		     56

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER	   2
#define STATUS_DRIVER_OK   4
#define STATUS_FEATURES_OK 8
#define STATUS_FAILED	   128
#define NO_VECTOR	   0xffff
/* Looks at the status register before a reset is given up: 10 s on a software KVM, less elsewhere.
 */
#define RESET_PATIENCE	   400000

static void write_status(const struct virtio_device *dev, uint8_t status)
{
	mmio_write8(dev->common + COMMON_STATUS, status);
}

static uint8_t read_status(const struct virtio_device *dev)
{
	return mmio_read8(dev->common + COMMON_STATUS);
}

/* 4.1.4: the driver uses the first capability of each type that it can. */
static void take_block(struct virtio_device *dev, uint8_t cap)
{
	const struct pci_function *fn = &dev->fn;
	uint32_t bar = pci_read8(fn, cap + CAP_BAR);
	uint32_t offset = pci_read32(fn, cap + CAP_OFFSET);
	uint32_t length = pci_read32(fn, cap + CAP_LENGTH);

	switch (pci_read8(fn, cap + CAP_TYPE)) {
	case CAP_TYPE_COMMON:
		if (!dev->common && length >= COMMON_BYTES)
			dev->common = pci_bar_map(fn, bar, offset, length);
		break;
	case CAP_TYPE_NOTIFY:
		if (dev->notify)
			break;
		dev->notify = pci_bar_map(fn, bar, offset, length);
		dev->notify_multiplier = pci_read32(fn, cap + CAP_NOTIFY_MULTIPLIER);
		break;
	case CAP_TYPE_DEVICE:
		if (dev->config)
			break;
		dev->config = pci_bar_map(fn, bar, offset, length);
		dev->config_bytes = length;
		break;
	default: /* ISR: no INTx here. PCI access: not needed. */
		break;
	}
}

bool virtio_pci_probe(struct virtio_device *dev)
{
	uint8_t cap = 0;

	pci_function_enable(&dev->fn);
	while ((cap = pci_cap_next(&dev->fn, CAP_VENDOR, cap)))
		take_block(dev, cap);
	if (!dev->common || !dev->notify || !dev->config)
		return false;
	dev->has_msix = pci_msix_init(&dev->fn, &dev->msix);
	for (uint32_t i = 0; dev->has_msix && i < MIN(dev->msix.entries, IRQ_TIMER); i++)
		pci_msix_set(&dev->msix, i, IRQ_VECTOR_BASE + i);
	return true;
}

void virtio_reset(struct virtio_device *dev)
{
	write_status(dev, 0);
	for (uint32_t looks = 0; read_status(dev); looks++) {
		if (looks == RESET_PATIENCE)
			die(GUEST_EXIT_DEVICE, "the device does not finish its reset");
		cpu_relax();
	}
}

void virtio_negotiate(struct virtio_device *dev, uint64_t driver_features)
{
	uint64_t offered = 0;

	write_status(dev, STATUS_ACKNOWLEDGE);
	write_status(dev, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		mmio_write32(dev->common + COMMON_DEVICE_FEATURE_SELECT, i);
		offered |= (uint64_t)mmio_read32(dev->common + COMMON_DEVICE_FEATURE) << 32 * i;
	}
	dev->features = offered & (driver_features | VIRTIO_F_VERSION_1);
	for (uint32_t i = 0; i < 2; i++) {
		mmio_write32(dev->common + COMMON_DRIVER_FEATURE_SELECT, i);
		mmio_write32(dev->common + COMMON_DRIVER_FEATURE,
			     (uint32_t)(dev->features >> 32 * i));
	}
	write_status(dev, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
	if (!(dev->features & VIRTIO_F_VERSION_1) || !(read_status(dev) & STATUS_FEATURES_OK)) {
		write_status(dev, STATUS_FAILED);
		die(GUEST_EXIT_DEVICE, "features refused: offered 0x%lx, taken 0x%lx", offered,
		    dev->features);
	}
	mmio_write16(dev->common + COMMON_MSIX_CONFIG, NO_VECTOR);
}

uint16_t virtio_num_queues(const struct virtio_device *dev)
{
	return mmio_read16(dev->common + COMMON_NUM_QUEUES);
}

uint16_t virtio_queue_max(const struct virtio_device *dev, uint16_t index)
{
	mmio_write16(dev->common + COMMON_QUEUE_SELECT, index);
	return mmio_read16(dev->common + COMMON_QUEUE_SIZE);
}

static void write_address(const struct virtio_device *dev, uint32_t offset, const void *at)
{
	mmio_write32(dev->common + offset, (uint32_t)(uint64_t)at);
	mmio_write32(dev->common + offset + 4, (uint32_t)((uint64_t)at >> 32));
}

void virtio_queue_enable(struct virtio_device *dev, struct virtq *vq)
{
	uint16_t vector = NO_VECTOR;

	mmio_write16(dev->common + COMMON_QUEUE_SELECT, vq->index);
	mmio_write16(dev->common + COMMON_QUEUE_SIZE, (uint16_t)vq->size);
	if (dev->has_msix) {
		/* Fewer vectors than queues: queues share. */
		vector = (uint16_t)(vq->index % MIN(dev->msix.entries, IRQ_TIMER));
		mmio_write16(dev->common + COMMON_QUEUE_MSIX, vector);
		if (mmio_read16(dev->common + COMMON_QUEUE_MSIX) != vector)
			die(GUEST_EXIT_DEVICE, "queue %u: vector %u refused", (uint32_t)vq->index,
			    (uint32_t)vector);
	}
	vq->vector = vector;
	write_address(dev, COMMON_QUEUE_DESC, vq->area[0]);
	write_address(dev, COMMON_QUEUE_DRIVER, vq->area[1]);
	write_address(dev, COMMON_QUEUE_DEVICE, vq->area[2]);
	vq->notify_gpa = dev->notify + (uint64_t)dev->notify_multiplier *
					       mmio_read16(dev->common + COMMON_QUEUE_NOTIFY_OFF);
	mmio_write16(dev->common + COMMON_QUEUE_ENABLE, 1);
}

void virtio_driver_ok(struct virtio_device *dev)
{
	write_status(dev,
		     STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK);
}
