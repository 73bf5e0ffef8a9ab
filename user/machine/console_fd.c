// SPDX-License-Identifier: BSD-2-Clause
/* Reading and writing without ever waiting: see console_fd.h. Main context. Neighbours:
 * console_in.c, console_out.c. */
#include "console_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <handoff/compiler.h>

/* What a terminal takes when poll(2) says that it takes something: not less in practice. */
#define CAREFUL_BYTES 64

/* Was it opened for this at all? A file opened anew would hide that it was not. */
static bool is_meant_for(int fd, bool for_writing)
{
	int mode = fcntl(fd, F_GETFL);

	return mode >= 0 && (mode & O_ACCMODE) != (for_writing ? O_RDONLY : O_WRONLY);
}

void console_fd_open(struct console_fd *f, int fd, bool for_writing)
{
	int flags = (for_writing ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	char path[32];
	struct stat st;

	*f = (struct console_fd){ .fd = fd };
	if (!is_meant_for(fd, for_writing) || fstat(fd, &st))
		return;
	f->is_socket = S_ISSOCK(st.st_mode);
	/* Files never make anyone wait for long, and one opened anew would start at its beginning.
	 */
	if (!S_ISFIFO(st.st_mode) && !S_ISCHR(st.st_mode))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, flags);
	f->is_ours = fd >= 0;
	f->may_block = fd < 0;
	if (fd >= 0)
		f->fd = fd;
}

void console_fd_close(struct console_fd *f)
{
	if (f->is_ours)
		close(f->fd);
	f->is_ours = false;
}

static bool is_ready(const struct console_fd *f, short events)
{
	struct pollfd fd = { f->fd, events, 0 };

	return !f->may_block || poll(&fd, 1, 0) > 0;
}

/* A read or write that was made, as its callers want to have it. */
static ssize_t outcome(ssize_t n)
{
	return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
}

ssize_t console_fd_read(const struct console_fd *f, void *to, size_t n)
{
	if (!is_ready(f, POLLIN))
		return -EAGAIN;
	return outcome(f->is_socket ? recv(f->fd, to, n, MSG_DONTWAIT) : read(f->fd, to, n));
}

ssize_t console_fd_write(const struct console_fd *f, const void *from, size_t n)
{
	if (!is_ready(f, POLLOUT))
		return -EAGAIN;
	if (f->may_block)
		n = MIN(n, (size_t)CAREFUL_BYTES);
	return outcome(f->is_socket ? send(f->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(f->fd, from, n));
}
