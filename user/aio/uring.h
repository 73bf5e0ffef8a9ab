/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A context's ring: set up once, shared by block requests (aio_add_sqe) and, where it is the fd
 * monitor, by POLL_ADDs. We enter the kernel ourselves, not by liburing's calls, since those know
 * neither NO_IOWAIT nor our wish for one syscall that both submits and waits with a timeout. Home
 * thread.
 */
#ifndef AIO_URING_H
#define AIO_URING_H

#include <liburing.h>
#include "context.h"

/* Linux 6.15; liburing 2.3 does not know them. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/* user_data: a CqeHandler's address; an AioHandler's with bit 0 set; 0 = nobody cares. */
#define AIO_URING_TAG_POLL 1ull

struct AioUring {
	struct io_uring ring;
	unsigned int enter_flags;
	unsigned int in_flight;	  /* CqeHandlers between aio_add_sqe and their CQE */
	uint64_t waits;		  /* enters that slept, or meant to */
	uint64_t waits_no_iowait; /* of which the kernel did not count as waiting for I/O */
	bool taskrun_stale;	  /* an enter has found nothing behind the TASKRUN flag */
	int error;		  /* -errno of the failure that ended the ring's use; 0 = works */
};

/* Makes the ring exist. -errno, with err. as_fdmon: the context will sleep in it. */
int aio_uring_create(struct AioContext *ctx, bool as_fdmon, struct error *err);

/* Zeroed. Submits when the queue is full. NULL only if the ring has failed for good. */
struct io_uring_sqe *aio_uring_get_sqe(struct AioContext *ctx);

/*
 * Submits what is queued, and waits for one CQE at most timeout_ns (0 = does not wait, -1 = for
 * ever). May return without a CQE: interrupted. -errno only if the ring has failed for good.
 */
int aio_uring_enter(struct AioContext *ctx, int64_t timeout_ns);

/*
 * An enter would bring CQEs: deferred task work, or an overflown CQ.
 *
 * The kernel (io_req_local_work_add, 6.1 to 6.18) queues the work first and raises the flag then;
 * when we have taken the work in between, the flag stays up with nothing behind it until there is
 * new work. So it counts only until an enter has come back with nothing: new work is then found by
 * the next enter, at the latest the one that sleeps.
 */
static inline bool aio_uring_has_deferred(const struct AioUring *uring)
{
	unsigned int flags = __atomic_load_n(uring->ring.sq.kflags, __ATOMIC_RELAXED);

	if (flags & IORING_SQ_TASKRUN && uring->taskrun_stale)
		flags &= ~IORING_SQ_TASKRUN;
	return !uring->error && flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* CQEs are there, or to be had without waiting. A few loads: part of the spin. */
static inline bool aio_uring_has_cqes(const struct AioUring *uring)
{
	return io_uring_cq_ready(&uring->ring) || aio_uring_has_deferred(uring);
}

/* SQEs are queued that the kernel has not seen. */
static inline bool aio_uring_has_sqes(const struct AioUring *uring)
{
	return uring->ring.sq.sqe_tail != __atomic_load_n(uring->ring.sq.khead, __ATOMIC_RELAXED);
}

/* Empties the CQ: CqeHandlers to ctx->cqe_done, POLL_ADDs to fdmon_io_uring_cqe(). Calls no
 * callback. */
void aio_uring_reap(struct AioContext *ctx);

/* Watches the ring's fd as an ordinary handler. */
void aio_uring_watch(struct AioContext *ctx);

/* fdmon_io_uring.c */
void fdmon_io_uring_cqe(struct AioContext *ctx, struct AioHandler *node, int res);

#endif
