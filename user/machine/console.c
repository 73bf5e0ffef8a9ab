// SPDX-License-Identifier: BSD-2-Clause
/* Bytes to lines and to standard output: see console.h. BQL. Neighbours: serial.c puts, the
 * caller's console_line takes, console_out.c writes. */
#include "console.h"

#include <errno.h>
#include <stdlib.h>
#include <handoff/aio.h>
#include <handoff/log.h>
#include "console_out.h"
#include "serial.h"

struct console {
	struct console_config config;
	struct QEMUBH *bh;
	uint64_t head, tail; /* bytes ever put and taken; their difference is at most the room */
	uint64_t dropped;
	struct log_ratelimit drop_warning;
	bool has_out;
	struct console_out out;
	unsigned int line_len;
	char line[CONSOLE_LINE_BYTES + 1];
	uint8_t ring[CONSOLE_ROOM_BYTES];
};

static void end_line(struct console *c)
{
	c->line[c->line_len] = '\0';
	c->line_len = 0;
	if (c->config.line)
		c->config.line(c->config.opaque, c->line);
}

static void take_byte(struct console *c, uint8_t byte)
{
	if (byte == '\n') {
		end_line(c);
		return;
	}
	if (byte == '\r')
		return;
	if (byte != '\t' && (byte < ' ' || byte > '~'))
		byte = '?';
	if (c->line_len == CONSOLE_LINE_BYTES)
		end_line(c);
	c->line[c->line_len++] = (char)byte;
}

/* As many of the oldest bytes as standard output takes, and lie beside each other. */
static size_t drain_some(struct console *c)
{
	size_t at = c->tail % CONSOLE_ROOM_BYTES;
	size_t n = MIN(c->head - c->tail, CONSOLE_ROOM_BYTES - at);

	if (c->has_out)
		n = console_out_write(&c->out, c->ring + at, n);
	for (size_t i = 0; i < n; i++)
		take_byte(c, c->ring[at + i]);
	c->tail += n;
	return n;
}

static void console_drain(void *opaque)
{
	struct console *c = opaque;
	bool was_full = !console_has_room(c);

	while (drain_some(c))
		;
	if (was_full && console_has_room(c) && c->config.room)
		c->config.room(c->config.room_opaque);
}

struct console *console_new(const struct console_config *config, struct error *err)
{
	struct console *c = calloc(1, sizeof(*c));

	if (c)
		c->bh = aio_bh_new(config->ctx, console_drain, c, "console");
	if (!c || !c->bh) {
		free(c);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	c->config = *config;
	c->has_out = config->out_fd >= 0;
	if (c->has_out)
		console_out_open(&c->out, config->ctx, config->out_fd, console_drain, c);
	return c;
}

int console_flush(struct console *c, int stop_fd)
{
	console_drain(c);
	while (c->tail != c->head && console_out_wait(&c->out, stop_fd))
		console_drain(c);
	if (c->line_len)
		end_line(c);
	if (c->tail != c->head) {
		log_error("standard output: nobody reads: the last %llu bytes that the guest "
			  "printed are lost",
			  (unsigned long long)(c->head - c->tail));
		return -ETIMEDOUT;
	}
	return c->has_out && c->out.error != -EPIPE ? c->out.error : 0;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	if (c->has_out)
		console_out_close(&c->out);
	aio_bh_delete(c->bh);
	free(c);
}

void console_put(struct console *c, uint8_t byte)
{
	if (c->head - c->tail == CONSOLE_ROOM_BYTES) {
		c->dropped++;
		log_limited(&c->drop_warning, LOG_WARN,
			    "the guest prints faster than it is read: %llu bytes dropped",
			    (unsigned long long)c->dropped);
		return;
	}
	c->ring[c->head++ % CONSOLE_ROOM_BYTES] = byte;
	/* Standard output is not buffered. Else whole lines, and a line without end before it fills
	 * the room. */
	if (c->has_out || byte == '\n' || c->head - c->tail == CONSOLE_ROOM_BYTES / 2)
		aio_bh_schedule(c->bh);
}

bool console_has_room(const struct console *c)
{
	return c->head - c->tail <= CONSOLE_ROOM_BYTES - SERIAL_FIFO_BYTES;
}

uint64_t console_dropped(const struct console *c)
{
	return c->dropped;
}
