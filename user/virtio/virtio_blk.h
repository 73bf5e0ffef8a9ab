/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-blk (virtio 1.2, 5.2): the device over its block backend. virtio_blk.c has life and
 * configuration, virtio_blk_req.c requests, virtio_blk_dataplane.c who serves it.
 *
 * Threads: a queue's pool belongs to its server (virtio_device.h); so do its requests, whose
 * completions come in the same context. The rest is for the main context.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include <handoff/block.h>
#include "virtio_blk_abi.h"
#include "virtio_device.h"
#include "virtio_pci.h"

/* Ranges of one DISCARD or WRITE_ZEROES; Linux merges so many. */
#define VIRTIO_BLK_MAX_RANGES	     16
/* Sectors of a range: 2 GiB less one alignment, what fits the drivers' signed 32 bits of bytes. */
#define VIRTIO_BLK_MAX_RANGE_SECTORS 0x3ffff8
/* Of one data segment, if SIZE_MAX was negotiated. */
#define VIRTIO_BLK_SIZE_MAX	     (4u << 20)
#define VIRTIO_BLK_SEG_MAX	     254u

struct VirtIOBlock;

/* A request from pop to push. Allocated once per place in the queue. */
struct VirtIOBlockReq {
	struct BlkRequest blk;
	struct VirtIOBlock *s;
	struct VirtQueue *vq;
	struct VirtIOBlockReq *next_free;
	bool busy;	/* not in the pool */
	uint32_t epoch; /* vq->epoch when popped */
	struct virtqueue_chain chain;
	uint32_t type;		  /* as the guest wrote it */
	uint32_t data_bytes;	  /* written to the guest if all goes well */
	volatile uint8_t *status; /* the guest's */
	bool flush_after;	  /* write-through: stable before it is acknowledged */
	unsigned int n_ranges, range;
	struct virtio_blk_discard_write_zeroes ranges[VIRTIO_BLK_MAX_RANGES];
	struct iovec iov[]; /* seg_max data segments */
};

struct virtio_blk_pool {
	char *memory; /* requests, one after the other */
	struct VirtIOBlockReq *free;
	struct VirtQueueElement *elem; /* scratch for a chain */
};

struct VirtIOBlock {
	struct VirtIODevice vdev;
	struct VirtIOPCIProxy pci;
	char *name;
	char serial[VIRTIO_BLK_ID_BYTES];
	struct BlockBackend *blk;
	struct stats_page *stats;
	uint64_t capacity_sectors;
	uint32_t seg_max;
	struct virtio_blk_config_space config;
	struct virtio_blk_pool pool[VIRTIO_MAX_QUEUES];

	/* Main context. */
	struct IOThread *iothread; /* wanted; in force while started */
	bool starting, started;	   /* started is false whenever a drain must not attach */
	bool moving;		   /* a hand-over is under way */

	/* any thread */
	_Atomic bool held;		/* virtio_blk_hold_handlers */
	_Atomic unsigned int quiescing; /* times a loop has yet to show that it left our handlers */
};

static inline struct VirtIOBlock *virtio_blk_of(struct VirtIODevice *vdev)
{
	return container_of(vdev, struct VirtIOBlock, vdev);
}

/* virtio_blk_req.c */
int virtio_blk_pools_init(struct VirtIOBlock *s, unsigned int queues, unsigned int queue_size,
			  struct error *err) MUST_CHECK;
void virtio_blk_pools_release(struct VirtIOBlock *s);
/* virtio_device_ops.handle_output */
bool virtio_blk_handle_vq(struct VirtIODevice *vdev, struct VirtQueue *vq);

/* virtio_blk_dataplane.c */
extern const struct BlockDevOps virtio_blk_dev_ops;
bool virtio_blk_may_serve(struct VirtIODevice *vdev);
FRAME int virtio_blk_data_plane_start(struct VirtIODevice *vdev);
void virtio_blk_data_plane_stop(struct VirtIODevice *vdev);
void virtio_blk_drain(struct VirtIODevice *vdev);

#endif
