// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keeping libbpf's warnings. Its print callback carries no pointer of ours, so what it says goes to
 * a buffer of the thread that called it; libbpf talks in the caller's thread only.
 */
#include "libbpf_log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>

static __thread char kept[1024];

/* The verifier's complaint comes as one warning with the whole log in it; its last words are what
 * matters. */
static void keep(const char *text)
{
	const char *log = strstr(text, "BEGIN PROG LOAD LOG");
	const char *end = log ? strstr(log, "processed ") : NULL;
	const char *start = end;

	if (end) {
		for (start = end - 1; start > log && start[-1] != '\n'; start--)
			;
		snprintf(kept, sizeof(kept), "%.*s", (int)strcspn(start, "\n"), start);
		return;
	}
	if (!kept[0] && !log)
		snprintf(kept, sizeof(kept), "%.*s", (int)strcspn(text, "\n"), text);
}

static int libbpf_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	static __thread char text[16384];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(text, sizeof(text), fmt, args);
	keep(text);
	return 0;
}

void libbpf_log_begin(void)
{
	kept[0] = '\0';
	libbpf_set_print(libbpf_print);
}

char *libbpf_log_why(int errnum, char *buf, size_t size)
{
	const char *text = kept;

	/* EPERM says enough by itself; what libbpf adds is about ulimits. */
	if (errnum == -EPERM || !kept[0]) {
		snprintf(buf, size, "%s", strerror(-errnum));
		return buf;
	}
	if (!strncmp(text, "libbpf: ", 8))
		text += 8;
	snprintf(buf, size, "%s (%s)", text, strerror(-errnum));
	return buf;
}
