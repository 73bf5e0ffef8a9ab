// SPDX-License-Identifier: BSD-2-Clause
/* What the queue's row in the stats page says: kinds of arrivals, kicks, interrupts, clocks. */
#include "blk_load.h"

#include <stdlib.h>
#include <string.h>

#define FEATURES (1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_RING_F_EVENT_IDX)
#define MANY	 200

static struct blk_fixture *start(void **state, int64_t poll_max_ns)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, poll_max_ns);
	f->config.iothread = f->io[0];
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	return f;
}

static void one_read(struct blk_fixture *f)
{
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

static void add_reads(struct blk_fixture *f, unsigned int n)
{
	const struct guest_blk_request req = { VIRTIO_BLK_T_IN, 0, 512, 0 };

	while (n--)
		assert_true(guest_blk_add(&f->guest, 0, &req) >= 0);
}

/* A consistent copy, as a tracer takes it. */
static struct stats_queue snapshot(struct blk_fixture *f)
{
	const struct stats_queue *row = flow_row(f, 0);
	struct stats_queue copy;
	uint32_t seq;

	do {
		seq = __atomic_load_n(&row->seq, __ATOMIC_ACQUIRE);
		copy.arrivals = flow_counter(&row->arrivals);
		copy.arrivals_polled = flow_counter(&row->arrivals_polled);
		copy.arrivals_notified = flow_counter(&row->arrivals_notified);
		copy.arrivals_recheck = flow_counter(&row->arrivals_recheck);
		copy.arrivals_userspace = flow_counter(&row->arrivals_userspace);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (seq & 1 || __atomic_load_n(&row->seq, __ATOMIC_RELAXED) != seq);
	return copy;
}

static bool adds_up(const struct stats_queue *row)
{
	return row->arrivals == row->arrivals_polled + row->arrivals_notified +
					row->arrivals_recheck + row->arrivals_userspace;
}

/* A loop that never spins is woken for each arrival, by exactly one signal. */
static void test_virtio_stats__sleeping_loop_is_notified(void **state)
{
	struct blk_fixture *f = start(state, 0);
	const struct stats_queue *row = flow_row(f, 0);
	unsigned int i;

	for (i = 0; i < MANY; i++)
		one_read(f);
	guest_blk_reset(&f->guest);
	assert_int_equal(f->guest.queue[0].kicks, MANY);
	assert_int_equal(row->signals, MANY);
	assert_int_equal(row->arrivals_notified, MANY);
	assert_int_equal(row->arrivals, MANY);
	assert_int_equal(row->spurious, 0);
	assert_int_equal(row->self_kicks, 1);
	assert_int_equal(row->userspace_kicks, 0);
}

/* A loop that spins finds arrivals itself, and the guest need not kick for those. */
static void test_virtio_stats__spinning_loop_polls(void **state)
{
	struct blk_fixture *f = start(state, 1000000000);
	const struct stats_queue *row = flow_row(f, 0);
	const struct guest_blk_queue *guest = &f->guest.queue[0];

	flow_run_until((one_read(f), flow_counter(&row->arrivals_polled)) > MANY);
	guest_blk_reset(&f->guest);
	assert_true(adds_up(row));
	assert_true(guest->kicks_suppressed > 0);
	assert_int_equal(guest->kicks + guest->kicks_suppressed, guest->submitted);
	assert_true(f->io_row[0]->poll_begins > 0);
}

/* Kicks of the guest are signals and userspace kicks, to the last one, with spin and sleep mixed.
 */
static void test_virtio_stats__kicks_equal_signals(void **state)
{
	struct blk_fixture *f = start(state, 20000);
	struct blk_load *load = calloc(1, sizeof(*load));
	const struct stats_queue *row = flow_row(f, 0);
	unsigned int i;

	blk_load_start(load, f, 1, 1);
	for (i = 0; i < 20; i++) {
		uint64_t completed = atomic_load(&load->completed);

		flow_run_until(atomic_load(&load->completed) > completed + 100);
		virtio_blk_hold_handlers(f->vblk, true);
		virtio_blk_hold_handlers(f->vblk, false);
	}
	blk_load_stop(load);
	guest_blk_reset(&f->guest);
	assert_int_equal(row->signals + row->userspace_kicks, f->guest.queue[0].kicks);
	assert_int_equal(row->self_kicks, 21);
	assert_true(adds_up(row));
	assert_int_equal(row->requests, load->completed);
	assert_true(row->arrivals <= row->requests);
	free(load);
}

/* Work that comes while the handler is at work is found by its look afterwards; sums hold at any
 * time. */
static void test_virtio_stats__busy_loop_rechecks(void **state)
{
	struct blk_fixture *f = start(state, 0);
	struct stats_queue row = { 0 };
	int64_t deadline_ns = 0;
	uint32_t len;
	uint8_t status;

	/* Requests that are answered in the handler, so that the guest goes on while it runs. */
	while (row.arrivals_recheck < 10) {
		flow_check_deadline(&deadline_ns, "ten arrivals found by a recheck");
		while (guest_blk_take(&f->guest, 0, &status, &len) >= 0)
			assert_int_equal(status, VIRTIO_BLK_S_UNSUPP);
		if (guest_blk_add(&f->guest, 0, &(struct guest_blk_request){ 99, 0, 512, 0 }) >= 0)
			guest_blk_publish(&f->guest, 0);
		row = snapshot(f);
		assert_true(adds_up(&row));
	}
	assert_true(row.arrivals_notified > 0);
	assert_int_equal(row.arrivals_polled, 0);
}

/* A kick without work is spurious, for the queue and for its loop; our own at attach is not. */
static void test_virtio_stats__kick_without_work_is_spurious(void **state)
{
	struct blk_fixture *f = start(state, 0);
	const struct stats_queue *row = flow_row(f, 0);

	one_read(f);
	fake_board_kick(&f->board, f->guest.queue[0].notify_gpa);
	flow_run_until(flow_counter(&row->spurious) == 1);
	one_read(f);
	assert_int_equal(row->signals, 3);
	assert_int_equal(row->arrivals, 2);
	assert_int_equal(row->spurious, 1);
	assert_int_equal(flow_counter(&f->io_row[0]->spurious_wakes), 1);
}

/* The same for a write that no eventfd takes. */
static void test_virtio_stats__userspace_kick_without_work_is_spurious(void **state)
{
	struct blk_fixture *f = *state;
	const struct stats_queue *row;

	f->config.ioeventfd = false;
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	row = flow_row(f, 0);
	one_read(f);
	fake_board_kick(&f->board, f->guest.queue[0].notify_gpa);
	assert_int_equal(row->spurious, 1);
	assert_int_equal(row->userspace_kicks, 2);
	assert_int_equal(row->arrivals_userspace, 1);
}

/* One request at a time: an interrupt for each. A batch in one turn: one for all. */
static void test_virtio_stats__interrupts_are_batched(void **state)
{
	struct blk_fixture *f = *state;
	const struct stats_queue *row;
	unsigned int i;

	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, 1ull << VIRTIO_BLK_F_FLUSH, 1, 64);
	row = flow_row(f, 0);
	for (i = 1; i <= 10; i++) {
		one_read(f);
		assert_int_equal(row->interrupts, i);
		assert_int_equal(fake_irq_sink_fired(&f->board.sink, 1), i);
	}
	add_reads(f, 16);
	guest_blk_publish(&f->guest, 0);
	for (i = 0; i < 16; i++)
		flow_complete(f, 0, NULL, NULL);
	flow_run_until(row->interrupts > 10);
	assert_int_equal(row->interrupts, 11);
	assert_int_equal(row->interrupts_suppressed, 0);
	/* Failures answered at once count like the rest. */
	for (i = 0; i < 16; i++)
		guest_blk_add(&f->guest, 0, &(struct guest_blk_request){ 99, 0, 512, 0 });
	guest_blk_publish(&f->guest, 0);
	for (i = 0; i < 16; i++)
		assert_int_equal(flow_complete(f, 0, NULL, NULL), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(row->interrupts, 12);
	assert_int_equal(row->errors, 16);
}

/* A driver that polls its ring asks for no interrupts, and gets none. */
static void test_virtio_stats__unwanted_interrupts_are_suppressed(void **state)
{
	struct blk_fixture *f = *state;
	const struct stats_queue *row;
	unsigned int i;

	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	row = flow_row(f, 0);
	one_read(f); /* the first is always told */
	for (i = 0; i < 10; i++) {
		guest_ring_want_interrupt(&f->guest.queue[0].ring, false);
		one_read(f);
	}
	assert_int_equal(row->interrupts, 1);
	assert_int_equal(row->interrupts_suppressed, 10);
	assert_int_equal(fake_irq_sink_fired(&f->board.sink, 1), 1);
	guest_ring_want_interrupt(&f->guest.queue[0].ring, true);
	one_read(f);
	assert_int_equal(row->interrupts, 2);
	assert_int_equal(fake_irq_sink_fired(&f->board.sink, 1), 2);
}

/* While a tracer has armed them, each leg is timed: service by handler, io by request, irq by
 * interrupt. */
static void test_virtio_stats__legs_are_timed_while_armed(void **state)
{
	struct blk_fixture *f = start(state, 0);
	const struct stats_queue *row = flow_row(f, 0);
	struct stats_queue before;
	unsigned int i, leg;

	for (i = 0; i < MANY; i++)
		one_read(f);
	guest_blk_reset(&f->guest);
	for (leg = 0; leg < STATS_LEGS; leg++)
		assert_int_equal(row->leg[leg].count, 0);
	flow_arm(true);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	before = *row;
	for (i = 0; i < MANY; i++) {
		guest_ring_want_interrupt(&f->guest.queue[0].ring, true);
		one_read(f);
	}
	guest_blk_reset(&f->guest);
	flow_arm(false);
	assert_int_equal(row->leg[STATS_LEG_SERVICE].count, row->arrivals - before.arrivals);
	assert_int_equal(row->leg[STATS_LEG_IO].count, MANY);
	assert_int_equal(row->leg[STATS_LEG_IRQ].count, row->interrupts - before.interrupts);
	assert_true(row->interrupts > before.interrupts);
	for (leg = 0; leg < STATS_LEGS; leg++)
		assert_true(row->leg[leg].min_ns > 0 && row->leg[leg].max_ns < 1000000000);
	assert_int_equal(row->seq % 2, 0);
}

/* A guest that never stops adding cannot keep the loop to itself: other work gets its turns. */
static void test_virtio_stats__endless_work_leaves_turns(void **state)
{
	struct blk_fixture *f = *state;
	struct AioContext *ctx = main_loop_aio_context_any();
	struct blk_flood flood;
	const struct stats_queue *row;
	uint64_t before, longest = 0;
	int64_t deadline_ns = 0;

	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	row = flow_row(f, 0);
	blk_flood_start(&flood, f);
	while (row->requests < 20000) {
		before = row->requests;
		aio_poll(ctx, false);
		longest = MAX(longest, row->requests - before);
		flow_check_deadline(&deadline_ns, "20000 requests");
	}
	blk_flood_stop(&flood);
	/* A turn may come by the bottom half and by the eventfd. */
	assert_true(longest <= 2 * 64);
	assert_true(adds_up(row));
	assert_int_equal(row->errors, row->requests);
	assert_int_equal(row->completions, row->requests);
}

#define SPLIT(name) FLOW_SPLIT(virtio_stats, name)
#define BOTH(name)  FLOW_BOTH(virtio_stats, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(sleeping_loop_is_notified),
		BOTH(spinning_loop_polls),
		BOTH(kicks_equal_signals),
		BOTH(busy_loop_rechecks),
		SPLIT(kick_without_work_is_spurious),
		SPLIT(userspace_kick_without_work_is_spurious),
		BOTH(interrupts_are_batched),
		BOTH(unwanted_interrupts_are_suppressed),
		SPLIT(legs_are_timed_while_armed),
		SPLIT(endless_work_leaves_turns),
	};

	return cmocka_run_group_tests_name("virtio_blk_stats", tests, NULL, NULL);
}
