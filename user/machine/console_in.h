/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's way in: standard input to the serial port, no faster than the guest takes it. With
 * `escape` (a terminal in raw mode) Ctrl-A is the key to our own commands. Main context.
 */
#ifndef MACHINE_CONSOLE_IN_H
#define MACHINE_CONSOLE_IN_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

struct AioContext;
struct console_in;

#define CONSOLE_IN_BYTES 4096

struct console_in_config {
	struct AioContext *ctx;
	int fd;
	bool escape;
	/* Takes as many as there is room for; console_in_room_any when there is room again. */
	unsigned int (*receive)(void *opaque, const uint8_t *bytes, unsigned int n);
	void (*quit)(void *opaque); /* Ctrl-A x */
	void *opaque;
};

struct console_in *console_in_new(const struct console_in_config *config,
				  struct error *err) MUST_CHECK;
void console_in_free(struct console_in *in);
void console_in_room_any(struct console_in *in);

#endif
