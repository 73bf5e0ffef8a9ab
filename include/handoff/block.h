/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block layer: BlockBackend (what a device holds) over a graph of nodes (BlockDriverState) joined by BdrvChild edges. Each connected graph
 * lives in one AioContext; bdrv_set_aio_context_ignore moves it as a whole, drained. Rules: semantics.md 4.
 *
 * Threads: graph changes, drain and context switches in the main context (BQL). Requests are submitted in the context the
 * BlockBackend is in, or in the main context by a holder of the BQL while the backend is there; they complete in that context.
 */
#ifndef HANDOFF_BLOCK_H
#define HANDOFF_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <handoff/aio.h>
#include <handoff/error.h>

struct BlockBackend;
struct BlockDriverState;

#define BDRV_SECTOR_SIZE    512
#define BDRV_MAX_DEPTH	    8	 /* nodes a request passes on its way down */
#define BDRV_REQUEST_NIOV   1024 /* iovecs of one request at most */

enum blk_request_type { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES };

/*
 * One request. Caller's memory, one allocation for its whole life: nothing is allocated on the way down. Fill the first group,
 * call blk_submit; cb is called exactly once, from the backend's context, never inline in blk_submit.
 */
struct BlkRequest {
	enum blk_request_type type;
	bool may_unmap;		/* BLK_WRITE_ZEROES: the range may become a hole */
	int64_t offset, bytes;	/* bytes = sum of iov for READ and WRITE; 0 for FLUSH */
	const struct iovec *iov; /* must stay valid until cb */
	unsigned int niov;
	void (*cb)(struct BlkRequest *req, int ret); /* 0 or -errno */

	/* While stats are armed, else 0: CLOCK_MONOTONIC when it was handed to the backend and when the completion was seen. */
	int64_t t_submit_ns, t_complete_ns;

	/* private to user/block */
	struct BlockBackend *blk;
	struct {
		void (*complete)(struct BlkRequest *req, int ret);
		struct BlockDriverState *bs;
	} frame[BDRV_MAX_DEPTH];
	unsigned int depth;
	int ret;
	struct list_head node;
	struct AioTimer timer;	/* delay filter */
	struct CqeHandler cqe;	/* file driver */
	int64_t done_bytes;	/* short transfers are continued */
	struct iovec rest[2];
	void *bounce;
};

/* --- nodes: constructors return one reference in the main context, or NULL with err --------------------------------------------- */

struct bdrv_file_config {
	const char *path;
	bool direct;	/* O_DIRECT */
	bool read_only;
	uint64_t create_bytes; /* create (sparse) or leave alone: if the file does not exist and this is not 0 */
};
struct BlockDriverState *bdrv_file_new(const struct bdrv_file_config *config, struct error *err) MUST_CHECK;
struct BlockDriverState *bdrv_null_new(uint64_t size_bytes, bool read_zeroes, struct error *err) MUST_CHECK;

enum bdrv_delay_law { BDRV_DELAY_FIXED, BDRV_DELAY_EXPONENTIAL };
/* Passes requests to `child` (takes a reference of its own) after a latency with this mean. */
struct BlockDriverState *bdrv_delay_new(struct BlockDriverState *child, enum bdrv_delay_law law, int64_t mean_ns, uint64_t seed,
					struct error *err) MUST_CHECK;

void bdrv_ref(struct BlockDriverState *bs);
void bdrv_unref(struct BlockDriverState *bs);
int64_t bdrv_getlength(struct BlockDriverState *bs); /* bytes, or -errno */
struct AioContext *bdrv_get_aio_context(struct BlockDriverState *bs);
bool bdrv_is_read_only(struct BlockDriverState *bs);

/* Nest. begin returns when no request is in flight in the node or above it; see semantics.md 4.4. Main context. */
void bdrv_drained_begin(struct BlockDriverState *bs);
void bdrv_drained_end(struct BlockDriverState *bs);

struct BdrvChild;
/*
 * Moves the whole graph `bs` is part of to ctx: every edge once, over children and parents, those in `ignore` left out. Cannot
 * fail; bdrv_child_try_set_aio_context asked everybody first. Main context.
 */
struct bdrv_edge_set; /* visited edges; private */
FRAME void bdrv_set_aio_context_ignore(struct BlockDriverState *bs, struct AioContext *ctx, struct bdrv_edge_set *ignore);
/* 0, or -EPERM with err when a parent refuses: then nothing has moved. ignore_child (the asker's own edge) may be NULL. */
FRAME int bdrv_child_try_set_aio_context(struct BlockDriverState *bs, struct AioContext *ctx, struct BdrvChild *ignore_child,
					 struct error *err) MUST_CHECK;

/* --- BlockBackend ---------------------------------------------------------------------------------------------------------------- */

/* The device's side. drained_begin: stop taking requests from the guest (any context's handlers are detached); drained_end: go on. */
struct BlockDevOps {
	void (*drained_begin)(void *opaque);
	void (*drained_end)(void *opaque);
	bool (*drained_poll)(void *opaque); /* true while the device still has something running; may be NULL */
};

/* Named after the disk ("disk0"). Starts in the main context. */
struct BlockBackend *blk_new(const char *name, struct BlockDriverState *root, struct error *err) MUST_CHECK;
void blk_unref(struct BlockBackend *blk); /* drains */
const char *blk_name(const struct BlockBackend *blk);
void blk_set_dev_ops(struct BlockBackend *blk, const struct BlockDevOps *ops, void *opaque);
/* Whether bdrv_set_aio_context_ignore coming from elsewhere in the graph may move this backend although a device uses it. */
void blk_set_allow_aio_context_change(struct BlockBackend *blk, bool allow);

struct AioContext *blk_get_aio_context(const struct BlockBackend *blk); /* any thread */
/* Drains, moves the graph, resumes. Main context. 0 or -EPERM with err and nothing moved. */
FRAME int blk_set_aio_context(struct BlockBackend *blk, struct AioContext *ctx, struct error *err) MUST_CHECK;

int64_t blk_getlength(struct BlockBackend *blk); /* bytes or -errno */
bool blk_is_read_only(const struct BlockBackend *blk);
/* Buffer and offset alignment the root wants (1 for none); misaligned requests are bounced, not refused. */
unsigned int blk_request_alignment(const struct BlockBackend *blk);

/* Range and type are checked here: -EINVAL, -EROFS or -EIO arrive in cb. While drained the request is queued. */
void blk_submit(struct BlockBackend *blk, struct BlkRequest *req);
/* Requests handed in and not yet completed, and other users' holds on the backend (a drain waits for them). */
void blk_inc_in_flight(struct BlockBackend *blk);
void blk_dec_in_flight(struct BlockBackend *blk); /* any thread; kicks the drain */
bool blk_in_drain(const struct BlockBackend *blk);

void blk_drained_begin(struct BlockBackend *blk);
void blk_drained_end(struct BlockBackend *blk);

#endif
