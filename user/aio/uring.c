// SPDX-License-Identifier: BSD-2-Clause
/* A context's ring; see uring.h. The fd monitor on top is fdmon_io_uring.c, requests come by
 * aio_add_sqe (uring_request.c). */
#include "uring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <handoff/log.h>

#define URING_SQ_ENTRIES 128
/* A block device at depth 256 on four queues must not overflow it. 16 bytes each. */
#define URING_CQ_ENTRIES 1024

/* EXT_ARG: timeouts by argument, so no timespec has to outlive a call (c31a445749). The others:
 * Linux 5.5. */
#define URING_FEATURES (IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE)

/*
 * Best first. The first two leave completions as task work until the thread enters the kernel,
 * without an interrupt for it; the TASKRUN flag in the ring tells a spinning thread. They are for a
 * ring that one thread uses: in the main context a request may be submitted by a vCPU thread, which
 * stays in KVM_RUN until it is interrupted, and SINGLE_ISSUER would refuse the others. The first is
 * for a thread that sleeps in the ring: one that sleeps in ppoll or epoll on the ring's fd may not
 * be woken by work left for its next enter.
 */
static const unsigned int setup_flags[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SUBMIT_ALL, /* Linux 6.1 */
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL, /* 5.19 */
	IORING_SETUP_SUBMIT_ALL,							 /* 5.18 */
	0,
};
enum {
	URING_SETUP_FDMON = 0,	/* one thread, which sleeps in the ring */
	URING_SETUP_BESIDE = 1, /* one thread, which sleeps elsewhere */
	URING_SETUP_SHARED = 2, /* several threads, one at a time */
};

static int uring_init(struct AioUring *uring, unsigned int flags)
{
	struct io_uring_params params = {
		.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = URING_CQ_ENTRIES,
	};
	unsigned int i;
	int ret;

	ret = io_uring_queue_init_params(URING_SQ_ENTRIES, &uring->ring, &params);
	if (ret < 0)
		return ret;
	if ((params.features & URING_FEATURES) != URING_FEATURES) {
		io_uring_queue_exit(&uring->ring);
		return -ENOSYS;
	}
	/* Slot i is SQE i, for ever; liburing has changed its mind about who says so. */
	for (i = 0; i < uring->ring.sq.ring_entries; i++)
		uring->ring.sq.array[i] = i;
	uring->enter_flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
	/* An idle loop would otherwise look like a process waiting for its disk (semantics.md 8.1).
	 */
	if (params.features & IORING_FEAT_NO_IOWAIT)
		uring->enter_flags |= IORING_ENTER_NO_IOWAIT;
	return 0;
}

static size_t uring_first_setup(const struct AioContext *ctx, bool as_fdmon)
{
	if (!ctx->threaded)
		return URING_SETUP_SHARED;
	return as_fdmon ? URING_SETUP_FDMON : URING_SETUP_BESIDE;
}

int aio_uring_create(struct AioContext *ctx, bool as_fdmon, struct error *err)
{
	struct AioUring *uring;
	size_t i = uring_first_setup(ctx, as_fdmon);
	int ret = -ENOSYS;

	uring = calloc(1, sizeof(*uring));
	if (!uring)
		return error_set(err, -ENOMEM, "io_uring: no memory");
	for (; i < ARRAY_SIZE(setup_flags); i++) {
		ret = uring_init(uring, setup_flags[i]);
		if (ret != -EINVAL)
			break;
	}
	if (ret) {
		free(uring);
		return error_set(err, ret, "io_uring does not work here: %s%s", strerror(-ret),
				 ret == -EPERM ? " (see sysctl kernel.io_uring_disabled)" : "");
	}
	ctx->uring = uring;
	return 0;
}

/* Shows the kernel what is queued. Number of SQEs it has not taken. */
static unsigned int uring_flush_sq(struct AioUring *uring)
{
	struct io_uring_sq *sq = &uring->ring.sq;

	sq->sqe_head = sq->sqe_tail;
	/* Pairs with the kernel's acquire of the tail: SQEs before it. */
	__atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
	return sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE);
}

static void cqe_handler_done(struct AioContext *ctx, struct CqeHandler *handler, int res,
			     unsigned int flags)
{
	handler->res = res;
	handler->flags = flags;
	list_add_tail(&handler->node, &ctx->cqe_done);
	ctx->uring->in_flight--;
}

/* The ring is of no use any more: what the kernel has not taken fails, so that nobody waits for it
 * for ever. */
static int uring_fail(struct AioContext *ctx, int error)
{
	struct io_uring_sq *sq = &ctx->uring->ring.sq;
	unsigned int i;

	log_error("event loop '%s': io_uring has failed: %s", ctx->stats->id, strerror(-error));
	ctx->uring->error = error;
	for (i = __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE); i != sq->sqe_tail; i++) {
		uint64_t user_data = sq->sqes[i & sq->ring_mask].user_data;

		if (user_data && !(user_data & AIO_URING_TAG_POLL))
			cqe_handler_done(ctx, (struct CqeHandler *)(uintptr_t)user_data, error, 0);
	}
	sq->sqe_tail = sq->sqe_head = __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE);
	__atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
	return error;
}

static int uring_enter(struct AioContext *ctx, int64_t timeout_ns)
{
	struct AioUring *uring = ctx->uring;
	struct __kernel_timespec ts = { .tv_sec = timeout_ns / 1000000000,
					.tv_nsec = timeout_ns % 1000000000 };
	struct io_uring_getevents_arg arg = {
		.ts = timeout_ns > 0 ? (uint64_t)(uintptr_t)&ts : 0,
	};
	unsigned int n = uring_flush_sq(uring);

	if (uring->error)
		return uring->error;
	if (timeout_ns) {
		uring->waits++;
		uring->waits_no_iowait += !!(uring->enter_flags & IORING_ENTER_NO_IOWAIT);
	}
	if (syscall(__NR_io_uring_enter, uring->ring.ring_fd, n, timeout_ns ? 1 : 0,
		    uring->enter_flags, &arg, sizeof(arg)) >= 0)
		return 0;
	switch (errno) {
	case EINTR:
	case ETIME:
	case EAGAIN: /* short of memory, or the CQ is to be emptied first: what is queued stays
			queued */
	case EBUSY:
		return 0;
	default:
		return uring_fail(ctx, -errno);
	}
}

int aio_uring_enter(struct AioContext *ctx, int64_t timeout_ns)
{
	int ret = uring_enter(ctx, timeout_ns);

	/* Work that came just now looks stale too: then the spin does not see it, the sleep does.
	 */
	ctx->uring->taskrun_stale =
		!io_uring_cq_ready(&ctx->uring->ring) &&
		__atomic_load_n(ctx->uring->ring.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN;
	return ret;
}

struct io_uring_sqe *aio_uring_get_sqe(struct AioContext *ctx)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&ctx->uring->ring))) {
		if (aio_uring_enter(ctx, 0) < 0)
			return NULL;
		/* EBUSY: the kernel takes no more before we take some. */
		if (aio_uring_has_sqes(ctx->uring))
			aio_uring_reap(ctx);
	}
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

void aio_uring_reap(struct AioContext *ctx)
{
	struct io_uring *ring = &ctx->uring->ring;
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		uintptr_t address = cqe->user_data & ~AIO_URING_TAG_POLL;

		n++;
		if (!address)
			continue;
		if (cqe->user_data & AIO_URING_TAG_POLL)
			fdmon_io_uring_cqe(ctx, (struct AioHandler *)address, cqe->res);
		else
			cqe_handler_done(ctx, (struct CqeHandler *)address, cqe->res, cqe->flags);
	}
	io_uring_cq_advance(ring, n);
}

void aio_uring_release(struct AioContext *ctx)
{
	struct AioUring *uring = ctx->uring;

	if (!uring)
		return;
	if (uring->in_flight || !list_empty(&ctx->cqe_done) || !list_empty(&ctx->cqe_running))
		aio_bug("%u io_uring requests are in flight at their context's end",
			uring->in_flight);
	io_uring_queue_exit(&uring->ring);
	free(uring);
	ctx->uring = NULL;
}
