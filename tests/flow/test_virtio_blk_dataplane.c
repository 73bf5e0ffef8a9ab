// SPDX-License-Identifier: BSD-2-Clause
/*
 * Start and stop of ioeventfds, fallback to user space, drained sections, held handlers: no kick is
 * lost in any of them.
 */
#include "blk_load.h"

#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <lib/capture.h>
#include <handoff/clock.h>

#define FEATURES (1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_RING_F_EVENT_IDX)

static const struct guest_blk_request read_request = { VIRTIO_BLK_T_IN, 0, 512, 0 };

/* Adds a read and publishes it, with or without looking whether a kick is due. */
static void submit(struct blk_fixture *f, unsigned int queue)
{
	assert_true(guest_blk_add(&f->guest, queue, &read_request) >= 0);
	guest_blk_publish(&f->guest, queue);
}

static void assert_completes(struct blk_fixture *f, unsigned int queue)
{
	assert_int_equal(flow_complete(f, queue, NULL, NULL), VIRTIO_BLK_S_OK);
}

/* Turns of the main context, and of the iothreads: each has come through a bottom half. */
static void nothing(void *opaque)
{
}

static void let_loops_run(struct blk_fixture *f)
{
	unsigned int i;

	for (i = 0; i < FLOW_IOTHREADS; i++)
		if (f->io[i])
			aio_wait_bh_oneshot(iothread_get_aio_context(f->io[i]), nothing, NULL);
	while (aio_poll(main_loop_aio_context_any(), false))
		;
}

static void assert_nothing_completes(struct blk_fixture *f, unsigned int queue)
{
	uint32_t len;
	uint8_t status;
	unsigned int i;

	for (i = 0; i < 100; i++)
		let_loops_run(f);
	assert_int_equal(guest_blk_take(&f->guest, queue, &status, &len), -1);
}

/* DRIVER_OK hands all queues' ioeventfds over and moves the disk; reset takes all back. */
static void test_virtio_blk__start_and_reset(void **state)
{
	struct blk_fixture *f = *state;
	unsigned int q;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	f->config.queues = 4;
	flow_plug_null(f, 0);
	assert_false(virtio_blk_started(f->vblk));
	assert_ptr_equal(blk_get_aio_context(f->blk), main_loop_aio_context_any());

	guest_blk_start(&f->guest, FEATURES, 4, 64);
	assert_true(virtio_blk_started(f->vblk));
	assert_int_equal(f->board.n_ioeventfds, 4);
	assert_ptr_equal(blk_get_aio_context(f->blk), iothread_get_aio_context(f->io[0]));
	for (q = 0; q < 4; q++) {
		submit(f, q);
		assert_completes(f, q);
		assert_int_equal(flow_row(f, q)->loop, stats_loop_index(f->stats, f->io_row[0]));
		assert_int_equal(flow_row(f, q)->ioeventfd, 1);
		assert_int_equal(flow_row(f, q)->gpa, f->guest.queue[q].notify_gpa);
		assert_int_equal(flow_row(f, q)->msi_addr, 0xfee00000);
		assert_int_equal(flow_row(f, q)->msi_data, q + 1);
		flow_run_until(fake_irq_sink_fired(&f->board.sink, q + 1) == 1);
	}

	guest_blk_reset(&f->guest);
	assert_false(virtio_blk_started(f->vblk));
	assert_int_equal(f->board.n_ioeventfds, 0);
	assert_int_equal(f->board.n_removed, 4);
	assert_int_equal(flow_row(f, 0)->ioeventfd, 0);
	assert_int_equal(flow_row(f, 0)->msi_addr, 0);
	assert_ptr_equal(blk_get_aio_context(f->blk), main_loop_aio_context_any());
}

/* Without an iothread the main loop serves, by the same handlers. */
static void test_virtio_blk__main_loop_serves_without_iothread(void **state)
{
	struct blk_fixture *f = *state;

	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_true(virtio_blk_started(f->vblk));
	submit(f, 0);
	assert_int_equal(flow_row(f, 0)->requests, 0); /* until the loop runs */
	assert_completes(f, 0);
	assert_int_equal(flow_row(f, 0)->loop, stats_loop_index(f->stats, f->main_row));
	assert_int_equal(flow_row(f, 0)->arrivals_notified, 1);
}

/* Work that is there before DRIVER_OK, its kick ignored, is found by the self-kick of the start. */
static void test_virtio_blk__kick_before_start_is_not_lost(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_negotiate(&f->guest, FEATURES | 1ull << VIRTIO_F_VERSION_1);
	guest_blk_setup_queues(&f->guest, 1, 64);
	submit(f, 0);
	assert_int_equal(f->guest.queue[0].kicks, 1);
	assert_nothing_completes(f, 0);
	guest_blk_driver_ok(&f->guest);
	assert_completes(f, 0);
	assert_int_equal(flow_row(f, 0)->self_kicks, 1);
	assert_int_equal(flow_row(f, 0)->userspace_kicks, 1);
}

/* ioeventfd=off: nothing is asked of KVM, the vCPU's write itself serves the queue, silently. */
static void test_virtio_blk__ioeventfd_off_serves_in_user_space(void **state)
{
	struct blk_fixture *f = *state;
	struct capture c;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	f->config.ioeventfd = false;
	flow_plug_null(f, 0);
	capture_begin(&c, 2);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_string_equal(capture_end(&c), "");
	assert_false(virtio_blk_started(f->vblk));
	assert_int_equal(f->board.n_added, 0);
	submit(f, 0);
	assert_int_equal(flow_row(f, 0)->requests, 1);
	assert_completes(f, 0);
	assert_ptr_equal(blk_get_aio_context(f->blk), main_loop_aio_context_any());
	assert_int_equal(flow_row(f, 0)->arrivals_userspace, 1);
	assert_int_equal(flow_row(f, 0)->arrivals, 1);
	assert_int_equal(flow_row(f, 0)->userspace_kicks, 1);
	assert_int_equal(flow_row(f, 0)->signals, 0);
}

/* One ioeventfd of four refused: all are given back, one line is said, and all is served all the
 * same. */
static void test_virtio_blk__refused_ioeventfd_falls_back(void **state)
{
	struct blk_fixture *f = *state;
	struct capture c;
	const char *line;
	unsigned int q;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	f->config.queues = 4;
	f->board.refuse = -ENOSPC;
	f->board.refuse_after = 3;
	flow_plug_null(f, 0);
	guest_blk_negotiate(&f->guest, FEATURES | 1ull << VIRTIO_F_VERSION_1);
	guest_blk_setup_queues(&f->guest, 4, 64);
	submit(f, 3); /* its kick comes too early, and must not get lost either */
	capture_begin(&c, 2);
	guest_blk_driver_ok(&f->guest);
	line = capture_end(&c);
	assert_non_null(strstr(line, "disk0: queue 3: ioeventfd refused"));
	assert_non_null(strstr(line, "Fallback to userspace (slower)"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);

	assert_false(virtio_blk_started(f->vblk));
	assert_int_equal(f->board.n_ioeventfds, 0);
	assert_int_equal(f->board.n_added, 3);
	assert_completes(f, 3);
	for (q = 0; q < 4; q++) {
		submit(f, q);
		assert_completes(f, q);
		assert_int_equal(flow_row(f, q)->ioeventfd, 0);
		flow_run_until(fake_irq_sink_fired(&f->board.sink, q + 1) >= 1);
	}
	/* The next start may have more luck. */
	f->board.refuse = 0;
	guest_blk_reset(&f->guest);
	guest_blk_start(&f->guest, FEATURES, 4, 64);
	assert_true(virtio_blk_started(f->vblk));
	submit(f, 3);
	assert_completes(f, 3);
}

/* A write that reaches the device although the eventfd listens is passed on to it, as user space's.
 */
static void test_virtio_blk__kick_that_left_is_forwarded(void **state)
{
	struct blk_fixture *f = *state;
	unsigned int data;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	data = f->guest.cfg_cap + 16;
	guest_blk_add(&f->guest, 0, &read_request);
	guest_ring_publish(&f->guest.queue[0].ring);
	/* Through the window: it goes to the region past the address space and its ioeventfds. */
	fake_board_config_write(&f->board, 1, f->guest.cfg_cap + 4, 4, 1);
	fake_board_config_write(&f->board, 1, f->guest.cfg_cap + 8,
				f->guest.notify_gpa - f->guest.common_gpa, 4);
	fake_board_config_write(&f->board, 1, f->guest.cfg_cap + 12, 4, 4);
	fake_board_config_write(&f->board, 1, data, 0, 4);
	assert_completes(f, 0);
	/* memory_region_dispatch_write may signal the eventfd itself; either way it is one kick. */
	assert_int_equal(flow_row(f, 0)->signals + flow_row(f, 0)->userspace_kicks, 1);
	assert_int_equal(flow_row(f, 0)->arrivals, 1);
}

/* Bus mastering off stops the device, whatever is kicked; on again, it finds what came meanwhile.
 */
static void test_virtio_blk__bus_master_stops_and_starts(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	fake_board_config_write(&f->board, 1, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_false(virtio_blk_started(f->vblk));
	assert_int_equal(f->board.n_ioeventfds, 0);
	submit(f, 0);
	assert_nothing_completes(f, 0);
	fake_board_config_write(&f->board, 1, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
				2);
	assert_true(virtio_blk_started(f->vblk));
	assert_completes(f, 0);
}

/* A driver may change a vector while the device runs: later interrupts go there. */
static void test_virtio_blk__vector_changes_while_running(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 0);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	submit(f, 0);
	assert_completes(f, 0);
	flow_run_until(fake_irq_sink_fired(&f->board.sink, 1) == 1);
	guest_blk_common_write(&f->guest, VIRTIO_PCI_COMMON_Q_MSIX, 0, 2);
	assert_int_equal(guest_blk_common_read(&f->guest, VIRTIO_PCI_COMMON_Q_MSIX, 2), 0);
	assert_true(virtio_blk_started(f->vblk));
	guest_ring_want_interrupt(&f->guest.queue[0].ring, true);
	submit(f, 0);
	assert_completes(f, 0);
	flow_run_until(fake_irq_sink_fired(&f->board.sink, 0) == 1);
	assert_int_equal(fake_irq_sink_fired(&f->board.sink, 1), 1);
}

/* A BAR that moves takes its ioeventfds along, and the stats row tells where the kicks go now. */
static void test_virtio_blk__moved_bar_takes_ioeventfds_along(void **state)
{
	struct blk_fixture *f = *state;
	uint64_t moved = FAKE_BOARD_WINDOW_GPA + 0x800000;
	uint64_t delta;

	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	delta = moved - f->guest.common_gpa;
	fake_board_config_write(&f->board, 1, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	fake_board_config_write(&f->board, 1, PCI_BASE_ADDRESS_4, moved, 4);
	fake_board_config_write(&f->board, 1, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
				2);
	f->guest.common_gpa += delta;
	f->guest.queue[0].notify_gpa += delta;
	assert_int_equal(flow_row(f, 0)->gpa, f->guest.queue[0].notify_gpa);
	assert_int_equal(f->board.n_ioeventfds, 1);
	submit(f, 0);
	assert_completes(f, 0);
	assert_int_equal(flow_row(f, 0)->userspace_kicks, 0);
}

static bool spinning(const struct stats_loop *row)
{
	return __atomic_load_n(&row->phase, __ATOMIC_RELAXED) == STATS_PHASE_POLLING;
}

/*
 * Teaches the loop, by gaps it sleeps through, that spinning for 10 ms pays; returns while it does:
 * notifications are off.
 */
static void get_loop_spinning(struct blk_fixture *f)
{
	struct stats_loop *row = f->io_row[0];
	int64_t then_ns, deadline_ns = 0;

	do {
		flow_check_deadline(&deadline_ns, "the loop spins");
		then_ns = clock_ns() + 20 * NS_PER_MS;
		if (flow_counter(&row->poll_ns) < 10 * NS_PER_MS)
			flow_run_until(clock_ns() > then_ns);
		submit(f, 0);
		assert_completes(f, 0);
		then_ns = clock_ns() + NS_PER_MS;
		while (!spinning(row) && clock_ns() < then_ns)
			;
	} while (flow_counter(&row->poll_ns) < 10 * NS_PER_MS || !spinning(row));
}

/*
 * Drained in the middle of a spin, with notifications off: nothing is served meanwhile; afterwards
 * the guest's kicks count again and what came meanwhile is found (semantics.md 2, RHEL-3934).
 */
static void test_virtio_blk__drain_in_poll_mode_loses_nothing(void **state)
{
	struct blk_fixture *f = *state;
	unsigned int round;

	flow_iothreads(f, 1000000000);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	for (round = 0; round < 50; round++) {
		get_loop_spinning(f);
		blk_drained_begin(f->blk);
		submit(f, 0);
		assert_nothing_completes(f, 0);
		blk_drained_end(f->blk);
		assert_completes(f, 0);
	}
	assert_int_equal(flow_row(f, 0)->self_kicks, 51);
}

/* If the loop then never spins again, there is no io_poll_end that would turn kicks on. */
static void test_virtio_blk__kicks_are_on_after_drain_in_poll_mode(void **state)
{
	struct blk_fixture *f = *state;
	struct aio_poll_params params = { .poll_max_ns = 0 };
	unsigned int i;
	uint64_t kicks;
	struct error err;

	flow_iothreads(f, 1000000000);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	get_loop_spinning(f);
	blk_drained_begin(f->blk);
	assert_int_equal(
		aio_context_set_poll_params(iothread_get_aio_context(f->io[0]), &params, &err), 0);
	let_loops_run(f);
	blk_drained_end(f->blk);
	let_loops_run(f);
	kicks = f->guest.queue[0].kicks;
	/* The first may be kicked for with notifications off, by an avail_event that stayed behind.
	 */
	for (i = 1; i <= 3; i++) {
		submit(f, 0);
		assert_int_equal(f->guest.queue[0].kicks, kicks + i);
		assert_completes(f, 0);
	}
}

/* When a drained section has begun, no handler is still at work, although nothing is in flight. */
static void test_virtio_blk__drain_waits_for_handler(void **state)
{
	struct blk_fixture *f = *state;
	struct blk_flood flood;
	const struct stats_queue *row;
	unsigned int round, i;

	flow_iothreads(f, 32768);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	row = flow_row(f, 0);
	blk_flood_start(&flood, f);
	for (round = 0; round < 200; round++) {
		uint64_t requests = flow_counter(&row->requests);

		flow_run_until(flow_counter(&row->requests) > requests);
		blk_drained_begin(f->blk);
		requests = flow_counter(&row->requests);
		for (i = 0; i < 10000; i++)
			assert_int_equal(flow_counter(&row->requests), requests);
		blk_drained_end(f->blk);
	}
	blk_flood_stop(&flood);
}

/* Held handlers let kicks pile up unheard; let go, they serve what is there. */
static void test_virtio_blk__held_handlers_serve_later(void **state)
{
	struct blk_fixture *f = *state;
	unsigned int i;

	flow_iothreads(f, 32768);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	virtio_blk_hold_handlers(f->vblk, true);
	for (i = 0; i < 5; i++)
		submit(f, 0);
	assert_nothing_completes(f, 0);
	assert_int_equal(flow_row(f, 0)->requests, 0);
	/* A drained section meanwhile does not wake them. */
	blk_drained_begin(f->blk);
	blk_drained_end(f->blk);
	assert_nothing_completes(f, 0);
	virtio_blk_hold_handlers(f->vblk, false);
	for (i = 0; i < 5; i++)
		assert_completes(f, 0);
	assert_int_equal(flow_row(f, 0)->arrivals, 1);
}

/* The same without ioeventfd, where the vCPU itself would serve. */
static void test_virtio_blk__held_and_drained_without_ioeventfd(void **state)
{
	struct blk_fixture *f = *state;

	f->config.ioeventfd = false;
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	virtio_blk_hold_handlers(f->vblk, true);
	submit(f, 0);
	assert_nothing_completes(f, 0);
	virtio_blk_hold_handlers(f->vblk, false);
	assert_completes(f, 0);
	blk_drained_begin(f->blk);
	submit(f, 0);
	assert_nothing_completes(f, 0);
	blk_drained_end(f->blk);
	assert_completes(f, 0);
	assert_int_equal(flow_row(f, 0)->arrivals_userspace, 2);
}

#define SPLIT(name) FLOW_SPLIT(virtio_blk, name)
#define BOTH(name)  FLOW_BOTH(virtio_blk, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(start_and_reset),
		SPLIT(main_loop_serves_without_iothread),
		BOTH(kick_before_start_is_not_lost),
		BOTH(ioeventfd_off_serves_in_user_space),
		SPLIT(refused_ioeventfd_falls_back),
		SPLIT(kick_that_left_is_forwarded),
		BOTH(bus_master_stops_and_starts),
		BOTH(vector_changes_while_running),
		SPLIT(moved_bar_takes_ioeventfds_along),
		BOTH(drain_in_poll_mode_loses_nothing),
		BOTH(kicks_are_on_after_drain_in_poll_mode),
		SPLIT(drain_waits_for_handler),
		BOTH(held_handlers_serve_later),
		SPLIT(held_and_drained_without_ioeventfd),
	};

	return cmocka_run_group_tests_name("virtio_blk_dataplane", tests, NULL, NULL);
}
