/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiler attributes and the few macros every folder uses. No code, no storage. */
#ifndef HANDOFF_COMPILER_H
#define HANDOFF_COMPILER_H

#include <stddef.h>

/*
 * A function that must exist as a frame of its own in a live stack (design.md, the three paths):
 * profilers, debuggers and uprobes look for it by name, so it is neither inlined nor cloned under
 * another name.
 */
#define FRAME __attribute__((noinline, noclone))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK	       __attribute__((warn_unused_result))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a)	 (sizeof(a) / sizeof((a)[0]))
/* The arguments are evaluated twice: no calls, no side effects. */
#define MIN(a, b)	 ((a) < (b) ? (a) : (b))
#define MAX(a, b)	 ((a) > (b) ? (a) : (b))
#define ROUND_UP(n, d)	 (((n) + (d)-1) / (d) * (d))
#define ROUND_DOWN(n, d) ((n) / (d) * (d))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
