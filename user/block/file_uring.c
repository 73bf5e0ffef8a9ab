// SPDX-License-Identifier: BSD-2-Clause
/*
 * The file driver's requests: one SQE at a time in the node's context, until the request is done.
 * Short transfers go on where they stopped. With O_DIRECT, what is misaligned in memory takes a
 * bounce buffer, what is misaligned in the file takes the page cache (file.h).
 */
#include "file.h"

#include <errno.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>

/* BlkRequest.step: what the SQE under way does. */
enum file_step {
	FILE_READ,
	FILE_WRITE,
	FILE_WRITE_ZEROES, /* from s->zeroes, where the file system cannot do it by itself */
	FILE_PUNCH,
	FILE_ZERO_RANGE,
	FILE_SYNC,
};

static void file_cqe(struct CqeHandler *handler);

/* --- SQEs ------------------------------------------------------------------------------------ */

struct file_transfer {
	const struct iovec *iov;
	unsigned int niov;
	int fd;
	bool write;
	uint64_t offset;
};

static void file_prep_transfer(struct io_uring_sqe *sqe, void *opaque)
{
	const struct file_transfer *t = opaque;

	/* READ and WRITE spare the kernel the import of an iovec; their length is 32 bits. */
	if (t->niov == 1 && t->iov->iov_len <= INT32_MAX)
		io_uring_prep_rw(t->write ? IORING_OP_WRITE : IORING_OP_READ, sqe, t->fd,
				 t->iov->iov_base, t->iov->iov_len, t->offset);
	else
		io_uring_prep_rw(t->write ? IORING_OP_WRITEV : IORING_OP_READV, sqe, t->fd, t->iov,
				 t->niov, t->offset);
}

static void file_prep_control(struct io_uring_sqe *sqe, void *opaque)
{
	const struct BlkRequest *req = opaque;
	const struct file_state *s = bdrv_request_node(req)->opaque;

	switch (req->step) {
	case FILE_SYNC:
		io_uring_prep_fsync(sqe, s->fd, IORING_FSYNC_DATASYNC);
		break;
	case FILE_PUNCH:
		io_uring_prep_fallocate(sqe, s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					req->offset, req->bytes);
		break;
	default:
		assert(req->step == FILE_ZERO_RANGE);
		io_uring_prep_fallocate(sqe, s->fd, FALLOC_FL_ZERO_RANGE, req->offset, req->bytes);
	}
}

/* --- what to transfer next ------------------------------------------------------------------- */

/* The iovecs from done_bytes on: the rest of a broken one alone, or all that are whole. */
static void file_rest(struct BlkRequest *req, struct file_transfer *t)
{
	size_t skip = req->done_bytes;
	unsigned int i;

	for (i = 0; skip > 0 && skip >= req->iov[i].iov_len; i++)
		skip -= req->iov[i].iov_len;
	if (skip == 0) {
		t->iov = req->iov + i;
		t->niov = req->niov - i;
		return;
	}
	req->part.iov_base = (char *)req->iov[i].iov_base + skip;
	req->part.iov_len = req->iov[i].iov_len - skip;
	t->iov = &req->part;
	t->niov = 1;
}

static bool file_memory_aligned(const struct BlockDriverState *bs, const struct file_transfer *t)
{
	const struct file_state *s = bs->opaque;
	unsigned int i;

	for (i = 0; i < t->niov; i++) {
		if ((uintptr_t)t->iov[i].iov_base % s->mem_align ||
		    t->iov[i].iov_len % bs->request_alignment)
			return false;
	}
	return true;
}

/* Between the request's memory, from done_bytes on, and the bounce buffer. */
static void file_bounce_copy(struct BlkRequest *req, size_t n, bool to_bounce)
{
	size_t skip = req->done_bytes, len;
	char *bounce = req->bounce, *base;
	unsigned int i;

	for (i = 0; n > 0; i++) {
		if (skip >= req->iov[i].iov_len) {
			skip -= req->iov[i].iov_len;
			continue;
		}
		base = (char *)req->iov[i].iov_base + skip;
		len = MIN(n, req->iov[i].iov_len - skip);
		memcpy(to_bounce ? bounce : base, to_bounce ? base : bounce, len);
		bounce += len;
		n -= len;
		skip = 0;
	}
}

/* Allocates: drivers that give O_DIRECT misaligned memory are rare, and pay a copy anyway. */
static int file_bounce(struct BlkRequest *req, struct file_transfer *t, unsigned int align)
{
	size_t left = req->bytes - req->done_bytes;

	left = MIN(left, FILE_CHUNK_BYTES);
	if (!req->bounce && posix_memalign(&req->bounce, MAX(align, sizeof(void *)), left))
		return -ENOMEM;
	if (t->write)
		file_bounce_copy(req, left, true);
	req->part.iov_base = req->bounce;
	req->part.iov_len = left;
	t->iov = &req->part;
	t->niov = 1;
	return 0;
}

static int file_choose_transfer(struct BlockDriverState *bs, struct BlkRequest *req,
				struct file_transfer *t)
{
	const struct file_state *s = bs->opaque;
	size_t left = req->bytes - req->done_bytes;

	t->fd = s->fd;
	t->write = req->step != FILE_READ;
	t->offset = req->offset + req->done_bytes;
	req->part.iov_base = NULL; /* set again if used: tells whether a read was bounced */
	if (req->step == FILE_WRITE_ZEROES) {
		req->part.iov_base = (void *)s->zeroes;
		req->part.iov_len = MIN(left, FILE_CHUNK_BYTES);
		t->iov = &req->part;
		t->niov = 1;
	} else {
		file_rest(req, t);
	}
	if (s->fd_buffered < 0)
		return 0;
	if ((t->offset | left) % bs->request_alignment) {
		t->fd = s->fd_buffered;
		return 0;
	}
	return file_memory_aligned(bs, t) ? 0 : file_bounce(req, t, s->mem_align);
}

/* --- issue and completion -------------------------------------------------------------------- */

static void file_issue(struct BlockDriverState *bs, struct BlkRequest *req)
{
	struct file_transfer t;
	int ret;

	req->cqe.cb = file_cqe;
	if (req->step > FILE_WRITE_ZEROES) {
		aio_add_sqe(bs->ctx, file_prep_control, req, &req->cqe);
		return;
	}
	ret = file_choose_transfer(bs, req, &t);
	if (ret < 0)
		bdrv_complete_later(bs->ctx, req, ret);
	else
		aio_add_sqe(bs->ctx, file_prep_transfer, &t, &req->cqe);
}

static void file_complain(struct file_state *s, const struct BlkRequest *req, int ret)
{
	static const char *const verbs[] = {
		[BLK_READ] = "read",
		[BLK_WRITE] = "write",
		[BLK_FLUSH] = "flush",
		[BLK_DISCARD] = "discard",
		[BLK_WRITE_ZEROES] = "write of zeroes",
	};
	const char *hint = "";

	if (ret == -ENOSPC || ret == -EDQUOT)
		hint = "free space on its file system; ";
	log_limited(&s->complaints, LOG_ERROR,
		    "%s: %s at %lld: %s: %s (%sthe guest gets an I/O error)", blk_name(req->blk),
		    verbs[req->type], (long long)(req->offset + req->done_bytes), s->path,
		    strerror(-ret), hint);
}

static void file_done(struct BlockDriverState *bs, struct BlkRequest *req, int ret)
{
	if (unlikely(ret < 0))
		file_complain(bs->opaque, req, ret);
	if (unlikely(req->bounce)) {
		free(req->bounce);
		req->bounce = NULL;
	}
	bdrv_complete(req, ret);
}

static void file_ended_early(struct BlockDriverState *bs, struct BlkRequest *req)
{
	struct file_state *s = bs->opaque;

	log_limited(&s->complaints, LOG_ERROR,
		    "%s: read at %lld: %s ends there: the image shrank while in use (the guest "
		    "gets an I/O error)",
		    blk_name(req->blk), (long long)(req->offset + req->done_bytes), s->path);
	free(req->bounce);
	req->bounce = NULL;
	bdrv_complete(req, -EIO);
}

static void file_transferred(struct BlockDriverState *bs, struct BlkRequest *req, int res)
{
	if (res <= 0) {
		if (res == 0 && req->step == FILE_READ)
			file_ended_early(bs, req);
		else
			file_done(bs, req, res < 0 ? res : -EIO);
		return;
	}
	if (unlikely(req->bounce) && req->step == FILE_READ && req->part.iov_base == req->bounce)
		file_bounce_copy(req, res, false);
	req->done_bytes += res;
	if (req->done_bytes < req->bytes)
		file_issue(bs, req);
	else
		file_done(bs, req, 0);
}

/*
 * The file system does not do this: remembered if it never will (EOPNOTSUPP), this time only if the
 * range was not to its liking (EINVAL, block devices). A discard is a hint, zeroes are not.
 */
static void file_fall_back(struct BlockDriverState *bs, struct BlkRequest *req, bool never)
{
	struct file_state *s = bs->opaque;

	if (req->step == FILE_PUNCH) {
		s->no_punch |= never;
		if (req->type == BLK_DISCARD) {
			file_done(bs, req, 0);
			return;
		}
		req->step = s->no_zero_range ? FILE_WRITE_ZEROES : FILE_ZERO_RANGE;
	} else {
		s->no_zero_range |= never;
		req->step = FILE_WRITE_ZEROES;
	}
	file_issue(bs, req);
}

static void file_cqe(struct CqeHandler *handler)
{
	struct BlkRequest *req = container_of(handler, struct BlkRequest, cqe);
	struct BlockDriverState *bs = bdrv_request_node(req);
	int res = handler->res;

	if (unlikely(res == -EINTR || res == -EAGAIN))
		file_issue(bs, req);
	else if (req->step <= FILE_WRITE_ZEROES)
		file_transferred(bs, req, res);
	else if (req->step != FILE_SYNC && (res == -EOPNOTSUPP || res == -EINVAL))
		file_fall_back(bs, req, res == -EOPNOTSUPP);
	else
		file_done(bs, req, res);
}

static enum file_step file_first_step(const struct file_state *s, const struct BlkRequest *req)
{
	switch (req->type) {
	case BLK_READ:
		return FILE_READ;
	case BLK_WRITE:
		return FILE_WRITE;
	case BLK_FLUSH:
		return FILE_SYNC;
	case BLK_DISCARD:
		return FILE_PUNCH;
	case BLK_WRITE_ZEROES:
		break;
	}
	if (req->may_unmap && !s->no_punch)
		return FILE_PUNCH;
	return s->no_zero_range ? FILE_WRITE_ZEROES : FILE_ZERO_RANGE;
}

void file_submit(struct BlockDriverState *bs, struct BlkRequest *req)
{
	const struct file_state *s = bs->opaque;

	req->done_bytes = 0;
	req->bounce = NULL;
	req->step = file_first_step(s, req);
	if (req->type == BLK_DISCARD && s->no_punch)
		bdrv_complete_later(bs->ctx, req, 0);
	else
		file_issue(bs, req);
}
