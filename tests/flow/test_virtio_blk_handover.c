// SPDX-License-Identifier: BSD-2-Clause
/* A disk that moves between main loop and iothreads while a guest writes, reads and verifies. */
#include "blk_load.h"

#include <stdlib.h>

#define FEATURES  (1ull << VIRTIO_BLK_F_FLUSH | 1ull << VIRTIO_RING_F_EVENT_IDX)
#define QUEUES	  2
#define DEPTH	  16
#define HANDOVERS 1000

/* What must hold when all is quiet: nobody lost a request, a kick or an arrival. */
static void assert_accounts_balance(struct blk_fixture *f)
{
	unsigned int q;

	for (q = 0; q < f->guest.n_queues; q++) {
		const struct guest_blk_queue *guest = &f->guest.queue[q];
		const struct stats_queue *row = flow_row(f, q);

		assert_int_equal(guest->submitted, guest->completed);
		assert_int_equal(row->requests, guest->submitted);
		assert_int_equal(row->completions, guest->submitted);
		assert_int_equal(row->signals + row->userspace_kicks, guest->kicks);
		assert_int_equal(row->arrivals, row->arrivals_polled + row->arrivals_notified +
							row->arrivals_recheck +
							row->arrivals_userspace);
		assert_int_equal(row->errors, 0);
	}
}

static void hand_over_under_load(struct blk_fixture *f, uint64_t features)
{
	struct IOThread *const homes[] = { f->io[0], NULL, f->io[1], f->io[0], f->io[1], NULL };
	struct blk_load *load = calloc(1, sizeof(*load));
	struct error err;
	unsigned int i;

	guest_blk_start(&f->guest, features, QUEUES, 64);
	blk_load_start(load, f, QUEUES, DEPTH);
	for (i = 0; i < HANDOVERS; i++) {
		struct IOThread *home = homes[i % ARRAY_SIZE(homes)];
		struct AioContext *ctx =
			home ? iothread_get_aio_context(home) : main_loop_aio_context_any();
		uint64_t completed = atomic_load(&load->completed);

		assert_int_equal(virtio_blk_set_iothread(f->vblk, home, &err), 0);
		assert_ptr_equal(virtio_blk_get_iothread(f->vblk), home);
		assert_ptr_equal(blk_get_aio_context(f->blk), ctx);
		/* Some of them in the middle of work, some right after each other. */
		if (i % 4)
			flow_run_until(atomic_load(&load->completed) > completed + DEPTH);
	}
	blk_load_stop(load);
	assert_int_equal(load->wrong, 0);
	assert_true(load->completed > HANDOVERS);
	guest_blk_reset(&f->guest);
	assert_accounts_balance(f);
	/* All but the first, when it was there already. */
	assert_int_equal(f->stats->n_handovers, HANDOVERS - (f->config.iothread == f->io[0]));
	free(load);
}

/* With iothreads that poll, over a file, a thousand times. */
static void test_virtio_blk__moves_under_load_while_polling(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 32768);
	f->config.queues = QUEUES;
	f->config.iothread = f->io[0];
	flow_plug_file(f, false);
	hand_over_under_load(f, FEATURES);
}

/* With iothreads that never poll: every arrival needs its kick. */
static void test_virtio_blk__moves_under_load_without_polling(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 0);
	f->config.queues = QUEUES;
	flow_plug_file(f, false);
	hand_over_under_load(f, FEATURES);
}

/* Without EVENT_IDX, kicks are turned off and on by a flag. */
static void test_virtio_blk__moves_under_load_without_event_idx(void **state)
{
	struct blk_fixture *f = *state;

	flow_iothreads(f, 32768);
	f->config.queues = QUEUES;
	flow_plug_file(f, false);
	hand_over_under_load(f, 1ull << VIRTIO_BLK_F_FLUSH);
}

/* A disk that is not started moves when it starts; to where it is already is no hand-over. */
static void test_virtio_blk__moves_at_start(void **state)
{
	struct blk_fixture *f = *state;
	struct error err;

	flow_iothreads(f, 0);
	flow_plug_null(f, 0);
	assert_int_equal(virtio_blk_set_iothread(f->vblk, f->io[1], &err), 0);
	assert_ptr_equal(blk_get_aio_context(f->blk), main_loop_aio_context_any());
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_ptr_equal(blk_get_aio_context(f->blk), iothread_get_aio_context(f->io[1]));
	assert_int_equal(virtio_blk_set_iothread(f->vblk, f->io[1], &err), 0);
	assert_int_equal(f->stats->n_handovers, 0);
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
}

/* Each move is on record: when, how long, from which loop to which. */
static void test_virtio_blk__handover_is_recorded(void **state)
{
	struct blk_fixture *f = *state;
	const struct stats_handover *record = f->stats->handover;
	struct error err;

	flow_iothreads(f, 0);
	flow_plug_null(f, 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_int_equal(virtio_blk_set_iothread(f->vblk, f->io[1], &err), 0);
	assert_int_equal(virtio_blk_set_iothread(f->vblk, NULL, &err), 0);
	assert_int_equal(f->stats->n_handovers, 2);
	assert_string_equal(record[0].device, "disk0");
	assert_int_equal(record[0].from, stats_loop_index(f->stats, f->main_row));
	assert_int_equal(record[0].to, stats_loop_index(f->stats, f->io_row[1]));
	assert_int_equal(record[1].from, record[0].to);
	assert_int_equal(record[1].to, record[0].from);
	assert_true(record[1].t_ns >= record[0].t_ns + record[0].duration_ns);
	assert_int_equal(flow_row(f, 0)->loop, record[1].to);
}

static void ignore(void *opaque)
{
}

/* A backend that must not move: the hand-over fails, says so, and the disk works on where it is. */
static void test_virtio_blk__refused_move_changes_nothing(void **state)
{
	struct blk_fixture *f = *state;
	static const struct BlockDevOps ops = { .drained_begin = ignore, .drained_end = ignore };
	struct BlockDriverState *shared = flow_null_node();
	struct BlockBackend *other;
	struct error err;

	flow_iothreads(f, 0);
	flow_plug_node(f, shared);
	other = blk_new("other", shared, &err);
	assert_non_null(other);
	blk_set_dev_ops(other, &ops, NULL);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_true(virtio_blk_set_iothread(f->vblk, f->io[0], &err) < 0);
	assert_int_equal(f->stats->n_handovers, 0);
	assert_null(virtio_blk_get_iothread(f->vblk));
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
	/* Asked for at start it is a wish, no condition. */
	guest_blk_reset(&f->guest);
	assert_int_equal(virtio_blk_set_iothread(f->vblk, f->io[0], &err), 0);
	guest_blk_start(&f->guest, FEATURES, 1, 64);
	assert_true(virtio_blk_started(f->vblk));
	assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL), VIRTIO_BLK_S_OK);
	assert_int_equal(flow_row(f, 0)->loop, stats_loop_index(f->stats, f->main_row));
	blk_set_dev_ops(other, NULL, NULL);
	blk_unref(other);
	bdrv_unref(shared);
}

/*
 * Its backend sits in an iothread and must not leave: the disk is served there, by eventfd or by
 * kicks that left to user space, reset under load included.
 */
static void serve_in_foreign_loop(struct blk_fixture *f)
{
	static const struct BlockDevOps ops = { .drained_begin = ignore, .drained_end = ignore };
	struct BlockDriverState *shared = flow_null_node();
	struct BlockBackend *other;
	struct error err;
	unsigned int i, round;

	flow_iothreads(f, 0);
	other = blk_new("other", shared, &err);
	assert_non_null(other);
	assert_int_equal(blk_set_aio_context(other, iothread_get_aio_context(f->io[1]), &err), 0);
	blk_set_dev_ops(other, &ops, NULL);
	flow_plug_node(f, shared);
	for (round = 0; round < 20; round++) {
		guest_blk_start(&f->guest, FEATURES, 1, 64);
		assert_ptr_equal(blk_get_aio_context(f->blk), iothread_get_aio_context(f->io[1]));
		for (i = 0; i < 50; i++)
			assert_int_equal(flow_request(f, VIRTIO_BLK_T_IN, 0, 512, NULL),
					 VIRTIO_BLK_S_OK);
		assert_int_equal(flow_row(f, 0)->loop, stats_loop_index(f->stats, f->io_row[1]));
		for (i = 0; i < 20; i++)
			guest_blk_add(&f->guest, 0, &(struct guest_blk_request){ 0, 0, 512, 0 });
		guest_blk_publish(&f->guest, 0);
		guest_blk_reset(&f->guest);
		assert_int_equal(flow_row(f, 0)->requests, flow_row(f, 0)->completions);
	}
	blk_set_dev_ops(other, NULL, NULL);
	blk_unref(other);
	bdrv_unref(shared);
}

static void test_virtio_blk__serves_where_backend_must_stay(void **state)
{
	serve_in_foreign_loop(*state);
}

static void test_virtio_blk__serves_where_backend_must_stay_without_ioeventfd(void **state)
{
	struct blk_fixture *f = *state;

	f->config.ioeventfd = false;
	serve_in_foreign_loop(f);
	assert_int_equal(flow_row(f, 0)->arrivals, flow_row(f, 0)->arrivals_userspace);
}

#define SPLIT(name) FLOW_SPLIT(virtio_blk, name)
#define BOTH(name)  FLOW_BOTH(virtio_blk, name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(moves_under_load_while_polling),
		BOTH(moves_under_load_without_polling),
		BOTH(moves_under_load_without_event_idx),
		SPLIT(moves_at_start),
		SPLIT(handover_is_recorded),
		SPLIT(refused_move_changes_nothing),
		SPLIT(serves_where_backend_must_stay),
		SPLIT(serves_where_backend_must_stay_without_ioeventfd),
	};

	return cmocka_run_group_tests_name("virtio_blk_handover", tests, NULL, NULL);
}
