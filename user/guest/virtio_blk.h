/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk (virtio 1.2, section 5.2): what it offers, its queues, and the layout of its
 * requests. */
#ifndef GUEST_VIRTIO_BLK_H
#define GUEST_VIRTIO_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "virtio_pci.h"
#include "virtq.h"

#define SECTOR_BYTES	      512
#define BLK_MAX_QUEUES	      32
/* Segments of data in one request, besides header and status. */
#define BLK_MAX_DATA_SEGMENTS 62

enum blk_op {
	BLK_IN = 0,
	BLK_OUT = 1,
	BLK_FLUSH = 4,
	BLK_GET_ID = 8,
	BLK_DISCARD = 11,
	BLK_WRITE_ZEROES = 13,
};

enum blk_status {
	BLK_OK = 0,
	BLK_IOERR = 1,
	BLK_UNSUPP = 2,
	BLK_NO_STATUS = 0xff, /* ours: what the byte holds until the device writes it */
};

struct virtio_blk_outhdr {
	uint32_t type;
	uint32_t ioprio;
	uint64_t sector;
};

/* Data of BLK_DISCARD and BLK_WRITE_ZEROES. */
struct virtio_blk_range {
	uint64_t sector;
	uint32_t num_sectors;
	uint32_t flags;
};

struct virtio_blk_options {
	bool no_event_idx;
	bool indirect;
	bool no_packed;
	bool need_irq;
};

struct virtio_blk {
	struct virtio_device dev;
	uint64_t capacity_sectors;
	uint32_t block_bytes;
	uint32_t size_max; /* bytes in one segment */
	uint32_t seg_max;  /* data segments in one request */
	bool read_only;
	bool has_flush;
	bool has_discard;
	bool has_zeroes;
	uint32_t nr_device_queues;
	uint64_t want_features;
	struct virtq vq[BLK_MAX_QUEUES];
	uint32_t nr_queues; /* in use */
};

/* The n-th virtio disk of bus 0, reset and with its features negotiated; dies if there is none. */
void virtio_blk_open(struct virtio_blk *blk, struct pci_host *host, uint32_t n,
		     const struct virtio_blk_options *options);
/* Sets up the first nr_queues queues for requests of up to data_segments segments, and starts the
 * device. */
void virtio_blk_start(struct virtio_blk *blk, uint32_t nr_queues, uint32_t data_segments);
/* Device reset with whatever is in flight, and the same set-up anew with empty rings. */
void virtio_blk_restart(struct virtio_blk *blk);

#endif
