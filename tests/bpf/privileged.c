// SPDX-License-Identifier: BSD-2-Clause
/* See privileged.h. */
#include "privileged.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <handoff/trace.h>

bool privileged(char why[400])
{
	struct error err = { "" };
	int ret = tracer_check_privilege(&err);

	snprintf(why, 400, "%s", err.msg);
	return !ret;
}

const char *built(const char *name, char path[4096])
{
	const char *dir = getenv("HANDOFF_BUILD");
	char exe[4096] = "";
	int i;

	if (!dir) {
		if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
			abort();
		for (i = 0; i < 3; i++) /* BUILD/tests/bpf/test_x */
			dir = dirname(exe);
	}
	snprintf(path, 4096, "%s/%s", dir, name);
	return path;
}
