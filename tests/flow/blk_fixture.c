// SPDX-License-Identifier: BSD-2-Clause
/* One virtio-blk on a fake board; see blk_fixture.h. */
#include "blk_fixture.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/clock.h>

#define DEADLINE_NS (30 * NS_PER_S)
#define FLOW_SLOT   1 /* 0 is the host bridge */

int flow_setup(void **state)
{
	struct blk_fixture *f = calloc(1, sizeof(*f));
	struct error err;

	if (stats_page_new(&f->stats, &err))
		fail_msg("%s", err.msg);
	f->main_row = stats_loop_get(f->stats, STATS_LOOP_MAIN, "main");
	if (main_loop_init(f->main_row, &err))
		fail_msg("%s", err.msg);
	fake_board_init(&f->board);
	f->config = (struct virtio_blk_config){
		.name = "disk0",
		.queues = 1,
		.ioeventfd = true,
		.event_idx = true,
		.indirect = true,
		.discard = true,
		.write_zeroes = true,
	};
	*state = f;
	return 0;
}

int flow_setup_packed(void **state)
{
	flow_setup(state);
	((struct blk_fixture *)*state)->config.packed = true;
	return 0;
}

int flow_teardown(void **state)
{
	struct blk_fixture *f = *state;
	unsigned int i;

	virtio_blk_pci_free(f->vblk);
	blk_unref(f->blk);
	while (aio_poll(main_loop_aio_context_any(), false))
		;
	for (i = 0; i < FLOW_IOTHREADS; i++)
		if (f->io[i])
			iothread_free(f->io[i]);
	fake_board_release(&f->board);
	main_loop_release();
	stats_page_free(f->stats);
	if (f->image)
		unlink(f->image);
	free(f->image);
	free(f);
	return 0;
}

void flow_iothreads(struct blk_fixture *f, int64_t poll_max_ns)
{
	static const char *const ids[FLOW_IOTHREADS] = { "io0", "io1" };
	struct error err;
	unsigned int i;

	for (i = 0; i < FLOW_IOTHREADS; i++) {
		struct iothread_config config = {
			.id = ids[i],
			.poll.poll_max_ns = poll_max_ns,
			.cpu = -1,
		};

		f->io_row[i] = stats_loop_get(f->stats, STATS_LOOP_IOTHREAD, ids[i]);
		config.aio.stats = f->io_row[i];
		f->io[i] = iothread_new(&config, &err);
		if (!f->io[i])
			fail_msg("%s", err.msg);
	}
}

void flow_plug_node(struct blk_fixture *f, struct BlockDriverState *bs)
{
	const struct virtio_machine machine = {
		.pci = f->board.pci,
		.ram = f->board.ram,
		.stats = f->stats,
	};
	struct error err;

	f->blk = blk_new("disk0", bs, &err);
	if (!f->blk)
		fail_msg("%s", err.msg);
	f->config.blk = f->blk;
	f->vblk = virtio_blk_pci_new(&machine, &f->config, &err);
	if (!f->vblk)
		fail_msg("%s", err.msg);
	if (pci_host_assign_bars(f->board.pci, &err))
		fail_msg("%s", err.msg);
	guest_blk_probe(&f->guest, &f->board, FLOW_SLOT);
}

struct BlockDriverState *flow_null_node(void)
{
	struct BlockDriverState *null;
	struct error err;

	null = bdrv_null_new(FLOW_DISK_BYTES, true, &err);
	if (!null)
		fail_msg("%s", err.msg);
	return null;
}

void flow_plug_null(struct blk_fixture *f, int64_t mean_delay_ns)
{
	struct BlockDriverState *null = flow_null_node(), *top = null;
	struct error err;

	if (mean_delay_ns) {
		top = bdrv_delay_new(null, BDRV_DELAY_EXPONENTIAL, mean_delay_ns, 1, &err);
		if (!top)
			fail_msg("%s", err.msg);
		bdrv_unref(null);
	}
	flow_plug_node(f, top);
	bdrv_unref(top);
}

void flow_plug_file(struct blk_fixture *f, bool read_only)
{
	struct BlockDriverState *bs;
	struct error err;
	int fd;

	f->image = strdup("/tmp/handoff-flow-XXXXXX");
	fd = mkstemp(f->image);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FLOW_DISK_BYTES), 0);
	close(fd);
	bs = bdrv_file_new(&(struct bdrv_file_config){ .path = f->image, .read_only = read_only },
			   &err);
	if (!bs)
		fail_msg("%s", err.msg);
	flow_plug_node(f, bs);
	bdrv_unref(bs);
}

struct stats_queue *flow_row(struct blk_fixture *f, unsigned int queue)
{
	unsigned int i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (f->stats->queue[i].used && f->stats->queue[i].queue == queue)
			return &f->stats->queue[i];
	fail_msg("queue %u has no row", queue);
	return NULL;
}

void flow_check_deadline(int64_t *deadline_ns, const char *what)
{
	int64_t now_ns = clock_ns();

	if (!*deadline_ns)
		*deadline_ns = now_ns + DEADLINE_NS;
	else if (now_ns > *deadline_ns)
		fail_msg("did not come true: %s", what);
	sched_yield();
}

uint8_t flow_complete(struct blk_fixture *f, unsigned int queue, int *head, uint32_t *len)
{
	uint32_t some_len;
	uint8_t status;
	int some_head;

	flow_run_until((some_head = guest_blk_take(&f->guest, queue, &status, &some_len)) >= 0);
	if (head)
		*head = some_head;
	if (len)
		*len = some_len;
	return status;
}

uint8_t flow_request(struct blk_fixture *f, uint32_t type, uint64_t sector, uint32_t bytes,
		     void **data)
{
	const struct guest_blk_request req = { .type = type, .sector = sector, .bytes = bytes };
	int head = guest_blk_add(&f->guest, 0, &req), done;
	uint8_t status;

	assert_true(head >= 0);
	guest_blk_publish(&f->guest, 0);
	status = flow_complete(f, 0, &done, NULL);
	assert_int_equal(done, head);
	if (data)
		*data = guest_blk_data(&f->guest, 0, head);
	return status;
}
