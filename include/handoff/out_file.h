/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that is written at the end: to a temporary beside it which is then renamed, so that a
 * reader never sees half of it; a link stays one. "-" is stdout; devices and pipes are written to
 * directly. Any thread.
 */
#ifndef HANDOFF_OUT_FILE_H
#define HANDOFF_OUT_FILE_H

#include <stdio.h>
#include <jansson.h>
#include <handoff/error.h>

/* Before the work: could it be written? 0, or -errno with err. Leaves nothing behind. */
int out_file_check(const char *path, struct error *err) MUST_CHECK;

/* `fill` writes it: 0, or -errno with err. After a failure what was there before still is. */
int out_file_write(const char *path, int (*fill)(void *opaque, FILE *to, struct error *err),
		   void *opaque, struct error *err) MUST_CHECK;

/* A document, indented, with a newline. The reference is taken; NULL is a lack of memory. `what` is
 * what an error calls it. 0 or -errno with err. */
int out_json(json_t *root, const char *what, FILE *to, struct error *err) MUST_CHECK;

#endif
