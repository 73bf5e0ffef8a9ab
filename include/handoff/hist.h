/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is asked of a histogram (abi/hist.h) when it is read: sums, differences, quantiles. Pure
 * functions, any thread.
 */
#ifndef HANDOFF_HIST_H
#define HANDOFF_HIST_H

#include <stdint.h>
#include <abi/hist.h>

/* into += from. */
void hist_merge(struct hist *into, const struct hist *from);

/*
 * now -= before, for the interval between two snapshots. min and max of an interval are not known
 * exactly: they become the edges of the outermost non-empty buckets, clamped to now's own. A bucket
 * that went backwards (torn read) counts as 0.
 */
void hist_subtract(struct hist *now, const struct hist *before);

/*
 * The value below or at which `permille` of the samples lie, as the upper edge of its bucket
 * clamped to [min, max]; 0 if empty.
 */
uint64_t hist_quantile_ns(const struct hist *h, unsigned int permille);

#endif
