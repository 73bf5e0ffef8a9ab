// SPDX-License-Identifier: BSD-2-Clause
/* Pieces of scattered guest memory: see virtio_iov.h. Any thread. */
#include "virtio_iov.h"

#include <stdbool.h>
#include <string.h>
#include <handoff/compiler.h>

static size_t iov_copy(const struct iovec *iov, unsigned int n, uint64_t offset, char *buf,
		       size_t len, bool to_iov)
{
	size_t done = 0;
	unsigned int i;

	for (i = 0; i < n && done < len; i++) {
		char *at = iov[i].iov_base;
		size_t part;

		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = MIN(iov[i].iov_len - offset, len - done);
		if (to_iov)
			memcpy(at + offset, buf + done, part);
		else
			memcpy(buf + done, at + offset, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t iov_read(const struct iovec *iov, unsigned int n, uint64_t offset, void *to, size_t len)
{
	return iov_copy(iov, n, offset, to, len, false);
}

size_t iov_write(const struct iovec *iov, unsigned int n, uint64_t offset, const void *from,
		 size_t len)
{
	return iov_copy(iov, n, offset, (char *)from, len, true);
}

int iov_slice(struct iovec *to, unsigned int max, const struct iovec *iov, unsigned int n,
	      uint64_t offset, uint64_t bytes)
{
	unsigned int i, used = 0;

	for (i = 0; i < n && bytes; i++) {
		uint64_t len = iov[i].iov_len;

		if (offset >= len) {
			offset -= len;
			continue;
		}
		if (used == max)
			return -1;
		len = MIN(len - offset, bytes);
		to[used++] = (struct iovec){
			.iov_base = (char *)iov[i].iov_base + offset,
			.iov_len = len,
		};
		bytes -= len;
		offset = 0;
	}
	return used;
}
