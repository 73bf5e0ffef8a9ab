/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tiny VMM says of itself. */
#ifndef TESTS_TINY_TRUTH_H
#define TESTS_TINY_TRUTH_H

#include <stdint.h>

struct vmm;

/* What all kicks so far took the guest, from the write until it went on, ns by its TSC. */
uint64_t truth_in_kicks_ns(const struct vmm *v);
/* After a command: its word, the figures so far, what the VMM ran for it, ns of CPU time, and
 * truth_in_kicks_ns of it. */
void truth_print_done(const struct vmm *v, const char *word, uint64_t cpu_ns, uint64_t in_kicks_ns);
/* A line of JSON. */
void truth_print(const struct vmm *v);

#endif
