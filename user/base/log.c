// SPDX-License-Identifier: BSD-2-Clause
/*
 * Lines on stderr. A line is built on the stack and leaves by one write(2), so lines of several
 * threads and of the tracer beside us never mix. The level is the only state.
 */
#include <handoff/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <handoff/clock.h>

#define LOG_LINE_MAX		1024
#define LOG_BURST_DEFAULT	5
#define LOG_INTERVAL_NS_DEFAULT NS_PER_S

static _Atomic int log_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

static bool log_wanted(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/*
 * Keeps a message on one line and away from the terminal's control codes: parts of it may be a
 * guest's or a file's.
 */
static void log_defuse(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = *s == '\n' || *s == '\t' ? ' ' : '?';
}

/* errno is left as it was: a message must not change what its caller goes on to report. */
static void log_line(const char *fmt, va_list ap, unsigned int held)
{
	static const char head[] = "handoff: ";
	char line[LOG_LINE_MAX];
	int saved_errno = errno;
	size_t len;

	memcpy(line, head, sizeof(head));
	vsnprintf(line + sizeof(head) - 1, sizeof(line) - sizeof(head) - 64, fmt, ap);
	log_defuse(line);
	len = strlen(line);
	if (held)
		len += snprintf(line + len, sizeof(line) - len - 1, " (%u like it held back)",
				held);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0) {
		/* A closed or full stderr is nobody's error. */
	}
	errno = saved_errno;
}

#define LOG_FUNCTION(name, level)                                                                  \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		if (!log_wanted(level))                                                            \
			return;                                                                    \
		va_start(ap, fmt);                                                                 \
		log_line(fmt, ap, 0);                                                              \
		va_end(ap);                                                                        \
	}

LOG_FUNCTION(log_error, LOG_ERROR)
LOG_FUNCTION(log_warn, LOG_WARN)
LOG_FUNCTION(log_info, LOG_INFO)
LOG_FUNCTION(log_debug, LOG_DEBUG)

/*
 * Relaxed atomics throughout: two threads at a window's edge may let one line more pass, which is
 * the worst that can happen. The CAS lets only one of them open the new window, so `held` is
 * reported once.
 */
static bool log_ratelimit_pass(struct log_ratelimit *rl, uint32_t *held)
{
	int64_t interval_ns = rl->interval_ns ? rl->interval_ns : LOG_INTERVAL_NS_DEFAULT;
	uint32_t burst = rl->burst ? rl->burst : LOG_BURST_DEFAULT;
	int64_t start_ns = atomic_load_explicit(&rl->window_start_ns, memory_order_relaxed);
	int64_t now_ns = clock_ns();

	*held = 0;
	if ((!start_ns || now_ns - start_ns >= interval_ns) &&
	    atomic_compare_exchange_strong_explicit(&rl->window_start_ns, &start_ns, now_ns,
						    memory_order_relaxed, memory_order_relaxed)) {
		atomic_store_explicit(&rl->printed, 1, memory_order_relaxed);
		*held = atomic_exchange_explicit(&rl->held, 0, memory_order_relaxed);
		return true;
	}
	if (atomic_fetch_add_explicit(&rl->printed, 1, memory_order_relaxed) < burst)
		return true;
	atomic_store_explicit(&rl->printed, burst, memory_order_relaxed); /* never wraps */
	atomic_fetch_add_explicit(&rl->held, 1, memory_order_relaxed);
	return false;
}

void log_limited(struct log_ratelimit *rl, enum log_level level, const char *fmt, ...)
{
	uint32_t held;
	va_list ap;

	if (!log_wanted(level) || !log_ratelimit_pass(rl, &held))
		return;
	va_start(ap, fmt);
	log_line(fmt, ap, held);
	va_end(ap);
}
