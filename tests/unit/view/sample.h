/* SPDX-License-Identifier: BSD-2-Clause */
/* A report with one of everything, for the tests of its renderings. */
#ifndef TESTS_VIEW_SAMPLE_H
#define TESTS_VIEW_SAMPLE_H

#include <abi/model.h>

struct report;

/* Two loops, one queue, one vCPU, one hand-over; stage exit absent, signal inferred, the others
 * exact with 100 samples. */
struct report *sample_report(void);

/* Turns all evidence into that, and what goes with it: a host that shows everything, or nothing. */
void sample_set_evidence(struct report *r, enum evidence evidence);

/* Of a VMM that is not ours: names are guesses, requests unknown, polls and accounts inferred. */
void sample_make_foreign(struct report *r);

/* One of each kind: a stuck kick of disk0.1 that lasts, a spinning loop that is over; one more was
 * not kept. */
void sample_add_alarms(struct report *r);

#endif
