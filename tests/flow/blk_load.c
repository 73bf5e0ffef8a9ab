// SPDX-License-Identifier: BSD-2-Clause
/* A vCPU thread that keeps a disk busy; see blk_load.h. */
#include "blk_load.h"

#include <sched.h>
#include <string.h>

#define WORDS (GUEST_BLK_DATA_BYTES / sizeof(uint64_t))

static uint64_t pattern(uint32_t block, uint32_t round, unsigned int word)
{
	return ((uint64_t)block << 32 | round) * 0x9e3779b97f4a7c15ull + word;
}

static void issue(struct blk_load *load, unsigned int queue, struct blk_load_slot slot)
{
	struct guest_blk *guest = &load->f->guest;
	const struct guest_blk_request req = {
		.type = slot.reading ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
		.sector = slot.block * (GUEST_BLK_DATA_BYTES / 512),
		.bytes = GUEST_BLK_DATA_BYTES,
	};
	/* The request gets the first free descriptor, and with it that data room. */
	uint64_t *data = guest_blk_data(guest, queue, guest->queue[queue].ring.first_free);
	unsigned int i;
	int head;

	for (i = 0; i < WORDS; i++)
		data[i] = slot.reading ? 0 : pattern(slot.block, slot.round, i);
	head = guest_blk_add(guest, queue, &req);
	load->slot[queue][head] = slot;
}

static void check(struct blk_load *load, unsigned int queue, int head, uint8_t status)
{
	const struct blk_load_slot *slot = &load->slot[queue][head];
	const uint64_t *data = guest_blk_data(&load->f->guest, queue, head);
	unsigned int i;

	if (status != VIRTIO_BLK_S_OK)
		load->wrong++;
	for (i = 0; slot->reading && i < WORDS; i++)
		load->wrong += data[i] != pattern(slot->block, slot->round, i);
}

/* Takes what is done and issues what follows. How many are in flight afterwards. */
static unsigned int turn(struct blk_load *load, unsigned int queue, unsigned int in_flight)
{
	bool any = false;
	uint32_t len;
	uint8_t status;
	int head;

	while ((head = guest_blk_take(&load->f->guest, queue, &status, &len)) >= 0) {
		struct blk_load_slot slot = load->slot[queue][head];

		check(load, queue, head, status);
		atomic_fetch_add(&load->completed, 1);
		if (atomic_load(&load->stop)) {
			in_flight--;
			continue;
		}
		slot.reading = !slot.reading;
		slot.round += !slot.reading;
		issue(load, queue, slot);
		any = true;
	}
	if (any)
		guest_blk_publish(&load->f->guest, queue);
	return in_flight;
}

static void *load_thread(void *opaque)
{
	struct blk_load *load = opaque;
	unsigned int in_flight[GUEST_BLK_QUEUES], q, i, sum;

	for (q = 0; q < load->queues; q++) {
		for (i = 0; i < load->depth; i++)
			issue(load, q, (struct blk_load_slot){ .block = q * load->depth + i });
		guest_blk_publish(&load->f->guest, q);
		in_flight[q] = load->depth;
	}
	do {
		for (q = sum = 0; q < load->queues; q++) {
			in_flight[q] = turn(load, q, in_flight[q]);
			sum += in_flight[q];
		}
		sched_yield();
	} while (sum);
	atomic_store(&load->done, true);
	return NULL;
}

void blk_load_start(struct blk_load *load, struct blk_fixture *f, unsigned int queues,
		    unsigned int depth)
{
	memset(load, 0, sizeof(*load));
	load->f = f;
	load->queues = queues;
	load->depth = depth;
	assert_int_equal(pthread_create(&load->thread, NULL, load_thread, load), 0);
}

void blk_load_stop(struct blk_load *load)
{
	atomic_store(&load->stop, true);
	flow_run_until(atomic_load(&load->done));
	pthread_join(load->thread, NULL);
}

/* --- flood
 * ----------------------------------------------------------------------------------------- */

static void *flood_thread(void *opaque)
{
	struct blk_flood *flood = opaque;
	struct guest_ring *ring = &flood->f->guest.queue[0].ring;

	while (!atomic_load(&flood->stop)) {
		uint16_t used = __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);

		while ((uint16_t)(ring->avail_idx - used) < ring->layout.size)
			guest_ring_offer(ring, 0);
		guest_blk_publish(&flood->f->guest, 0);
	}
	return NULL;
}

void blk_flood_start(struct blk_flood *flood, struct blk_fixture *f)
{
	/* So long a chain that the guest is faster than the device. */
	struct guest_buffer chain[60] = { { 0, 16, false } };
	unsigned int i;

	*flood = (struct blk_flood){ .f = f };
	memset(guest_ram_hva(f->board.ram, 0, 4096), 0xff, 4096);
	for (i = 1; i < ARRAY_SIZE(chain); i++)
		chain[i] = (struct guest_buffer){ 16 * i, 16, true };
	guest_blk_add_raw(&f->guest, 0, chain, ARRAY_SIZE(chain));
	guest_blk_publish(&f->guest, 0);
	assert_int_equal(pthread_create(&flood->thread, NULL, flood_thread, flood), 0);
}

void blk_flood_stop(struct blk_flood *flood)
{
	atomic_store(&flood->stop, true);
	pthread_join(flood->thread, NULL);
}
