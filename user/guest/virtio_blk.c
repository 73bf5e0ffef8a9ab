// SPDX-License-Identifier: BSD-2-Clause
/* Finding a virtio disk, reading its config space, starting and restarting its queues. Requests are
 * made in request.c. */
#include "virtio_blk.h"

#include "guest.h"

#define ID_BLK_TRANSITIONAL 0x10011af4
#define ID_BLK_MODERN	    0x10421af4

#define F_SIZE_MAX     (1ull << 1)
#define F_SEG_MAX      (1ull << 2)
#define F_RO	       (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH	       (1ull << 9)
#define F_MQ	       (1ull << 12)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

/* struct virtio_blk_config */
#define CONFIG_CAPACITY	  0
#define CONFIG_SIZE_MAX	  8
#define CONFIG_SEG_MAX	  12
#define CONFIG_BLK_SIZE	  20
#define CONFIG_NUM_QUEUES 34

#define PCI_DEVFNS 256

static bool find(struct virtio_blk *blk, struct pci_host *host, uint32_t n)
{
	struct pci_function fn;
	bool multi = false;

	for (uint32_t devfn = 0; devfn < PCI_DEVFNS; devfn++) {
		/* Functions 1-7 are only decoded where function 0 says so. */
		if (devfn & 7 && !multi)
			continue;
		if (!pci_function_get(host, devfn, &fn)) {
			if (!(devfn & 7))
				multi = false;
			continue;
		}
		if (!(devfn & 7))
			multi = pci_function_is_multi(&fn);
		if (fn.id != ID_BLK_MODERN && fn.id != ID_BLK_TRANSITIONAL)
			continue;
		if (n--)
			continue;
		blk->dev.fn = fn;
		return virtio_pci_probe(&blk->dev);
	}
	return false;
}

static uint32_t config_read32(const struct virtio_blk *blk, uint32_t offset)
{
	return mmio_read32(blk->dev.config + offset);
}

static void read_config(struct virtio_blk *blk)
{
	uint64_t features = blk->dev.features;

	/* The capacity may change under us only by a resize, which no run of ours expects. */
	blk->capacity_sectors = config_read32(blk, CONFIG_CAPACITY);
	blk->capacity_sectors |= (uint64_t)config_read32(blk, CONFIG_CAPACITY + 4) << 32;
	blk->size_max = features & F_SIZE_MAX ? config_read32(blk, CONFIG_SIZE_MAX) : 0;
	blk->seg_max = features & F_SEG_MAX ? config_read32(blk, CONFIG_SEG_MAX) : 0;
	blk->block_bytes = features & F_BLK_SIZE ? config_read32(blk, CONFIG_BLK_SIZE) : 0;
	if (!blk->block_bytes)
		blk->block_bytes = SECTOR_BYTES;
	blk->nr_device_queues = 1;
	if (features & F_MQ)
		blk->nr_device_queues = mmio_read16(blk->dev.config + CONFIG_NUM_QUEUES);
	if (!blk->nr_device_queues || blk->nr_device_queues > virtio_num_queues(&blk->dev))
		die(GUEST_EXIT_DEVICE, "the disk claims %u queues, its transport %u",
		    blk->nr_device_queues, (uint32_t)virtio_num_queues(&blk->dev));
	blk->read_only = features & F_RO;
	blk->has_flush = features & F_FLUSH;
	blk->has_discard = features & F_DISCARD;
	blk->has_zeroes = features & F_WRITE_ZEROES;
}

void virtio_blk_open(struct virtio_blk *blk, struct pci_host *host, uint32_t n,
		     const struct virtio_blk_options *options)
{
	if (!find(blk, host, n))
		die(GUEST_EXIT_DEVICE, "no modern virtio disk number %u on PCI bus 0 (%s)", n,
		    host->ecam ? "by ECAM" : "by ports");
	if (options->need_irq && !blk->dev.has_msix)
		die(GUEST_EXIT_DEVICE, "completion=irq needs MSI-X, which the disk has not");
	blk->want_features = F_SIZE_MAX | F_SEG_MAX | F_RO | F_BLK_SIZE | F_FLUSH | F_MQ |
			     F_DISCARD | F_WRITE_ZEROES;
	if (!options->no_event_idx)
		blk->want_features |= VIRTIO_F_EVENT_IDX;
	if (options->indirect)
		blk->want_features |= VIRTIO_F_INDIRECT_DESC;
	if (!options->no_packed)
		blk->want_features |= VIRTIO_F_RING_PACKED;
	virtio_reset(&blk->dev);
	virtio_negotiate(&blk->dev, blk->want_features);
	if (options->indirect && !(blk->dev.features & VIRTIO_F_INDIRECT_DESC))
		die(GUEST_EXIT_DEVICE, "indirect=1: the disk does not offer it");
	read_config(blk);
}

static void enable_queues(struct virtio_blk *blk)
{
	for (uint32_t i = 0; i < blk->nr_queues; i++) {
		virtq_restart(&blk->vq[i], blk->dev.features & VIRTIO_F_EVENT_IDX);
		virtio_queue_enable(&blk->dev, &blk->vq[i]);
	}
	virtio_driver_ok(&blk->dev);
}

void virtio_blk_start(struct virtio_blk *blk, uint32_t nr_queues, uint32_t data_segments)
{
	bool indirect = blk->dev.features & VIRTIO_F_INDIRECT_DESC;
	bool packed = blk->dev.features & VIRTIO_F_RING_PACKED;
	uint32_t size;

	blk->nr_queues = nr_queues;
	for (uint32_t i = 0; i < nr_queues; i++) {
		size = MIN(virtio_queue_max(&blk->dev, (uint16_t)i), VIRTQ_MAX_SIZE);
		if (!size || (!packed && size & (size - 1)))
			die(GUEST_EXIT_DEVICE, "queue %u has size %u", i, size);
		/* Header and status come on top. */
		virtq_init(&blk->vq[i], (uint16_t)i, size, data_segments + 2, indirect, packed);
	}
	enable_queues(blk);
}

void virtio_blk_restart(struct virtio_blk *blk)
{
	virtio_reset(&blk->dev);
	virtio_negotiate(&blk->dev, blk->want_features);
	enable_queues(blk);
}
