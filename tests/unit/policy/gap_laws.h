/* SPDX-License-Identifier: BSD-2-Clause */
/* The laws of waits that tuning.md's table is made of. */
#ifndef TESTS_POLICY_GAP_LAWS_H
#define TESTS_POLICY_GAP_LAWS_H

#include <stddef.h>
#include <stdint.h>

#define GAP_LAWS 11

extern const char *const gap_law_name[GAP_LAWS];

/* n waits of a law, ns. The same seed gives the same. */
void gap_law_fill(unsigned int law, uint64_t seed, int64_t *gaps, size_t n);

#endif
