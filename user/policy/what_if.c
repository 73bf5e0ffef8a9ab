// SPDX-License-Identifier: BSD-2-Clause
/* See what_if.h: sums over the buckets of a histogram. The copy may be torn, so the buckets alone
 * are trusted, and they count themselves. */
#include <handoff/what_if.h>

#include <handoff/compiler.h>

struct sums {
	double n, hits, spun_ns;
};

/* n waits, evenly between low and high. */
static void add_bucket(struct sums *s, double n, double low, double high, double spin)
{
	double share = high > low ? (spin - low) / (high - low) : spin >= low;

	share = MIN(MAX(share, 0.0), 1.0);
	s->n += n;
	s->hits += n * share;
	/* Those that end in the spin are as long as the middle of their part of the bucket. */
	s->spun_ns += n * (share * (low + share * (high - low) / 2) + (1 - share) * spin);
}

struct what_if what_if_at(const struct what_if_facts *facts, int64_t max_ns)
{
	const struct hist *h = facts->gaps;
	struct what_if w = { .max_ns = max_ns };
	struct sums s = { 0 };
	double low, high, late;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		if (!h->bucket[i])
			continue;
		low = i ? (double)hist_upper(i - 1) + 1 : 0;
		high = (double)hist_upper(i);
		/* Nothing was shorter or longer than these, unless they are of another moment. */
		low = MIN(MAX(low, (double)h->min_ns), high);
		high = MAX(MIN(high, (double)h->max_ns), low);
		add_bucket(&s, (double)h->bucket[i], low, high, (double)max_ns);
	}
	if (s.n == 0)
		return w;
	late = 1 - s.hits / s.n;
	w.hit_share = s.hits / s.n;
	w.spun_ns = s.spun_ns / s.n;
	w.late_ns = late * facts->wake_ns;
	w.cost_ns = w.spun_ns + late * facts->block_cost_ns;
	return w;
}

size_t what_if_best(const struct what_if_facts *facts, const int64_t *max_ns, size_t n)
{
	double least = what_if_at(facts, max_ns[0]).cost_ns, cost;
	size_t best = 0, i;

	for (i = 1; i < n; i++) {
		cost = what_if_at(facts, max_ns[i]).cost_ns;
		if (cost < least) {
			least = cost;
			best = i;
		}
	}
	return best;
}
