/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The console's way out: bytes to standard output as they are. A reader that is slow makes the
 * caller keep the rest; one that is gone takes everything. Main context.
 */
#ifndef MACHINE_CONSOLE_OUT_H
#define MACHINE_CONSOLE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <handoff/aio.h>
#include "console_fd.h"

/* Caller's memory, private to console_out.c. */
struct console_out {
	struct AioContext *ctx;
	struct console_fd fd;
	bool watched;
	int error; /* -errno that ended it; 0 = none. Only the first is told. */
	void (*ready)(void *opaque);
	void *opaque;
};

/* ready: there is room again after a write that was cut short. */
void console_out_open(struct console_out *out, struct AioContext *ctx, int fd,
		      void (*ready)(void *opaque), void *opaque);
void console_out_close(struct console_out *out);

/* Returns how many it took, 0 to n. What failed is told once on stderr, but for a closed pipe. */
size_t console_out_write(struct console_out *out, const void *bytes, size_t n);

/*
 * For the end of a run, when nothing else waits: until there is room. False if nobody reads for ten
 * seconds, or one if stop_fd (-1 = none) is readable.
 */
bool console_out_wait(struct console_out *out, int stop_fd);

#endif
