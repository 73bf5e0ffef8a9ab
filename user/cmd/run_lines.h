/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines out of a pipe: reads what is there, hands on whole lines, cuts those that are too long.
 * Main thread. */
#ifndef HANDOFF_CMD_RUN_LINES_H
#define HANDOFF_CMD_RUN_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct run_lines {
	bool eof;
	size_t fill;
	char buf[4096];
};

/* One read(2) of fd; `line` is called without the newline. An unfinished last line is handed on at
 * end of file. */
void run_lines_read(struct run_lines *l, int fd, void (*line)(void *opaque, const char *text),
		    void *opaque);

#endif
