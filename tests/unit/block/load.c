// SPDX-License-Identifier: BSD-2-Clause
/* A load that keeps LOAD_DEPTH requests going from their own completions, in whatever context. */
#include "fixture.h"

static void load_next(struct load_slot *slot)
{
	uint64_t i, n = LOAD_BLOCK_BYTES / sizeof(i), *words = (uint64_t *)slot->buf;

	slot->turn++;
	slot->req.type = slot->turn & 1 ? BLK_WRITE : BLK_READ;
	if (slot->load->verify) {
		/* Each write differs; each read starts from rubbish. */
		for (i = 0; i < n; i++)
			words[i] = slot->req.type == BLK_WRITE ? slot->turn * n + i : ~0ull;
	}
	blk_submit(slot->load->blk, &slot->req);
}

static void load_check(struct load_slot *slot, int ret)
{
	uint64_t i, n = LOAD_BLOCK_BYTES / sizeof(i), *words = (uint64_t *)slot->buf;
	struct load *load = slot->load;

	if (ret < 0)
		atomic_fetch_add(&load->errors, 1);
	if (!aio_in_home_thread_any(blk_get_aio_context(load->blk)))
		atomic_fetch_add(&load->strangers, 1);
	if (!load->verify || slot->req.type != BLK_READ)
		return;
	for (i = 0; i < n; i++) {
		if (words[i] != (slot->turn - 1) * n + i) {
			atomic_fetch_add(&load->errors, 1);
			return;
		}
	}
}

static void load_complete(struct BlkRequest *req, int ret)
{
	struct load_slot *slot = container_of(req, struct load_slot, req);
	struct load *load = slot->load;

	load_check(slot, ret);
	if (atomic_load(&load->stop)) {
		atomic_fetch_add(&load->completed, 1);
		atomic_fetch_sub(&load->running, 1);
	} else {
		load_next(slot);
		atomic_fetch_add(&load->completed, 1);
	}
	aio_wait_kick();
}

static void load_start_bh(void *opaque)
{
	struct load *load = opaque;
	int i;

	for (i = 0; i < LOAD_DEPTH; i++)
		load_next(&load->slot[i]);
}

void load_start(struct load *load, struct BlockBackend *blk, bool verify)
{
	struct load_slot *slot;
	int i;

	memset(load, 0, sizeof(*load));
	load->blk = blk;
	load->verify = verify;
	atomic_store(&load->running, LOAD_DEPTH);
	for (i = 0; i < LOAD_DEPTH; i++) {
		slot = &load->slot[i];
		slot->load = load;
		slot->buf = aligned_alloc(LOAD_BLOCK_BYTES, LOAD_BLOCK_BYTES);
		assert_non_null(slot->buf);
		slot->iov.iov_base = slot->buf;
		slot->iov.iov_len = LOAD_BLOCK_BYTES;
		slot->req.iov = &slot->iov;
		slot->req.niov = 1;
		slot->req.offset = (int64_t)i * LOAD_BLOCK_BYTES;
		slot->req.bytes = LOAD_BLOCK_BYTES;
		slot->req.cb = load_complete;
	}
	aio_wait_bh_oneshot(blk_get_aio_context(blk), load_start_bh, load);
}

void load_wait(struct load *load, unsigned long n)
{
	unsigned long goal = atomic_load(&load->completed) + n;

	AIO_WAIT_WHILE(atomic_load(&load->completed) < goal);
}

void load_stop(struct load *load)
{
	int i;

	atomic_store(&load->stop, true);
	AIO_WAIT_WHILE(atomic_load(&load->running) > 0);
	/* The last one's completion is still on its way out of the backend. */
	blk_drained_begin(load->blk);
	blk_drained_end(load->blk);
	for (i = 0; i < LOAD_DEPTH; i++)
		free(load->slot[i].buf);
}
