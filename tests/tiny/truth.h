/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tiny VMM says of itself. */
#ifndef TESTS_TINY_TRUTH_H
#define TESTS_TINY_TRUTH_H

struct vmm;

/* After a command: its word, and the figures so far. */
void truth_print_done(const struct vmm *v, const char *word);
/* A line of JSON. */
void truth_print(const struct vmm *v);

#endif
