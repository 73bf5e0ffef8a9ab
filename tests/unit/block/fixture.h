/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of the block layer: a main loop and two iothreads, requests that can be waited for, a
 * driver that holds requests until it is told to let go, and a load that never stops by itself.
 */
#ifndef BLOCK_FIXTURE_H
#define BLOCK_FIXTURE_H

#include <lib/tap.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/iothread.h>
#include "../../../user/block/block_int.h"

/* Group set-up and tear-down: the main loop, whose BQL the tests then hold. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

struct AioContext *fixture_main(void);
struct IOThread *fixture_iothread(const char *id);

/* Or set-up and tear-down with two iothreads. */
struct loops {
	struct IOThread *a, *b;
	struct AioContext *ctx[3]; /* main, a, b */
};
extern struct loops loops;
int loops_setup(void **state);
int loops_teardown(void **state);

/* They succeed, or the test ends. */
struct BlockBackend *backend(struct BlockDriverState *bs, const char *name);
void move(struct BlockBackend *blk, struct AioContext *ctx);

/* Runs the main context until nothing more is due. */
void fixture_settle(void);

/* --- requests -------------------------------------------------------------------------------- */

struct test_request {
	struct BlkRequest req;
	struct iovec iov;
	int ret;
	atomic_bool done;
	struct AioContext *completed_in;
	unsigned int completions;
	unsigned int order;		      /* among all that completed, from 1 */
	void (*then)(struct test_request *t); /* called at completion, may be NULL */
};

void request_init(struct test_request *t, enum blk_request_type type, int64_t offset, void *buf,
		  int64_t bytes);
/* In the backend's context, wherever that is. */
void request_submit(struct BlockBackend *blk, struct test_request *t);
int request_wait(struct test_request *t);
/* The three in one. */
int request_run(struct BlockBackend *blk, enum blk_request_type type, int64_t offset, void *buf,
		int64_t bytes);

/* --- the hold driver ------------------------------------------------------------------------- */

#define HOLD_BYTES (1 << 20)

struct hold {
	struct BlockDriverState *bs;
	struct list_head held; /* BlkRequest.node; in the node's context */
	bool pass;	       /* complete at the next turn instead of holding */
	unsigned int submitted, drain_begins, drain_ends, attaches, detaches;
};

/* One reference; *hold is freed with the node, whose life the caller may watch by `gone`. */
struct BlockDriverState *hold_new(struct hold **hold, bool *gone);
/* Completes all that is held, in the node's context, later. */
void hold_release(struct hold *hold);

/* --- load ------------------------------------------------------------------------------------ */

#define LOAD_DEPTH 8

struct load {
	struct BlockBackend *blk;
	atomic_bool stop;
	atomic_uint running;
	atomic_ulong completed, errors,
		strangers; /* strangers: completed outside the backend's context */
	struct load_slot {
		struct BlkRequest req;
		struct iovec iov;
		struct load *load;
		char *buf;
		uint64_t turn;
	} slot[LOAD_DEPTH];
	bool verify; /* write, read back and compare; each slot has a range of its own */
};

#define LOAD_BLOCK_BYTES 4096

void load_start(struct load *load, struct BlockBackend *blk, bool verify);
/* Until that many more requests have completed. */
void load_wait(struct load *load, unsigned long n);
void load_stop(struct load *load);

#endif
