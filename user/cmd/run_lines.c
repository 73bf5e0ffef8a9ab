// SPDX-License-Identifier: BSD-2-Clause
/* Lines out of a pipe: see run_lines.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "run_lines.h"

static void hand_on(struct run_lines *l, size_t len, void (*line)(void *, const char *),
		    void *opaque)
{
	l->buf[len] = '\0';
	line(opaque, l->buf);
}

void run_lines_read(struct run_lines *l, int fd, void (*line)(void *opaque, const char *text),
		    void *opaque)
{
	ssize_t n = read(fd, l->buf + l->fill, sizeof(l->buf) - 1 - l->fill);
	size_t start = 0;
	char *end;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		l->eof = true;
		if (l->fill)
			hand_on(l, l->fill, line, opaque);
		l->fill = 0;
		return;
	}
	l->fill += (size_t)n;
	while ((end = memchr(l->buf + start, '\n', l->fill - start))) {
		*end = '\0';
		line(opaque, l->buf + start);
		start = (size_t)(end - l->buf) + 1;
	}
	l->fill -= start;
	memmove(l->buf, l->buf + start, l->fill);
	if (l->fill == sizeof(l->buf) - 1) {
		hand_on(l, l->fill, line, opaque);
		l->fill = 0;
	}
}
