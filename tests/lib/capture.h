/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What code writes to a file descriptor or a FILE, as a string, for tests of output.
 * Single-threaded tests.
 */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

#include <stdio.h>

struct capture {
	int fd;	   /* the redirected descriptor */
	int saved; /* what it was */
	int file;  /* where its output goes meanwhile */
	char text[16384];
};

/* Sends fd (1 or 2) to a memfd until capture_end, which gives the text, cut to the buffer. */
void capture_begin(struct capture *c, int fd);
const char *capture_end(struct capture *c);

#endif
