/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time. One clock for everything: CLOCK_MONOTONIC in ns, the domain of bpf_ktime_get_ns(), so
 * stamps of both mix. Any thread.
 */
#ifndef HANDOFF_CLOCK_H
#define HANDOFF_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_US 1000ll
#define NS_PER_MS 1000000ll
#define NS_PER_S  1000000000ll

static inline int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static inline struct timespec clock_timespec(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

/* "850ns", "12.3us", "4.56ms", "7.89s": at most 8 characters and the NUL. Returns buf. */
char *clock_format_ns(char buf[16], int64_t ns);

#endif
