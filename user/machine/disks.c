// SPDX-License-Identifier: BSD-2-Clause
/*
 * Disks: a block graph (file or null, delay above it), a backend, a virtio-blk device, each undone
 * in reverse and flushed at the end. Main context. Neighbours: board.c, iothreads.c; user/block and
 * user/virtio do the work.
 */
#include "board.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <handoff/block.h>
#include <handoff/log.h>
#include <handoff/main_loop.h>
#include <handoff/virtio.h>

#define NULL_DRIVER "null"

static struct BlockDriverState *driver_new(const struct machine_disk *d, struct error *err)
{
	struct bdrv_file_config file = {
		.path = d->file,
		.direct = d->cache == MACHINE_CACHE_DIRECT,
		.read_only = d->read_only,
		.create_bytes = d->size_bytes,
	};

	if (!strcmp(d->file, NULL_DRIVER))
		return bdrv_null_new(d->size_bytes, false, err);
	return bdrv_file_new(&file, err);
}

static struct BlockDriverState *graph_new(const struct machine_disk *d, unsigned int index,
					  struct error *err)
{
	enum bdrv_delay_law law = d->delay_exponential ? BDRV_DELAY_EXPONENTIAL : BDRV_DELAY_FIXED;
	struct BlockDriverState *driver = driver_new(d, err), *delay;

	if (!driver || !d->delay_ns)
		return driver;
	/* The seed only has to differ between disks: runs are repeatable. */
	delay = bdrv_delay_new(driver, law, (int64_t)d->delay_ns, index + 1, err);
	bdrv_unref(driver);
	return delay;
}

static int disk_start(struct machine *m, unsigned int index, struct error *err)
{
	const struct virtio_machine virtio = { .pci = m->pci, .ram = m->ram, .stats = m->stats };
	const struct machine_disk *d = &m->config->disk[index];
	struct board_disk *disk = &m->disk[index];
	struct virtio_blk_config config = {
		.name = disk->name,
		.serial = d->serial,
		.queues = d->queues ? d->queues : 1,
		.queue_size = d->queue_size,
		.ioeventfd = d->ioeventfd,
		.event_idx = true,
		.indirect = true,
		.packed = d->packed,
		.discard = true,
		.write_zeroes = true,
	};
	struct BlockDriverState *root;
	int ret;

	ret = board_iothread_find(m, d->iothread, &config.iothread, err);
	root = ret ? NULL : graph_new(d, index, err);
	if (!root) {
		/* From here on they say it themselves. */
		error_prefix(err, "%s", disk->name);
		return ret ? ret : -EIO;
	}
	disk->blk = blk_new(disk->name, root, err);
	bdrv_unref(root);
	if (!disk->blk)
		return -ENOMEM;
	config.blk = disk->blk;
	disk->vblk = virtio_blk_pci_new(&virtio, &config, err);
	if (disk->vblk)
		return 0;
	blk_unref(disk->blk);
	return -EIO;
}

struct flush {
	struct BlkRequest req;
	bool done;
	int ret;
};

static void flush_done(struct BlkRequest *req, int ret)
{
	struct flush *flush = container_of(req, struct flush, req);

	flush->ret = ret;
	flush->done = true;
	aio_wait_kick();
}

/* The device is gone, so the backend is in the main context and completes here. */
static int disk_flush(struct board_disk *disk)
{
	struct flush flush = { .req = { .type = BLK_FLUSH, .cb = flush_done } };

	blk_submit(disk->blk, &flush.req);
	AIO_WAIT_WHILE(!flush.done);
	return flush.ret;
}

static void disk_stop(struct machine *m, struct board_disk *disk)
{
	int ret;

	virtio_blk_pci_free(disk->vblk);
	ret = blk_is_read_only(disk->blk) ? 0 : disk_flush(disk);
	if (ret) {
		log_error("%s: the last flush failed: %s: recent writes may not be on the disk",
			  disk->name, strerror(-ret));
		if (!m->flush_error)
			m->flush_error = ret;
	}
	blk_unref(disk->blk);
}

static int judge_disk(struct machine *m, unsigned int index, struct error *err)
{
	const struct machine_disk *d = &m->config->disk[index];
	struct board_disk *disk = &m->disk[index];
	unsigned int i;

	if (d->id)
		snprintf(disk->name, sizeof(disk->name), "%s", d->id);
	else
		snprintf(disk->name, sizeof(disk->name), "disk%u", index);
	if (d->id && strlen(d->id) >= sizeof(disk->name))
		return error_set(err, -EINVAL, "its name is longer than %zu characters",
				 sizeof(disk->name) - 1);
	for (i = 0; i < index; i++) {
		if (!strcmp(m->disk[i].name, disk->name))
			return error_set(err, -EEXIST, "there are two of them");
	}
	return d->file ? 0 : error_set(err, -EINVAL, "it has no file");
}

int board_disks_start(struct machine *m, struct error *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < m->config->n_disks; i++) {
		ret = judge_disk(m, i, err);
		if (ret)
			error_prefix(err, "%s", m->disk[i].name);
		else
			ret = disk_start(m, i, err);
		if (ret)
			goto stop;
	}
	return 0;

stop:
	while (i--)
		disk_stop(m, &m->disk[i]);
	return ret;
}

void board_disks_stop(struct machine *m)
{
	unsigned int i = m->config->n_disks;

	while (i--)
		disk_stop(m, &m->disk[i]);
}

struct VirtIOBlock *board_disk_find(struct machine *m, const char *name, struct error *err)
{
	unsigned int i;

	for (i = 0; name && i < m->config->n_disks; i++) {
		if (!strcmp(m->disk[i].name, name))
			return m->disk[i].vblk;
	}
	error_set(err, -ENOENT, "there is no disk '%s'", name ? name : "");
	return NULL;
}
