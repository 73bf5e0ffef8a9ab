// SPDX-License-Identifier: BSD-2-Clause
/* Which interval is a sample, and what it tells: see cost.h. */
#include "cost.h"

/* Fewer kicks tell of context switches and timers, not of kicks. */
#define KICKS_ENOUGH 100

void cost_init(struct cost *c, bool wanted)
{
	*c = (struct cost){ .wanted = wanted, .cpu = -1, .kick_ns = -1 };
}

void cost_take(struct cost *c, int64_t now_ns, uint64_t kicks, uint64_t kick_side_ns,
	       uint64_t all_ns)
{
	c->on = false;
	if (now_ns > c->since_ns)
		c->cpu = (double)all_ns / (double)(now_ns - c->since_ns);
	if (kicks >= c->kicks + KICKS_ENOUGH)
		c->kick_ns = (double)kick_side_ns / (double)(kicks - c->kicks);
}

bool cost_next(struct cost *c, uint64_t kicks)
{
	bool due = c->intervals++ % COST_EVERY == 0;
	bool busy = kicks >= c->last_kicks + KICKS_ENOUGH;

	c->last_kicks = kicks;
	return c->wanted && (due || (busy && c->kick_ns < 0));
}
