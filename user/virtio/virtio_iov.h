/* SPDX-License-Identifier: BSD-2-Clause */
/* Pieces of scattered guest memory. Iovecs are translated and judged; their bytes are the guest's.
 */
#ifndef VIRTIO_IOV_H
#define VIRTIO_IOV_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* Copies len bytes from offset on, out of iov or into it; how many there were. */
size_t iov_read(const struct iovec *iov, unsigned int n, uint64_t offset, void *to, size_t len);
size_t iov_write(const struct iovec *iov, unsigned int n, uint64_t offset, const void *from,
		 size_t len);

/* Describes [offset, offset + bytes) of iov in to[max]; iovecs used, or -1 if max are too few. */
int iov_slice(struct iovec *to, unsigned int max, const struct iovec *iov, unsigned int n,
	      uint64_t offset, uint64_t bytes);

#endif
