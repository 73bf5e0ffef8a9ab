// SPDX-License-Identifier: BSD-2-Clause
/* The decisions of alarm.h, on plain facts. */
#include "alarm.h"

#include <handoff/compiler.h>

#define AWAKE 0.9  /* of the time: it never sleeps */
#define RUNS  0.01 /* of the time: it gets a CPU now and then */

bool alarm_runs_always(const struct thread_share *share)
{
	return (share->awake >= AWAKE || share->never_slept) && share->cpu >= RUNS;
}

int64_t alarm_stuck_since(const struct stuck_facts *f)
{
	int64_t since = f->kicked_ns;

	/* Somebody took it, whether or not that was seen. */
	if (f->count_known && !f->readable_ns)
		return 0;
	/* Signalled before we came, or in a way that we do not see. */
	if (!since)
		since = f->readable_ns;
	if (!since || alarm_runs_always(&f->consumer))
		return 0;
	since = MAX(since, f->served_ns);
	return f->now_ns - since >= (int64_t)f->stuck_ns ? since : 0;
}

bool alarm_spins(const struct spin_facts *f)
{
	if (!alarm_runs_always(&f->thread) || f->worked)
		return false;
	/* A count that has gone down was read. */
	if (!f->count_before || f->count < f->count_before)
		return false;
	return f->link == WAITS_FOR_IT || (f->link == WAITS_MAY && f->known);
}

bool alarm_spin_is_due(int64_t since_ns, int64_t now_ns, uint32_t checks, uint64_t stuck_ns)
{
	return checks >= 2 && now_ns - since_ns >= (int64_t)stuck_ns;
}
