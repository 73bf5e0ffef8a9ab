// SPDX-License-Identifier: BSD-2-Clause
/* Bytes to lines: see console.h. BQL. Neighbours: serial.c puts, the caller's console_line takes.
 */
#include "console.h"

#include <errno.h>
#include <stdlib.h>
#include <handoff/aio.h>
#include <handoff/log.h>

struct console {
	struct console_config config;
	struct QEMUBH *bh;
	uint64_t head, tail; /* bytes ever put and taken; their difference is at most the room */
	uint64_t dropped;
	struct log_ratelimit drop_warning;
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

static void console_drain(void *opaque)
{
	struct console *c = opaque;
	bool was_full = !console_has_room(c);

	while (c->tail != c->head)
		take_byte(c, c->ring[c->tail++ % CONSOLE_ROOM_BYTES]);
	if (was_full && c->config.room)
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
	return c;
}

void console_flush(struct console *c)
{
	console_drain(c);
	if (c->line_len)
		end_line(c);
}

void console_free(struct console *c)
{
	if (!c)
		return;
	aio_bh_delete(c->bh);
	free(c);
}

void console_put(struct console *c, uint8_t byte)
{
	if (!console_has_room(c)) {
		c->dropped++;
		log_limited(&c->drop_warning, LOG_WARN,
			    "the guest prints faster than it is read: %llu bytes dropped",
			    (unsigned long long)c->dropped);
		return;
	}
	c->ring[c->head++ % CONSOLE_ROOM_BYTES] = byte;
	/* Whole lines, and a line without end before it fills the room. */
	if (byte == '\n' || c->head - c->tail == CONSOLE_ROOM_BYTES / 2)
		aio_bh_schedule(c->bh);
}

bool console_has_room(const struct console *c)
{
	return c->head - c->tail < CONSOLE_ROOM_BYTES;
}

uint64_t console_dropped(const struct console *c)
{
	return c->dropped;
}
