// SPDX-License-Identifier: BSD-2-Clause
/* See poll_cost.h. */
#include <handoff/poll_cost.h>

#include <handoff/compiler.h>

void poll_samples_add(struct poll_samples *s, int64_t ns)
{
	int64_t sorted[POLL_COST_SAMPLES];
	uint32_t n, i, j;

	s->ns[s->n++ % POLL_COST_SAMPLES] = MAX(ns, (int64_t)0);
	if (s->n == 2 * POLL_COST_SAMPLES)
		s->n = POLL_COST_SAMPLES; /* the same place, and it never overflows */
	n = MIN(s->n, (uint32_t)POLL_COST_SAMPLES);
	for (i = 0; i < n; i++) {
		for (j = i; j && sorted[j - 1] > s->ns[i]; j--)
			sorted[j] = sorted[j - 1];
		sorted[j] = s->ns[i];
	}
	s->median_ns = sorted[n / 2];
}

int64_t poll_cost_sleep_ns(const struct poll_cost *cost, uint32_t latency_percent)
{
	int64_t late_ns, ns;

	if (!cost->wake.n || !cost->block.n)
		return 0;
	if (__builtin_mul_overflow(cost->wake.median_ns, (int64_t)latency_percent, &late_ns) ||
	    __builtin_add_overflow(cost->block.median_ns, late_ns / 100, &ns) ||
	    __builtin_add_overflow(ns, cost->kick_exit_ns, &ns))
		return INT64_MAX;
	return ns;
}

int64_t poll_cost_late_ns(const struct poll_cost *cost)
{
	int64_t ns;

	if (!cost->wake.n)
		return 0;
	return __builtin_add_overflow(cost->wake.median_ns, cost->kick_exit_ns, &ns) ? INT64_MAX
										     : ns;
}
