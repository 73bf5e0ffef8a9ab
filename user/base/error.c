// SPDX-License-Identifier: BSD-2-Clause
/* Filling struct error. Memory is the caller's; nothing here allocates. Any thread. */
#include <handoff/error.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return errnum;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return errnum;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
	struct error whole;
	size_t prefix, tail;
	va_list ap;
	int n;

	if (!err)
		return;
	va_start(ap, fmt);
	n = vsnprintf(whole.msg, sizeof(whole.msg), fmt, ap);
	va_end(ap);

	/* The end says what is wrong, so a prefix that does not fit is what gets cut. */
	tail = strnlen(err->msg, sizeof(err->msg) - 1);
	prefix = MIN((size_t)MAX(n, 0), sizeof(whole.msg) - 1);
	if (prefix + 2 + tail >= sizeof(err->msg))
		prefix = tail + 3 >= sizeof(err->msg) ? 0 : sizeof(err->msg) - tail - 3;
	if (!prefix)
		return;
	memmove(err->msg + prefix + 2, err->msg, tail);
	memcpy(err->msg, whole.msg, prefix);
	memcpy(err->msg + prefix, ": ", 2);
	err->msg[prefix + 2 + tail] = '\0';
}
