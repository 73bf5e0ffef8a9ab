/* SPDX-License-Identifier: BSD-2-Clause */
/* Between join.c and loops.c, which know both kinds of VMM, and foreign_join.c. */
#ifndef TRACE_JOIN_H
#define TRACE_JOIN_H

#include "tracer.h"

/* What the programs saw at all the addresses a queue has had. */
struct join_seen {
	uint64_t kicks, user_exits, notified, busy, lost, pending_lost;
	uint64_t asleep, awake, coalesced, open;
};

/* Outcomes, requests and names of a queue (row i), for a VMM that tells nothing. */
void foreign_join_queue(const struct tracer *t, struct report_queue *q, unsigned int i,
			struct join_seen *seen);
/* The account and what stands for counters of a loop (row i), after the queues of r; `thread` may
 * be NULL: not known to the programs. */
void foreign_join_loop(const struct tracer *t, const struct report *r, struct report_loop *l,
		       unsigned int i, const struct thread_row *thread, int64_t now_ns);

#endif
