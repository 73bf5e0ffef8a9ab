/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Talk to the user on stderr: one line each, "handoff: <text>". Any thread; a line is one write(2),
 * never torn. stdout is for the product only. The level is set once by main().
 */
#ifndef HANDOFF_LOG_H
#define HANDOFF_LOG_H

#include <stdint.h>
#include <stdatomic.h>
#include <handoff/compiler.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * For what a guest can provoke: at most `burst` lines each interval_ns; the first line after a
 * silence says how many were held back. Any thread. Embed it in the object that complains,
 * zero-initialised = 5 lines a second.
 */
struct log_ratelimit {
	_Atomic int64_t window_start_ns;
	_Atomic uint32_t printed, held;
	uint32_t burst;
	int64_t interval_ns;
};

void log_limited(struct log_ratelimit *rl, enum log_level level, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
