// SPDX-License-Identifier: BSD-2-Clause
/* The decisions of alarm.h, on plain facts. */
#include "alarm.h"

#include <handoff/compiler.h>

#define AWAKE 0.9  /* of the time: it never sleeps */
#define RUNS  0.01 /* of the time: it gets a CPU now and then */

#define PERIOD_MIN_NS 50000000ull  /* times of threads are kept up to date by ticks of 1-10 ms */
#define PERIOD_MAX_NS 500000000ull /* two checks make an alarm: it is not to come late */

bool alarm_never_sleeps(const struct thread_share *share)
{
	return share->awake >= AWAKE || share->never_slept;
}

bool alarm_runs_always(const struct thread_share *share)
{
	return alarm_never_sleeps(share) && share->cpu >= RUNS;
}

/* It was served while its eventfd stayed readable, and nobody was ever seen to read it. */
static bool never_reads(const struct stuck_facts *f)
{
	if (f->how == CONSUMER_VHOST)
		return true;
	return !f->drained && f->readable_ns && f->served_ns > f->readable_ns;
}

int64_t alarm_pending_since(const struct stuck_facts *f)
{
	int64_t since = f->kicked_ns;

	if (f->unwatched)
		return 0;
	/* Somebody took it, whether or not that was seen. */
	if (f->count_known && !f->readable_ns)
		return 0;
	if (never_reads(f)) {
		if (f->last_kick_ns <= f->served_ns)
			return 0;
	} else if (!since) {
		/* Signalled before we came, or in a way that we do not see. */
		since = f->readable_ns;
	}
	return since ? MAX(since, MAX(f->served_ns, f->polled_ns)) : 0;
}

int64_t alarm_stuck_since(const struct stuck_facts *f)
{
	int64_t since = alarm_pending_since(f);

	if (!since || alarm_runs_always(&f->consumer))
		return 0;
	return f->now_ns - since >= (int64_t)f->stuck_ns ? since : 0;
}

uint64_t alarm_period_ns(uint64_t stuck_ns)
{
	return MAX(MIN(stuck_ns / 2, PERIOD_MAX_NS), PERIOD_MIN_NS);
}

bool alarm_may_spin(const struct spin_facts *f)
{
	if (!alarm_never_sleeps(&f->thread) || f->worked)
		return false;
	/* A count that has gone down was read. */
	return f->count_before && f->count >= f->count_before;
}

bool alarm_spins(const struct spin_facts *f)
{
	if (!alarm_may_spin(f) || !alarm_runs_always(&f->thread))
		return false;
	return f->link == WAITS_FOR_IT || (f->link == WAITS_MAY && f->known);
}

bool alarm_spin_is_due(int64_t since_ns, int64_t now_ns, uint32_t checks, uint64_t stuck_ns)
{
	return checks >= 2 && now_ns - since_ns >= (int64_t)stuck_ns;
}
