// SPDX-License-Identifier: BSD-2-Clause
/* See values.h. */
#include "values.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/kv.h>

#define LONGEST_S 1000000000ull

int seconds_parse(const char *arg, uint64_t min_ns, uint64_t *ns, struct error *err)
{
	char with_unit[64], least[16];
	size_t len = strlen(arg);
	int n;

	n = snprintf(with_unit, sizeof(with_unit), "%s%s%s", arg[0] == '.' ? "0" : "", arg,
		     len && arg[len - 1] >= '0' && arg[len - 1] <= '9' ? "s" : "");
	if (n >= (int)sizeof(with_unit) || kv_parse_time(with_unit, ns))
		return error_set(err, -EINVAL, "%s: not a time; write seconds (5, 0.5) or 500ms",
				 arg);
	if (*ns < min_ns)
		return error_set(err, -EINVAL, "%s: too short; at least %s", arg,
				 clock_format_ns(least, (int64_t)min_ns));
	if (*ns > LONGEST_S * NS_PER_S)
		return error_set(err, -EINVAL, "%s: too long; at most %llu s", arg, LONGEST_S);
	return 0;
}

int pid_parse(const char *arg, pid_t *pid, struct error *err)
{
	uint64_t number;

	/* What stands behind a `-p $(pidof qemu)` that found nothing. */
	if (arg[0] == '-')
		return error_set(err, -EINVAL,
				 "a process number is missing before %s: does the program run?",
				 arg);
	if (kv_parse_u64(arg, &number) || !number || number > INT_MAX)
		return error_set(err, -EINVAL, "%s: not a process number; write one pid each", arg);
	*pid = (pid_t)number;
	return 0;
}
