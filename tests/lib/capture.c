// SPDX-License-Identifier: BSD-2-Clause
/* Redirection of stdout or stderr to a memfd, so that nothing is left on disk when a test dies. */
#include "capture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static void check(int ok)
{
	if (!ok) {
		perror("capture");
		abort();
	}
}

void capture_begin(struct capture *c, int fd)
{
	fflush(NULL);
	c->fd = fd;
	c->saved = dup(fd);
	c->file = memfd_create("capture", MFD_CLOEXEC);
	check(c->saved >= 0 && c->file >= 0 && dup2(c->file, fd) == fd);
	/*
	 * A memfd has no lock for its position: without O_APPEND writes of two threads overwrite
	 * each other.
	 */
	check(!fcntl(fd, F_SETFL, O_APPEND));
}

const char *capture_end(struct capture *c)
{
	ssize_t n;

	fflush(NULL);
	check(dup2(c->saved, c->fd) == c->fd);
	n = pread(c->file, c->text, sizeof(c->text) - 1, 0);
	check(n >= 0);
	c->text[n] = '\0';
	close(c->saved);
	close(c->file);
	return c->text;
}
