/* SPDX-License-Identifier: BSD-2-Clause */
/* The file driver's two halves: file.c opens, locks and closes; file_uring.c serves requests. */
#ifndef FILE_H
#define FILE_H

#include "block_int.h"

/* Bounce buffers and the source of written zeroes; larger requests go in pieces of this size. */
#define FILE_CHUNK_BYTES (1 << 20)

struct file_state {
	char *path;
	int fd;
	/*
	 * Without O_DIRECT, for requests that O_DIRECT cannot take; -1 if fd is without it itself.
	 * The kernel keeps both coherent: a direct access first writes back what the page cache has
	 * of its range, and a direct write drops it afterwards. That holds as long as no page is
	 * written both ways at the same time, which file_open_direct sees to.
	 */
	int fd_buffered;
	unsigned int mem_align; /* of memory, for O_DIRECT */
	const void *zeroes;	/* FILE_CHUNK_BYTES of them, mapped read-only; costs no memory */

	/* What the file system refused once; in the node's context. */
	bool no_punch, no_zero_range;
	struct log_ratelimit complaints;
};

void file_submit(struct BlockDriverState *bs, struct BlkRequest *req);

#endif
