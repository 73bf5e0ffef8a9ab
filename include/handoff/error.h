/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct error: why something failed, in words a user can act on. Caller's memory, filled by the
 * one who fails, printed by the one who handles. One line, no trailing newline or period: what,
 * where, how to mend it. Not shared between threads.
 */
#ifndef HANDOFF_ERROR_H
#define HANDOFF_ERROR_H

#include <handoff/compiler.h>

struct error {
	char msg[400];
};

/*
 * Fills err (which may be NULL) and returns errnum, a negative errno, so that `return
 * error_set(err, -EINVAL, ...)` reads well.
 */
int error_set(struct error *err, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "<text>: " before what err holds. Keeps err's end when the sum is too long. */
void error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
