// SPDX-License-Identifier: BSD-2-Clause
/* Bytes to standard output: see console_out.h. Main context. Neighbours: console.c keeps what does
 * not fit, console_fd.c writes. */
#include "console_out.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <handoff/log.h>

#define PATIENCE_MS	 10000
#define STOP_PATIENCE_MS 1000

static void watch(struct console_out *out, bool on);

static void on_writable(void *opaque)
{
	struct console_out *out = opaque;

	watch(out, false);
	out->ready(out->opaque);
}

static void watch(struct console_out *out, bool on)
{
	if (on != out->watched)
		aio_set_fd_handler(out->ctx, out->fd.fd, NULL, on ? on_writable : NULL, NULL, NULL,
				   out);
	out->watched = on;
}

void console_out_open(struct console_out *out, struct AioContext *ctx, int fd,
		      void (*ready)(void *opaque), void *opaque)
{
	*out = (struct console_out){ .ctx = ctx, .ready = ready, .opaque = opaque };
	console_fd_open(&out->fd, fd, true);
}

void console_out_close(struct console_out *out)
{
	watch(out, false);
	console_fd_close(&out->fd);
}

/* The guest runs on, as it would with its monitor switched off. */
static void fail(struct console_out *out, int error)
{
	out->error = error;
	if (error != -EPIPE)
		log_error("standard output: %s: what the guest prints from here on is lost",
			  strerror(-error));
}

size_t console_out_write(struct console_out *out, const void *bytes, size_t n)
{
	size_t done = 0;

	while (!out->error && done < n) {
		ssize_t got = console_fd_write(&out->fd, (const char *)bytes + done, n - done);

		if (got == -EAGAIN) {
			watch(out, true);
			return done;
		}
		if (got < 0)
			fail(out, (int)got);
		else
			done += (size_t)got;
	}
	return n;
}

bool console_out_wait(struct console_out *out, int stop_fd)
{
	struct pollfd fds[] = { { out->fd.fd, POLLOUT, 0 }, { stop_fd, POLLIN, 0 } };

	/* Also one who asked to stop wants what is already there. */
	if (poll(fds, 1, STOP_PATIENCE_MS) > 0)
		return true;
	return poll(fds, 2, PATIENCE_MS - STOP_PATIENCE_MS) > 0 && fds[0].revents;
}
