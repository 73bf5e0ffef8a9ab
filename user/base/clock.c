// SPDX-License-Identifier: BSD-2-Clause
/*
 * A duration in words: three significant digits, the widest form eight characters. Pure, any
 * thread.
 */
#include <handoff/clock.h>

#include <stdio.h>

#define CLOCK_FORMAT_SIZE 16

char *clock_format_ns(char buf[16], int64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { NS_PER_US, "us" }, { NS_PER_MS, "ms" }, { NS_PER_S, "s" } };
	const char *sign = ns < 0 ? "-" : "";
	uint64_t v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	unsigned int i = 0, decimals;

	if (v < NS_PER_US) {
		snprintf(buf, CLOCK_FORMAT_SIZE, "%s%uns", sign, (unsigned int)v);
		return buf;
	}
	/* The edges are where rounding would print a fourth digit: 999.5 us is "1.00ms". */
	while (i < 2 && v >= units[i].ns * 1000 - units[i].ns / 2)
		i++;
	if (v / NS_PER_S > 999999) {
		snprintf(buf, CLOCK_FORMAT_SIZE, "%s%ud", sign,
			 (unsigned int)(v / NS_PER_S / 86400));
		return buf;
	}
	if (v < units[i].ns * 10 - units[i].ns / 200)
		decimals = 2;
	else if (v < units[i].ns * 100 - units[i].ns / 20)
		decimals = 1;
	else
		decimals = 0;
	snprintf(buf, CLOCK_FORMAT_SIZE, "%s%.*f%s", sign, decimals, (double)v / units[i].ns,
		 units[i].name);
	return buf;
}
