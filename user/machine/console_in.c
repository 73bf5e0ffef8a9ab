// SPDX-License-Identifier: BSD-2-Clause
/*
 * Standard input to the serial port: see console_in.h. Main context. A pipe or file is read when
 * the guest has taken what was read before, so that nothing is lost; a terminal always, since its
 * escape key must work on a guest that hears nothing: what that does not take is dropped then, as a
 * terminal does. Neighbours: serial.c takes, ports.c wires, console_fd.c reads.
 */
#include "console_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include <handoff/log.h>
#include "console_fd.h"

#define CTRL_A 1

/* How soon a terminal is looked at again that belongs to another job. */
#define RETRY_NS NS_PER_S

struct console_in {
	struct console_in_config config;
	struct console_fd fd;
	struct QEMUBH *bh;
	struct AioTimer retry;
	bool watched, ended;
	bool after_ctrl_a;
	unsigned int start, fill; /* bytes of buf that wait: [start, start + fill) */
	uint8_t buf[CONSOLE_IN_BYTES];
};

static void pump(void *opaque);

static void watch(struct console_in *in, bool on)
{
	if (on != in->watched)
		aio_set_fd_handler(in->config.ctx, in->fd.fd, on ? pump : NULL, NULL, NULL, NULL,
				   in);
	in->watched = on;
}

static void on_command(struct console_in *in, uint8_t key)
{
	if (key == 'x')
		in->config.quit(in->config.opaque);
	else if (key == 'h' || key == '?')
		log_info("Ctrl-A x ends the run, Ctrl-A h shows this, Ctrl-A Ctrl-A sends Ctrl-A");
}

/* True if the byte is the guest's. */
static bool is_for_guest(struct console_in *in, uint8_t byte)
{
	bool after_ctrl_a = in->after_ctrl_a;

	if (!in->config.escape)
		return true;
	in->after_ctrl_a = byte == CTRL_A && !after_ctrl_a;
	if (in->after_ctrl_a)
		return false;
	if (after_ctrl_a && byte != CTRL_A)
		on_command(in, byte);
	return !after_ctrl_a || byte == CTRL_A;
}

static void give(struct console_in *in)
{
	unsigned int taken = 0;

	if (in->fill)
		taken = in->config.receive(in->config.opaque, in->buf + in->start, in->fill);
	in->start += taken;
	in->fill -= taken;
	if (!in->fill)
		in->start = 0;
}

static void append(struct console_in *in, const uint8_t *bytes, size_t n)
{
	memmove(in->buf, in->buf + in->start, in->fill);
	in->start = 0;
	for (size_t i = 0; i < n; i++)
		if (is_for_guest(in, bytes[i]) && in->fill < CONSOLE_IN_BYTES)
			in->buf[in->fill++] = bytes[i];
}

static void on_error(struct console_in *in, int error)
{
	/* A terminal that another job has in the foreground: SIGTTIN is ignored, so it says EIO. */
	if (error == -EIO && in->config.escape)
		aio_timer_mod_any(&in->retry, clock_ns() + RETRY_NS);
	else if (error != -EAGAIN)
		in->ended = true;
	watch(in, error == -EAGAIN);
}

/* Gives on what there is, then reads once; after an -EAGAIN the handler calls again. */
static void pump(void *opaque)
{
	struct console_in *in = opaque;
	uint8_t bytes[CONSOLE_IN_BYTES];
	ssize_t n;

	give(in);
	if (in->ended || (in->fill && !in->config.escape)) {
		watch(in, false);
		return;
	}
	n = console_fd_read(&in->fd, bytes, sizeof(bytes));
	if (n < 0) {
		on_error(in, (int)n);
		return;
	}
	in->ended = !n;
	append(in, bytes, (size_t)n);
	aio_bh_schedule(in->bh);
}

struct console_in *console_in_new(const struct console_in_config *config, struct error *err)
{
	struct console_in *in = calloc(1, sizeof(*in));

	if (in)
		in->bh = aio_bh_new(config->ctx, pump, in, "console-in");
	if (!in || !in->bh) {
		free(in);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	in->config = *config;
	console_fd_open(&in->fd, config->fd, false);
	aio_timer_init(config->ctx, &in->retry, pump, in);
	aio_bh_schedule(in->bh);
	return in;
}

void console_in_free(struct console_in *in)
{
	if (!in)
		return;
	watch(in, false);
	aio_timer_del(&in->retry);
	aio_bh_delete(in->bh);
	console_fd_close(&in->fd);
	free(in);
}

void console_in_room_any(struct console_in *in)
{
	aio_bh_schedule(in->bh);
}
