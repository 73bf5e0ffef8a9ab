/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block layer: BlockBackend (what a device holds) over a graph of nodes (BlockDriverState) joined
 * by BdrvChild edges. Each connected graph lives in one AioContext; bdrv_set_aio_context_ignore
 * moves it as a whole, drained. Rules: semantics.md 4.
 *
 * Threads: everything in the main context (BQL), but for the few functions that say otherwise.
 * Requests are submitted in the context the BlockBackend is in, or in the main context by a holder
 * of the BQL while the backend is there; they complete in that context.
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

#define BDRV_SECTOR_SIZE  512
#define BDRV_MAX_DEPTH	  8    /* nodes a request passes on its way down */
#define BDRV_REQUEST_NIOV 1024 /* iovecs of one request at most */

enum blk_request_type { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES };
#define BLK_REQUEST_TYPES (BLK_WRITE_ZEROES + 1)

/*
 * One request. Caller's memory, one allocation for its whole life: nothing is allocated on the way
 * down, but for a bounce buffer (O_DIRECT on misaligned memory). Fill the first group, call
 * blk_submit; cb is called exactly once, from the backend's context, never inline in blk_submit. It
 * may submit the request again, or free it, but must not poll: what drains is for a bottom half.
 */
struct BlkRequest {
	enum blk_request_type type;
	bool may_unmap; /* BLK_WRITE_ZEROES: the range may become a hole */
	/* In whole sectors; bytes = sum of iov for READ and WRITE, 0 for FLUSH. */
	int64_t offset, bytes;
	const struct iovec *iov; /* must stay valid until cb */
	unsigned int niov;
	void (*cb)(struct BlkRequest *req, int ret); /* 0 or -errno */

	/*
	 * How many requests this one stands for in histograms; 0 = it is not timed. Set by whoever
	 * submits it.
	 */
	uint32_t weight;
	/*
	 * CLOCK_MONOTONIC when it was handed to the backend and when the completion was seen; both
	 * 0 unless it has a weight and stats were armed at the former.
	 */
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
	struct AioTimer timer; /* delay filter, and results that must not be given inline */
	struct CqeHandler cqe; /* file driver, as all below */
	unsigned int step;
	int64_t done_bytes; /* short transfers are continued */
	struct iovec part;  /* what the kernel is given when that is not iov itself */
	void *bounce;
};

/* --- nodes: constructors return one reference in the main context, or NULL with err ---------- */

struct bdrv_file_config {
	const char *path; /* a regular file or a block device; locked against a second writer */
	bool direct;	  /* O_DIRECT */
	bool read_only;	  /* not locked against other readers */
	uint64_t create_bytes; /* not 0: create it (sparse) if it does not exist */
};

/* Needs io_uring. The length is the file's at opening, rounded down to whole sectors. */
struct BlockDriverState *bdrv_file_new(const struct bdrv_file_config *config,
				       struct error *err) MUST_CHECK;
/* Forgets writes. Reads give zeroes, or leave the memory as it was unless read_zeroes (cheaper). */
struct BlockDriverState *bdrv_null_new(uint64_t size_bytes, bool read_zeroes,
				       struct error *err) MUST_CHECK;

enum bdrv_delay_law { BDRV_DELAY_FIXED, BDRV_DELAY_EXPONENTIAL };

#define BDRV_DELAY_MAX_NS (60 * 1000000000ll)

/*
 * Passes requests to `child` (takes a reference of its own) after a latency with this mean, 1 to
 * BDRV_DELAY_MAX_NS. The same seed gives the same latencies. Requests overtake each other under the
 * exponential law.
 */
struct BlockDriverState *bdrv_delay_new(struct BlockDriverState *child, enum bdrv_delay_law law,
					int64_t mean_ns, uint64_t seed,
					struct error *err) MUST_CHECK;

void bdrv_ref(struct BlockDriverState *bs);
void bdrv_unref(struct BlockDriverState *bs);
int64_t bdrv_getlength(const struct BlockDriverState *bs); /* bytes; any thread */
struct AioContext *bdrv_get_aio_context(const struct BlockDriverState *bs);
bool bdrv_is_read_only(const struct BlockDriverState *bs);
const char *bdrv_get_format_name(const struct BlockDriverState *bs); /* "file", "null", "delay" */
/* What a filter passes its requests on to; NULL for other nodes. No reference. */
struct BlockDriverState *bdrv_filter_bs(const struct BlockDriverState *bs);

/*
 * Nest. begin returns when no request is in flight in the node or above it; until end, new ones are
 * queued in their BlockBackend. begin runs the main context meanwhile, end never does. See
 * semantics.md 4.4.
 */
void bdrv_drained_begin(struct BlockDriverState *bs);
void bdrv_drained_end(struct BlockDriverState *bs);

struct BdrvChild;
struct bdrv_edge_set; /* visited edges; private */

/*
 * Moves the graph `bs` is part of to ctx: every edge once, over children and parents, those in
 * `ignore` left out. Cannot fail: bdrv_child_try_set_aio_context asked everybody first, and drained
 * all the nodes that move.
 */
FRAME void bdrv_set_aio_context_ignore(struct BlockDriverState *bs, struct AioContext *ctx,
				       struct bdrv_edge_set *ignore);
/*
 * Drains, asks, moves, resumes. 0, or -EPERM with err when a parent refuses: then nothing has
 * moved. ignore_child (the asker's own edge) may be NULL.
 */
FRAME int bdrv_child_try_set_aio_context(struct BlockDriverState *bs, struct AioContext *ctx,
					 struct BdrvChild *ignore_child,
					 struct error *err) MUST_CHECK;

/* --- BlockBackend ---------------------------------------------------------------------------- */

/* The device's side, called in the main context. None of them may poll or change the graph. */
struct BlockDevOps {
	void (*drained_begin)(
		void *opaque); /* stop taking requests from the guest; from any context */
	void (*drained_end)(void *opaque); /* go on */
	bool (*drained_poll)(
		void *opaque); /* still something running (aio_wait_kick); may be NULL */
};

/*
 * Named after the disk ("disk0"). Takes a reference of its own. Starts in the main context, unless
 * another backend has taken the root elsewhere.
 */
struct BlockBackend *blk_new(const char *name, struct BlockDriverState *root,
			     struct error *err) MUST_CHECK;
/*
 * Drains and frees; what is queued by an outer drain gets -ECANCELED. Not from a completion of its
 * own. The root returns to the main context when nobody else uses it. NULL is ignored.
 */
void blk_unref(struct BlockBackend *blk);
const char *blk_name(const struct BlockBackend *blk);
struct BlockDriverState *blk_bs(const struct BlockBackend *blk); /* the root; no reference */
/* ops NULL: the device is gone. In a drained section new ops' drained_begin is called at once. */
void blk_set_dev_ops(struct BlockBackend *blk, const struct BlockDevOps *ops, void *opaque);
/*
 * Whether a context switch that comes from elsewhere in the graph may move this backend although a
 * device uses it (has set ops). Not allowed at first.
 */
void blk_set_allow_aio_context_change(struct BlockBackend *blk, bool allow);

struct AioContext *blk_get_aio_context(const struct BlockBackend *blk); /* any thread */
/* Drains, moves the graph, resumes. 0, or -EPERM with err and nothing moved. */
FRAME int blk_set_aio_context(struct BlockBackend *blk, struct AioContext *ctx,
			      struct error *err) MUST_CHECK;

/* Requests that ended, by enum blk_request_type; bytes are those of the ones that went well. */
struct blk_counters {
	uint64_t done, bytes, failed;
};

/* Each figure whole, though not all of the same moment. Any thread. */
struct blk_counters blk_get_counters(const struct BlockBackend *blk, enum blk_request_type type);

int64_t blk_getlength(const struct BlockBackend *blk); /* bytes; any thread */
bool blk_is_read_only(const struct BlockBackend *blk); /* any thread */
/*
 * Offset and length alignment in bytes that the root serves best (1 for none); the rest is bounced
 * or goes through the page cache, not refused. Any thread.
 */
unsigned int blk_request_alignment(const struct BlockBackend *blk);

/*
 * Checks come back through cb: -EINVAL malformed (not whole sectors, iov does not add up, more than
 * BDRV_REQUEST_NIOV), -EIO out of range, -EROFS. While drained the request is queued. In the
 * backend's context.
 */
void blk_submit(struct BlockBackend *blk, struct BlkRequest *req);
/* Other users' holds on the backend, which a drain waits for like for requests. Any thread. */
void blk_inc_in_flight(struct BlockBackend *blk);
void blk_dec_in_flight(struct BlockBackend *blk);
bool blk_in_drain(const struct BlockBackend *blk); /* any thread */
/*
 * Answers what drained sections have queued with -ECANCELED, in the backend's context, and returns
 * when that is done; runs the main context meanwhile. For a device that is reset inside another's
 * drained section: those requests' memory is the guest's again.
 */
void blk_cancel_queued(struct BlockBackend *blk);

void blk_drained_begin(struct BlockBackend *blk);
void blk_drained_end(struct BlockBackend *blk);

#endif
