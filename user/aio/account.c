// SPDX-License-Identifier: BSD-2-Clause
/* The account of a loop's time; see account.h. */
#include "account.h"

/* Somebody listens, or has stopped to, and the row does not know it yet. */
static void account_rearm(struct stats_loop *row, bool armed, int64_t now_ns)
{
	stats_set(&row->handling_ns, 0);
	stats_set(&row->polling_hit_ns, 0);
	stats_set(&row->polling_waste_ns, 0);
	stats_set(&row->blocked_ns, 0);
	stats_set(&row->account_start_ns, armed ? now_ns : 0);
	stats_set(&row->phase_since_ns, armed ? now_ns : 0);
}

void loop_account(struct stats_loop *row, __u64 *sum, enum stats_phase next, int64_t now_ns)
{
	bool armed = stats_armed() && now_ns;

	if (likely(!armed && !row->phase_since_ns)) {
		__atomic_store_n(&row->phase, next, __ATOMIC_RELAXED);
		return;
	}
	stats_write_begin(&row->seq);
	if (armed && row->phase_since_ns) {
		stats_add(sum, now_ns - row->phase_since_ns);
		stats_set(&row->phase_since_ns, now_ns);
	} else {
		account_rearm(row, armed, now_ns);
	}
	__atomic_store_n(&row->phase, next, __ATOMIC_RELAXED);
	stats_write_end(&row->seq);
}
