// SPDX-License-Identifier: BSD-2-Clause
/*
 * virtio-blk: what it offers, its configuration space, its life. Main context.
 */
#include "virtio_blk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Left out on purpose: NOTIFICATION_DATA (an ioeventfd takes a kick by its address, and its value
 * is never seen), RING_RESET (Linux resets single rings of network devices only), IN_ORDER
 * (requests overtake each other), GEOMETRY, LIFETIME, SECURE_ERASE and ZONED (nothing to tell).
 */
static uint64_t virtio_blk_features(const struct virtio_blk_config *config)
{
	uint64_t features = 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_BLK_F_SEG_MAX |
			    1ull << VIRTIO_BLK_F_SIZE_MAX | 1ull << VIRTIO_BLK_F_BLK_SIZE |
			    1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_BLK_F_MQ |
			    1ull << VIRTIO_BLK_F_TOPOLOGY;
	bool read_only = blk_is_read_only(config->blk);

	features |= 1ull << (read_only ? VIRTIO_BLK_F_RO : VIRTIO_BLK_F_CONFIG_WCE);
	if (config->discard && !read_only)
		features |= 1ull << VIRTIO_BLK_F_DISCARD;
	if (config->write_zeroes && !read_only)
		features |= 1ull << VIRTIO_BLK_F_WRITE_ZEROES;
	if (config->event_idx)
		features |= 1ull << VIRTIO_RING_F_EVENT_IDX;
	if (config->indirect)
		features |= 1ull << VIRTIO_RING_F_INDIRECT_DESC;
	if (config->packed)
		features |= 1ull << VIRTIO_F_RING_PACKED;
	return features;
}

static int check_config(const struct virtio_blk_config *config, struct error *err)
{
	unsigned int size = config->queue_size;

	if (config->queues < 1 || config->queues > VIRTIO_MAX_QUEUES)
		return error_set(err, -EINVAL, "%s: %u queues: must be 1 to %d", config->name,
				 config->queues, VIRTIO_MAX_QUEUES);
	if (size && (size < 16 || size > VIRTQUEUE_MAX_SIZE || size & (size - 1)))
		return error_set(err, -EINVAL,
				 "%s: queue size %u: must be a power of two, 16 to %d",
				 config->name, size, VIRTQUEUE_MAX_SIZE);
	if (config->seg_max > VIRTIO_BLK_SEG_MAX || (size && config->seg_max > size - 2))
		return error_set(err, -EINVAL,
				 "%s: seg_max %u: must be at most %u and queue size - 2",
				 config->name, config->seg_max, VIRTIO_BLK_SEG_MAX);
	if (config->serial && strlen(config->serial) > VIRTIO_BLK_ID_BYTES)
		return error_set(err, -EINVAL, "%s: serial '%s': at most %d bytes", config->name,
				 config->serial, VIRTIO_BLK_ID_BYTES);
	return 0;
}

static void fill_config_space(struct VirtIOBlock *s, unsigned int queues)
{
	/* What O_DIRECT wants, or 1: smaller requests are bounced, or pass the page cache. */
	unsigned int physical_blocks =
		MAX(blk_request_alignment(s->blk), BDRV_SECTOR_SIZE) / BDRV_SECTOR_SIZE;

	s->config = (struct virtio_blk_config_space){
		.capacity = s->capacity_sectors,
		.size_max = VIRTIO_BLK_SIZE_MAX,
		.seg_max = s->seg_max,
		.blk_size = BDRV_SECTOR_SIZE,
		.physical_block_exp = __builtin_ctz(physical_blocks),
		.min_io_size = physical_blocks,
		.num_queues = queues,
		.max_discard_sectors = VIRTIO_BLK_MAX_RANGE_SECTORS,
		.max_discard_seg = VIRTIO_BLK_MAX_RANGES,
		.discard_sector_alignment = 1,
		.max_write_zeroes_sectors = VIRTIO_BLK_MAX_RANGE_SECTORS,
		.max_write_zeroes_seg = VIRTIO_BLK_MAX_RANGES,
		.write_zeroes_may_unmap = 1,
	};
	s->vdev.config = &s->config;
	s->vdev.config_len = sizeof(s->config);
}

/* 5.2.5: write-back, if the driver can flush. */
static void virtio_blk_negotiated(struct VirtIODevice *vdev)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);

	__atomic_store_n(&s->config.wce, virtio_has_feature(vdev, VIRTIO_BLK_F_FLUSH),
			 __ATOMIC_RELAXED);
}

/* One field is the driver's: how writes are acknowledged, from the next one on. */
static void virtio_blk_write_config(struct VirtIODevice *vdev, unsigned int offset, uint64_t value,
				    unsigned int size)
{
	struct VirtIOBlock *s = virtio_blk_of(vdev);

	if (offset == offsetof(struct virtio_blk_config_space, wce) && size == 1 &&
	    virtio_has_feature(vdev, VIRTIO_BLK_F_CONFIG_WCE))
		__atomic_store_n(&s->config.wce, value != 0, __ATOMIC_RELAXED);
}

static const struct virtio_device_ops virtio_blk_ops = {
	.negotiated = virtio_blk_negotiated,
	.write_config = virtio_blk_write_config,
	.may_serve = virtio_blk_may_serve,
	.handle_output = virtio_blk_handle_vq,
	.start_ioeventfd = virtio_blk_data_plane_start,
	.stop_ioeventfd = virtio_blk_data_plane_stop,
	.reset = virtio_blk_drain,
};

static int init_fields(struct VirtIOBlock *s, const struct virtio_machine *machine,
		       const struct virtio_blk_config *config, struct error *err)
{
	const char *serial = config->serial ? config->serial : config->name;
	unsigned int size = config->queue_size ? config->queue_size : 256;

	s->name = strdup(config->name);
	if (!s->name)
		return error_set(err, -ENOMEM, "%s: no memory", config->name);
	memcpy(s->serial, serial, strnlen(serial, sizeof(s->serial)));
	s->blk = config->blk;
	s->iothread = config->iothread;
	s->stats = machine->stats;
	s->capacity_sectors = blk_getlength(config->blk) / BDRV_SECTOR_SIZE;
	s->seg_max = config->seg_max ? config->seg_max : MIN(size - 2, VIRTIO_BLK_SEG_MAX);
	s->vdev.name = s->name;
	s->vdev.ops = &virtio_blk_ops;
	s->vdev.ram = machine->ram;
	s->vdev.stats_page = machine->stats;
	s->vdev.host_features = virtio_blk_features(config);
	fill_config_space(s, config->queues);
	return virtio_blk_pools_init(s, config->queues, size, err);
}

static void free_fields(struct VirtIOBlock *s)
{
	virtio_blk_pools_release(s);
	free(s->name);
	free(s);
}

struct VirtIOBlock *virtio_blk_pci_new(const struct virtio_machine *machine,
				       const struct virtio_blk_config *config, struct error *err)
{
	unsigned int size = config->queue_size ? config->queue_size : 256;
	struct VirtIOBlock *s;

	if (check_config(config, err))
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s) {
		error_set(err, -ENOMEM, "%s: no memory", config->name);
		return NULL;
	}
	if (init_fields(s, machine, config, err))
		goto fail_fields;
	if (virtio_init(&s->vdev, blk_get_aio_context(s->blk), config->queues, size, err))
		goto fail_fields;
	if (virtio_pci_init(&s->pci, &s->vdev, machine->pci, VIRTIO_BLK_PCI_DEVICE_ID,
			    PCI_CLASS_STORAGE_SCSI, config->ioeventfd, err))
		goto fail_device;
	blk_set_dev_ops(s->blk, &virtio_blk_dev_ops, s);
	return s;

fail_device:
	virtio_release(&s->vdev);
fail_fields:
	free_fields(s);
	return NULL;
}

void virtio_blk_pci_free(struct VirtIOBlock *s)
{
	if (!s)
		return;
	virtio_blk_reset(s);
	blk_set_dev_ops(s->blk, NULL, NULL);
	virtio_pci_release(&s->pci);
	virtio_release(&s->vdev);
	free_fields(s);
}

void virtio_blk_reset(struct VirtIOBlock *s)
{
	virtio_pci_reset(&s->pci);
}

const char *virtio_blk_name(const struct VirtIOBlock *s)
{
	return s->name;
}
