// SPDX-License-Identifier: BSD-2-Clause
/*
 * Reading histograms. The copies judged here may be torn (the writer does not stop for us), so
 * count, sum and buckets are not trusted to agree, and nothing here can loop or underflow over it.
 */
#include <handoff/hist.h>

#include <handoff/compiler.h>

void hist_merge(struct hist *into, const struct hist *from)
{
	unsigned int i;

	if (!from->count)
		return;
	if (!into->count || from->min_ns < into->min_ns)
		into->min_ns = from->min_ns;
	into->max_ns = MAX(into->max_ns, from->max_ns);
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	for (i = 0; i < HIST_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

static uint64_t clamp(uint64_t v, uint64_t lo, uint64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

static uint64_t hist_lower(unsigned int index)
{
	return index ? hist_upper(index - 1) + 1 : 0;
}

void hist_subtract(struct hist *now, const struct hist *before)
{
	uint64_t min_ns = now->min_ns, max_ns = now->max_ns, count = 0;
	unsigned int first = HIST_BUCKETS, last = 0, i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		now->bucket[i] =
			now->bucket[i] > before->bucket[i] ? now->bucket[i] - before->bucket[i] : 0;
		if (!now->bucket[i])
			continue;
		count += now->bucket[i];
		first = MIN(first, i);
		last = i;
	}
	now->count = count;
	now->sum_ns = count && now->sum_ns > before->sum_ns ? now->sum_ns - before->sum_ns : 0;
	now->min_ns = count ? clamp(hist_lower(first), min_ns, max_ns) : 0;
	now->max_ns = count ? clamp(hist_upper(last), min_ns, max_ns) : 0;
}

uint64_t hist_quantile_ns(const struct hist *h, unsigned int permille)
{
	uint64_t rank, seen = 0;
	unsigned int i;

	if (!h->count)
		return 0;
	/*
	 * Rounded up, so that p0 is the first sample and p1000 the last; split to keep clear of
	 * overflow.
	 */
	permille = MIN(permille, 1000);
	rank = h->count / 1000 * permille + (h->count % 1000 * permille + 999) / 1000;
	rank = MAX(rank, 1);
	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return clamp(hist_upper(i), h->min_ns, h->max_ns);
	}
	return h->max_ns;
}
