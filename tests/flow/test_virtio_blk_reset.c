// SPDX-License-Identifier: BSD-2-Clause
/* Reset and new start, with requests in flight, by main thread and vCPU thread; broken devices. */
#include "blk_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <handoff/bql.h>
#include <handoff/clock.h>

#define FEATURES    (1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_RING_F_EVENT_IDX)
#define IN_FLIGHT   20
#define DELAY_NS    200000
#define RESETS	    50
#define VCPU_RESETS 200
#define SCRATCH	    0x3000000ull /* guest memory nobody else uses */

static void submit_many(struct guest_blk *guest, unsigned int queue, unsigned int n)
{
	const struct guest_blk_request req = { VIRTIO_BLK_T_IN, 0, 4096, 0 };

	while (n-- && guest_blk_add(guest, queue, &req) >= 0)
		;
	guest_blk_publish(guest, queue);
}

/* What is in flight is done with when the reset returns: the ring, ours again, is left alone. */
static void reset_under_load(struct blk_fixture *f)
{
	uint64_t bytes = guest_ring_bytes(64), gpa;
	unsigned int i, round;
	unsigned char *ring;

	for (round = 0; round < RESETS; round++) {
		guest_blk_start(&f->guest, FEATURES, 2, 64);
		submit_many(&f->guest, 0, IN_FLIGHT);
		submit_many(&f->guest, 1, IN_FLIGHT);
		/* Every other time not before some are in flight, and some done. */
		if (round % 2)
			flow_complete(f, round / 2 % 2, NULL, NULL);
		guest_blk_reset(&f->guest);
		assert_int_equal(guest_blk_status(&f->guest), 0);
		assert_int_equal(f->board.n_ioeventfds, 0);
		assert_int_equal(f->board.sink.n_routes, 0);
		for (i = 0; i < 2; i++) {
			gpa = f->guest.queue[i].area_gpa;
			ring = guest_ram_hva(f->board.ram, gpa, bytes);
			memset(ring, 0xa5, bytes);
			while (aio_poll(main_loop_aio_context_any(), false))
				;
			for (uint64_t at = 0; at < bytes; at++)
				assert_int_equal(ring[at], 0xa5);
		}
		assert_int_equal(flow_row(f, 0)->requests, flow_row(f, 0)->completions);
	}
	guest_blk_start(&f->guest, FEATURES, 2, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

static void test_virtio_blk__reset_under_load_in_iothread(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 32768);
	f->config.queues = 2;
	f->config.iothread = f->io[0];
	flow_plug_null(f, DELAY_NS);
	reset_under_load(f);
}

static void test_virtio_blk__reset_under_load_in_main_loop(void **state)
{
	struct blk_fixture *f = *state;

	f->config.queues = 2;
	flow_plug_null(f, DELAY_NS);
	reset_under_load(f);
}

static void test_virtio_blk__reset_under_load_in_user_space(void **state)
{
	struct blk_fixture *f = *state;

	f->config.queues = 2;
	f->config.ioeventfd = false;
	flow_plug_null(f, DELAY_NS);
	reset_under_load(f);
}

/* Bus mastering off is one as well to the guest's memory, whoever serves; the rings stay. */
static void test_virtio_blk__bus_master_off_under_load(void **state)
{
	const uint16_t on = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct blk_fixture *f = *state;
	const struct stats_queue *row;
	unsigned int i;

	f->config.ioeventfd = false;
	flow_plug_null(f, DELAY_NS);
	row = flow_row(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	submit_many(&f->guest, 0, IN_FLIGHT);
	flow_run_until(row->requests == IN_FLIGHT);
	fake_board_config_write(&f->board, 1, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(row->completions, IN_FLIGHT);
	fake_board_config_write(&f->board, 1, PCI_COMMAND, on, 2);
	for (i = 0; i < IN_FLIGHT; i++)
		assert_int_equal(flow_complete(f, 0, NULL, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

/* A machine reset is a reset too, and so is unplugging with requests in flight (the teardown). */
static void test_virtio_blk__machine_reset_and_unplug_under_load(void **state)
{
	struct blk_fixture *f = *state;
	struct error err;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	flow_plug_null(f, DELAY_NS);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	submit_many(&f->guest, 0, IN_FLIGHT);
	virtio_blk_reset(f->vblk);
	assert_int_equal(guest_blk_status(&f->guest), 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	submit_many(&f->guest, 0, IN_FLIGHT);
	pci_host_reset(f->board.pci);
	assert_false(virtio_blk_started(f->vblk));
	assert_int_equal(pci_host_assign_bars(f->board.pci, &err), 0);
	guest_blk_probe(&f->guest, &f->board, 1);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	submit_many(&f->guest, 0, IN_FLIGHT);
}

/*
 * Reset inside another's drained section, between two steps of a request: it is over when the reset
 * returns, and what it had left undone stays so.
 */
static void test_virtio_blk__reset_in_drain_ends_requests(void **state)
{
	struct virtio_blk_discard_write_zeroes ranges[] = { { 0, 8, 0 }, { 8, 8, 0 } };
	struct virtio_blk_outhdr header = { .type = VIRTIO_BLK_T_WRITE_ZEROES };
	const struct guest_buffer chain[] = { { SCRATCH, sizeof(header), false },
					      { SCRATCH + 4096, sizeof(ranges), false } };
	struct blk_fixture *f = *state;
	const struct stats_queue *row;
	void *data;

	flow_plug_file(f, false);
	row = flow_row(f, 0);
	guest_blk_start(&f->guest, FEATURES | 1ull << VIRTIO_BLK_F_WRITE_ZEROES, 1, 64);
	memset(guest_blk_data(&f->guest, 0, 0), 0x77, 4096);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_OUT, 0, 4096, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_OUT, 8, 4096, NULL), VIRTIO_BLK_S_OK);
	guest_ram_write(f->board.ram, SCRATCH, &header, sizeof(header));
	guest_ram_write(f->board.ram, SCRATCH + 4096, ranges, sizeof(ranges));
	assert_true(guest_blk_add_raw(&f->guest, 0, chain, 2) >= 0);
	guest_blk_publish(&f->guest, 0);
	flow_run_until(row->requests == 3);

	blk_drained_begin(f->blk); /* its first step ends, its second one is kept back */
	assert_int_equal(row->completions, 2);
	guest_blk_reset(&f->guest);
	assert_int_equal(guest_blk_status(&f->guest), 0);
	assert_int_equal(row->completions, 3);
	blk_drained_end(f->blk);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, &data), VIRTIO_BLK_S_OK);
	assert_int_equal(*(char *)data, 0);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 8, 512, &data), VIRTIO_BLK_S_OK);
	assert_int_equal(*(char *)data, 0x77);
}

struct vcpu {
	struct blk_fixture *f;
	unsigned int resets, served;
	bool stuck;
};

/* Path C where it belongs: a thread of its own resets and starts, while the main loop runs. */
static void *vcpu_thread(void *opaque)
{
	struct vcpu *vcpu = opaque;
	struct guest_blk *guest = &vcpu->f->guest;
	unsigned int round, i;
	uint32_t len;
	uint8_t status;

	for (round = 0; round < VCPU_RESETS && !vcpu->stuck; round++) {
		int64_t deadline_ns = clock_ns() + 30 * NS_PER_S;

		guest_blk_start(guest, FEATURES, 2, 64);
		submit_many(guest, 0, IN_FLIGHT);
		submit_many(guest, 1, 1);
		for (i = 0; i < round % (IN_FLIGHT + 1); i++) {
			while (guest_blk_take(guest, 0, &status, &len) < 0 && !vcpu->stuck) {
				vcpu->stuck = clock_ns() > deadline_ns;
				sched_yield();
			}
			vcpu->served++;
		}
		guest_blk_reset(guest);
		vcpu->resets++;
	}
	main_loop_quit_any(0);
	return NULL;
}

static void run_vcpu(struct blk_fixture *f)
{
	struct vcpu vcpu = { .f = f };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, vcpu_thread, &vcpu), 0);
	assert_int_equal(main_loop(), 0);
	/* It may be about to let go of the lock. */
	bql_unlock();
	pthread_join(thread, NULL);
	bql_lock();
	assert_false(vcpu.stuck);
	assert_int_equal(vcpu.resets, VCPU_RESETS);
	assert_true(vcpu.served > 0);
	assert_int_equal(f->board.n_ioeventfds, 0);
	assert_int_equal(flow_row(f, 0)->requests, flow_row(f, 0)->completions);
}

static void test_virtio_blk__vcpu_resets_disk_of_iothread(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 32768);
	f->config.queues = 2;
	f->config.iothread = f->io[0];
	flow_plug_null(f, DELAY_NS);
	run_vcpu(f);
}

static void test_virtio_blk__vcpu_resets_disk_of_main_loop(void **state)
{
	struct blk_fixture *f = *state;

	f->config.queues = 2;
	flow_plug_null(f, DELAY_NS);
	run_vcpu(f);
}

static void test_virtio_blk__vcpu_serves_without_ioeventfd(void **state)
{
	struct blk_fixture *f = *state;

	f->config.queues = 2;
	f->config.ioeventfd = false;
	flow_plug_null(f, DELAY_NS);
	run_vcpu(f);
}

/* A defect in one queue stops the whole device, says so once, and costs nothing until the reset. */
static void test_virtio_blk__defect_needs_reset(void **state)
{
	struct blk_fixture *f = *state;
	const struct guest_buffer nowhere = { ~0ull - 4096, 512, true };
	uint64_t iterations;
	unsigned int i;

	flow_iothreads(f, 32768);
	f->config.queues = 2;
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 2, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
	guest_ring_add(&f->guest.queue[0].ring, &nowhere, 1);
	guest_blk_publish(&f->guest, 0);
	flow_run_until(guest_blk_status(&f->guest) & VIRTIO_CONFIG_S_NEEDS_RESET);
	flow_run_until(fake_irq_sink_fired(&f->board.sink, 0) == 1);
	assert_int_equal(flow_row(f, 0)->errors, 1);
	/* The other queue is not served either, and its work makes nobody spin. */
	submit_many(&f->guest, 1, 3);
	iterations = flow_counter(&f->io_row[0]->iterations);
	for (i = 0; i < 1000; i++)
		aio_poll(main_loop_aio_context_any(), false);
	assert_int_equal(flow_row(f, 1)->requests, 0);
	assert_true(flow_counter(&f->io_row[0]->iterations) < iterations + 1000);
	guest_blk_reset(&f->guest);
	assert_int_equal(guest_blk_status(&f->guest), 0);
	guest_blk_start(&f->guest, FEATURES, 2, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

/* Rings that cannot be mapped: DRIVER_OK leaves the device broken, not the program. */
static void test_virtio_blk__bad_ring_needs_reset(void **state)
{
	struct blk_fixture *f = *state;

	flow_plug_null(f, 0);
	guest_blk_negotiate(&f->guest, FEATURES | 1ull << VIRTIO_F_VERSION_1);
	guest_blk_common_write(&f->guest, VIRTIO_PCI_COMMON_Q_SIZE, 48, 2);
	guest_blk_common_write(&f->guest, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	guest_blk_driver_ok(&f->guest);
	assert_true(guest_blk_status(&f->guest) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_false(virtio_blk_started(f->vblk));
	assert_int_equal(f->board.n_added, 0);
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

#define SPLIT(name) FLOW_SPLIT(virtio_blk, name)
#define BOTH(name)  FLOW_BOTH(virtio_blk, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(reset_under_load_in_iothread),
		BOTH(reset_under_load_in_main_loop),
		BOTH(reset_under_load_in_user_space),
		BOTH(bus_master_off_under_load),
		SPLIT(machine_reset_and_unplug_under_load),
		BOTH(vcpu_resets_disk_of_iothread),
		SPLIT(vcpu_resets_disk_of_main_loop),
		SPLIT(vcpu_serves_without_ioeventfd),
		SPLIT(reset_in_drain_ends_requests),
		BOTH(defect_needs_reset),
		SPLIT(bad_ring_needs_reset),
	};

	return cmocka_run_group_tests_name("virtio_blk_reset", tests, NULL, NULL);
}
