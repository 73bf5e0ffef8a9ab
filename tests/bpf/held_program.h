/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a program of the tracer's by hand, as its tracepoint would. */
#ifndef TESTS_BPF_HELD_PROGRAM_H
#define TESTS_BPF_HELD_PROGRAM_H

#include <stdint.h>

/* Programs of one tracer in this process, looked up once. Zeroed before its first use. */
struct held_programs {
	struct {
		const char *name;
		int fd;
	} program[16];
};

/* With the tracepoint's n arguments, in the calling thread. Any one thread at a time. */
void held_run(struct held_programs *h, const char *name, int n, const uint64_t *args);
void held_release(struct held_programs *h);

#define HELD_RUN(h, name, ...)                                                                     \
	held_run(h, name, sizeof((uint64_t[]){ __VA_ARGS__ }) / 8,                                 \
		 (const uint64_t[]){ __VA_ARGS__ })

#endif
