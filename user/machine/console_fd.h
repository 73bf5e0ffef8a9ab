/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A descriptor of the user's (standard input or output) that is never waited for. O_NONBLOCK is not
 * set on it: that flag belongs to everyone who has the same file open, the user's shell too. Main
 * context.
 */
#ifndef MACHINE_CONSOLE_FD_H
#define MACHINE_CONSOLE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Caller's memory. `fd` may be watched with aio_set_fd_handler after an -EAGAIN. */
struct console_fd {
	int fd;
	bool is_ours;	/* opened anew: closed by console_fd_close */
	bool is_socket; /* sockets have a flag for each call */
	bool may_block; /* could not be opened anew: looked at before each call, small pieces */
};

void console_fd_open(struct console_fd *f, int fd, bool for_writing);
void console_fd_close(struct console_fd *f);

/* As read(2) and write(2), but -errno; -EAGAIN instead of waiting. EINTR does not happen. */
ssize_t console_fd_read(const struct console_fd *f, void *to, size_t n);
ssize_t console_fd_write(const struct console_fd *f, const void *from, size_t n);

#endif
