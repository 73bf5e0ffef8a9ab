/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's virtio-blk driver, for tests on the fake board: finds the device through config space,
 * sets it up by MMIO, and does requests. A vCPU's doing: from any thread, one at a time per queue.
 */
#ifndef TESTS_GUEST_BLK_H
#define TESTS_GUEST_BLK_H

#include <lib/fake_board.h>
#include <lib/guest_ring.h>

#define GUEST_BLK_QUEUES	16
#define GUEST_BLK_MAX_IN_FLIGHT 256
/* Each request has data room of this at guest_blk_data_gpa(). */
#define GUEST_BLK_DATA_BYTES	4096

struct guest_blk_queue {
	struct guest_ring ring;
	uint64_t notify_gpa;
	uint64_t area_gpa; /* headers, statuses, indirect tables and data of its requests */
	uint64_t kicks;	   /* sent */
	uint64_t kicks_suppressed;
	uint64_t submitted, completed;
};

struct guest_blk {
	struct fake_board *board;
	unsigned int slot, n_queues;
	uint64_t common_gpa, notify_gpa, isr_gpa, device_gpa, msix_gpa;
	uint32_t common_bytes, device_bytes, notify_multiplier;
	unsigned int cfg_cap; /* where the window capability is */
	uint64_t offered, features;
	bool use_indirect;
	struct guest_blk_queue queue[GUEST_BLK_QUEUES];
};

/* Finds the device in the slot: capabilities, BARs; turns memory and bus mastering on. */
void guest_blk_probe(struct guest_blk *guest, struct fake_board *board, unsigned int slot);
/* Registers of the common structure by their offsets in linux/virtio_pci.h. */
uint64_t guest_blk_common_read(struct guest_blk *guest, unsigned int reg, unsigned int size);
void guest_blk_common_write(struct guest_blk *guest, unsigned int reg, uint64_t value,
			    unsigned int size);
uint8_t guest_blk_status(struct guest_blk *guest);
uint64_t guest_blk_config(struct guest_blk *guest, unsigned int offset, unsigned int size);

/* Status up to FEATURES_OK with these features; false if the device refuses. */
bool guest_blk_negotiate(struct guest_blk *guest, uint64_t features);
/* Rings of all queues at fixed places, MSI-X message data = queue + 1, 0 for configuration. */
void guest_blk_setup_queues(struct guest_blk *guest, unsigned int n_queues, uint16_t size);
void guest_blk_driver_ok(struct guest_blk *guest);
/* All of the above; takes the packed ring as well if the device offers it. */
void guest_blk_start(struct guest_blk *guest, uint64_t features, unsigned int n_queues,
		     uint16_t size);
void guest_blk_reset(struct guest_blk *guest);

struct guest_blk_request {
	uint32_t type;
	uint64_t sector;
	uint32_t bytes;	   /* of data; its direction follows from the type */
	uint64_t data_gpa; /* 0: the request's own room */
};
/* Adds a request, not yet published. Its head, or -1 if the ring is full. */
int guest_blk_add(struct guest_blk *guest, unsigned int queue, const struct guest_blk_request *req);
/* Publishes what was added, and kicks if the device wants that. */
void guest_blk_publish(struct guest_blk *guest, unsigned int queue);
uint64_t guest_blk_data_gpa(const struct guest_blk *guest, unsigned int queue, int head);
void *guest_blk_data(const struct guest_blk *guest, unsigned int queue, int head);
/* Takes a completed request: its head, or -1. *status is the device's byte, 0xff if unwritten. */
int guest_blk_take(struct guest_blk *guest, unsigned int queue, uint8_t *status, uint32_t *len);
/* Any chain with a status byte of its own as its last buffer; buffers' addresses are the caller's.
 */
int guest_blk_add_raw(struct guest_blk *guest, unsigned int queue,
		      const struct guest_buffer *buffers, unsigned int n);

#endif
