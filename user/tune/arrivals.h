/* SPDX-License-Identifier: BSD-2-Clause */
/* How work arrives at a loop: by itself, or after what was done before. Pure. */
#ifndef TUNE_ARRIVALS_H
#define TUNE_ARRIVALS_H

#include <handoff/advisor.h>

/* Of the loop in the interval: how long it was woken or at work; and what its queues were asked, of
 * those that tell. */
double arrivals_busy_ns(const struct report_loop *loop);
double arrivals_requests(const struct report *interval, const struct report_loop *loop);

/* Unknown also without memory. */
enum advice_arrivals arrivals_of(const struct report *interval, const struct report_loop *loop);

#endif
