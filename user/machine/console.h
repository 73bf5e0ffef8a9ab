/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Console: bytes from the serial port become lines for machine_config.console_line, and go to
 * standard output as they are if that is wanted. The guest writes from its vCPU thread; both go out
 * from a bottom half of the main context. Everything under the BQL.
 */
#ifndef MACHINE_CONSOLE_H
#define MACHINE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

struct AioContext;
struct console;

#define CONSOLE_LINE_BYTES 4096 /* a longer line is handed over in pieces */
#define CONSOLE_ROOM_BYTES 65536

struct console_config {
	struct AioContext *ctx; /* main context */
	int out_fd;		/* gets every byte; -1 = none */
	/* Control characters are replaced: what a guest says must not steer the user's terminal. */
	void (*line)(void *opaque, const char *line); /* may be NULL */
	void *opaque;
	/* A full console has room again. May be NULL. */
	void (*room)(void *opaque);
	void *room_opaque;
};

struct console *console_new(const struct console_config *config, struct error *err) MUST_CHECK;
/*
 * At the end of a run: hands over what is left, an unfinished line too, and waits for a slow reader
 * (console_out_wait). 0, or -errno if standard output did not take it all (already printed); a pipe
 * closed by its reader is no error.
 */
int console_flush(struct console *console, int stop_fd);
void console_free(struct console *console);

/* A full console drops the byte and counts it: a guest that looks at its port's status never sends
 * one then. */
void console_put(struct console *console, uint8_t byte);
/* For as much as a driver sends at once when the transmitter is empty. */
bool console_has_room(const struct console *console);
uint64_t console_dropped(const struct console *console);

#endif
