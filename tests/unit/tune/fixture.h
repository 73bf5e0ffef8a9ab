/* SPDX-License-Identifier: BSD-2-Clause */
/* A report of one loop whose waits are made up. */
#ifndef TUNE_FIXTURE_H
#define TUNE_FIXTURE_H

#include <handoff/advisor.h>
#include <handoff/report.h>

#define FIXTURE_SECONDS 2

/* An iothread "io0" and its queue: n waits of gap_ns +- a tenth, each slept through, wakes of
 * wake_ns. All kicks met it asleep. The caller frees it. */
struct report *fixture_report(uint64_t n, uint64_t gap_ns, uint64_t wake_ns);

/* Advice for it, a ns of latency being worth one of CPU. */
extern const struct advice_goal fixture_goal;
void fixture_advise(const struct report *r, struct advice *a);

/* A QEMU of that iothread, 10,000 waits of 10 us and wakes of 40 us, with today's poll-max-ns, and
 * the advice. The caller frees it. */
struct advice_report *fixture_advised(uint64_t today_ns);

/* The point of that poll-max-ns. */
const struct advice_point *fixture_point(const struct advice *a, int64_t max_ns);

#endif
