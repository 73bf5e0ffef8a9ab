/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio 1.2 devices: the transport-independent device with its queues, the PCI transport,
 * virtio-blk and its dataplane.
 *
 * Threads: control (status, features, config, start and stop) under the BQL. A queue is served by
 * one AioContext at a time: that of the device's loop while ioeventfds are started, else the main
 * context (kicks from user space).
 */
#ifndef HANDOFF_VIRTIO_H
#define HANDOFF_VIRTIO_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

struct AioContext;
struct BlockBackend;
struct EventNotifier;
struct IOThread;
struct VirtIODevice;
struct VirtQueue;
struct guest_ram;
struct pci_host;
struct stats_page;

/* --- virtio-blk on virtio-pci ----------------------------------------------------------------- */

struct virtio_blk_config {
	const char *name;	   /* "disk0"; also the stats row and the default serial */
	const char *serial;	   /* GET_ID, at most 20 bytes; NULL = name */
	struct BlockBackend *blk;  /* must outlive the device */
	struct IOThread *iothread; /* NULL = the main loop serves it */
	unsigned int queues;	   /* 1..16 */
	unsigned int queue_size;   /* power of two, 16..1024; 0 = 256 */
	bool ioeventfd;		   /* off: every kick leaves to user space */
	bool event_idx;		   /* offered */
	bool indirect;		   /* offered */
	bool packed;		   /* offered: the packed ring (virtio 1.2, 2.8) */
	uint32_t seg_max;	   /* data segments of a request; 0 = queue_size - 2, at most 254 */
	bool discard, write_zeroes; /* offered (never on a read-only disk) */
};

struct virtio_machine {
	struct pci_host *pci;
	struct guest_ram *ram;
	struct stats_page *stats; /* may be NULL */
};

struct VirtIOBlock;

/* Plugged into the PCI bus; BARs not yet placed. Main context. NULL with err. */
struct VirtIOBlock *virtio_blk_pci_new(const struct virtio_machine *machine,
				       const struct virtio_blk_config *config,
				       struct error *err) MUST_CHECK;
/* Stops it, completes what is in flight, unplugs. Main context. */
void virtio_blk_pci_free(struct VirtIOBlock *vblk);
/* Machine reset: stop, reset, status 0. Main context. */
void virtio_blk_reset(struct VirtIOBlock *vblk);
const char *virtio_blk_name(const struct VirtIOBlock *vblk);

/*
 * Hands the disk over to another loop (NULL = main loop) while the guest runs: drained, moved,
 * resumed with a self-kick; nothing is lost or reordered. Recorded in the stats page as a handover.
 * Main context. 0, or -errno with err and nothing changed.
 */
int virtio_blk_set_iothread(struct VirtIOBlock *vblk, struct IOThread *iothread,
			    struct error *err) MUST_CHECK;
/* NULL = main loop. */
struct IOThread *virtio_blk_get_iothread(const struct VirtIOBlock *vblk);
/* Is the dataplane started, i.e. do kicks arrive by ioeventfd? */
bool virtio_blk_started(const struct VirtIOBlock *vblk);

/*
 * Does a kick wait in the queue's eventfd, not yet taken? False too while kicks do not come by
 * eventfd. Makes a system call, changes nothing. Main context.
 */
bool virtio_blk_kick_waits(const struct VirtIOBlock *vblk, unsigned int queue);

/*
 * For tests of `lost`: keeps the queue handlers from serving while held; kicks pile up. Main
 * context.
 */
void virtio_blk_hold_handlers(struct VirtIOBlock *vblk, bool hold);

#endif
