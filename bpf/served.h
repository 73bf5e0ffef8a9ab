/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Service of the queues of a VMM that tells nothing (served.bpf.c): global functions, verified once
 * and called from all programs. */
#ifndef HANDOFF_BPF_SERVED_H
#define HANDOFF_BPF_SERVED_H

#include "window.h"

/* The thread has taken the signals out of a queue's eventfd. */
int queue_consumed(struct thread_state *t, __u32 row, __u64 signals);
/* The same for a worker that looks at its queues whenever it runs, and reads no eventfd. */
int queues_looked_at(struct thread_state *t);
/* The current thread, which has a state, has sent a message that is not known to be of
 * other queues than these (bits of rows; 0 = not known at all). Whose it was; 0 = cannot be told.
 */
__u64 queue_interrupted(__u64 rows, __u32 address, __u32 data);

/* The lowest bit that is set, of 64. */
int lowest_bit(__u64 bits);

#endif
