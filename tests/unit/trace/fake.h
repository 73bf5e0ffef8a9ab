/* SPDX-License-Identifier: BSD-2-Clause */
/* A tracer without a kernel: pages and maps that a test fills in by hand. */
#ifndef TESTS_TRACE_FAKE_H
#define TESTS_TRACE_FAKE_H

#include "tracer.h"

#define FAKE_START_NS 1000000000ll
#define FAKE_NOW_NS   3000000000ll
#define FAKE_GPA      0xfe003000ull

/* One loop "io0" (tid 11) in row 2, one queue "disk0" 0 in row 3, served by it, at FAKE_GPA. */
struct tracer *fake_new(void);
void fake_free(struct tracer *t);

/* A new address, the queue's, or the one that is there. A test that writes it whole keeps its row.
 */
struct kick_state *fake_kick(struct tracer *t, uint64_t gpa);
#define FAKE_ROW 4 /* of struct kick_state: 1 + the queue's row of the page */
/* Interrupts of a set of queues, the queue's bit being FAKE_BIT. */
#define FAKE_BIT (1ull << 3)
struct irq_state *fake_irq(struct tracer *t, uint64_t rows);
struct thread_row *fake_thread(struct tracer *t, uint32_t tid);
struct stats_queue *fake_queue(struct tracer *t);
struct stats_loop *fake_loop(struct tracer *t);

/* Adds a sample as the programs do (min_ns kept + 1). */
void fake_hist_add(struct hist *shared, uint64_t ns);
void fake_stage_add(struct tracer *t, const struct kick_state *state, enum stage s, uint64_t ns);

/* All joins of a snapshot at FAKE_NOW_NS, with exact evidence everywhere. The caller frees. */
struct report *fake_join(struct tracer *t);

#endif
