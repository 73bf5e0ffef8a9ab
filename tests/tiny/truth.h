/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tiny VMM says of itself. */
#ifndef TESTS_TINY_TRUTH_H
#define TESTS_TINY_TRUTH_H

#include <stdint.h>

struct vmm;

/* After a command: its word, the figures so far, and what the VMM ran for it, ns of CPU time. */
void truth_print_done(const struct vmm *v, const char *word, uint64_t cpu_ns);
/* A line of JSON. */
void truth_print(const struct vmm *v);

#endif
