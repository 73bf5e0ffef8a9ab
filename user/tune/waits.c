// SPDX-License-Identifier: BSD-2-Clause
/*
 * See waits.h. What is measured of a loop that sleeps is not all that the same work does to one
 * that spins:
 *
 *   closed loop: the vCPU cannot send the next request while it carries out the kick of the one
 *   before, nor think about it; work that a spin finds has no kick, so that is not in the wait
 *   after it (loop_wait.held_ns).
 *
 *   open: work comes when it comes; the wake that is spared is more of a wait for the next one,
 *   and what came during the wake, and was served with the rest, is another wait.
 */
#include "waits.h"

#include <math.h>
#include <handoff/advisor.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include "arrivals.h"

/* Of its waits, those that must have been slept through for their order to tell all. */
#define SLEPT_LEAST 0.95

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

/* The time that so many others (0 .. total - 1) are shorter than; evenly within its bucket. */
static int64_t time_at(const struct hist *h, uint64_t rank)
{
	uint64_t low, high, seen = 0;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS - 1 && seen + h->bucket[i] <= rank; i++)
		seen += h->bucket[i];
	low = i ? hist_upper(i - 1) + 1 : 0;
	high = MIN(hist_upper(i), h->max_ns);
	if (high <= low || !h->bucket[i])
		return (int64_t)low;
	return (int64_t)(low + (uint64_t)((double)(high - low) * (double)(rank - seen) /
					  (double)h->bucket[i]));
}

static uint64_t total_of(const struct hist *h)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < HIST_BUCKETS; i++)
		n += h->bucket[i];
	return n;
}

/* The same ones in each run. */
static void draw(const struct hist *h, uint64_t seed, double less_ns, int64_t ns[WAITS_MAX])
{
	uint64_t state = seed, total = total_of(h), rank;
	unsigned int i;

	for (i = 0; i < WAITS_MAX; i++) {
		rank = (uint64_t)((unsigned __int128)next_random(&state) * total >> 64);
		ns[i] = time_at(h, rank) - (int64_t)less_ns;
	}
}

static void draw_all(struct waits *w, const struct report_loop *loop, double exit_ns)
{
	unsigned int i;

	w->n = WAITS_MAX;
	draw(&loop->gap_hist, 1, exit_ns, w->gap);
	draw(&loop->wake_hist, 2, -exit_ns, w->wake);
	for (i = 0; i < w->n; i++) {
		w->after_hit[i] = w->gap[i];
		w->merged[i] = 0;
	}
}

/*
 * Of an open loop, what comes in each ns of its being woken or at work, and so is in no wait. As
 * often as when it waits, at most: requests beyond that come several at a time.
 */
static double merged_rate(const struct report *r, const struct report_loop *loop)
{
	double requests = arrivals_requests(r, loop), waits = (double)loop->gap_hist.count;
	double busy_ns = arrivals_busy_ns(loop), gaps_ns = (double)loop->gap_hist.sum_ns;

	if (requests <= waits || busy_ns <= 0 || gaps_ns <= 0)
		return 0;
	return MIN((requests - waits) / busy_ns, waits / gaps_ns);
}

/* When the first of them comes, of those in spared_ns; 0 = there is none. */
static int64_t draw_merged(uint64_t *state, double rate, int64_t spared_ns)
{
	double u = ((double)(next_random(state) >> 11) + 0.5) / 0x1p53;
	double ns = rate > 0 ? -log(u) / rate : INFINITY;

	return ns < (double)spared_ns ? (int64_t)ns : 0;
}

static size_t take_in_order(struct waits *w, const struct report *interval,
			    const struct report_loop *loop, const struct advice *a, double exit_ns)
{
	bool open = a->arrivals == ARRIVALS_OPEN;
	double rate = open ? merged_rate(interval, loop) : 0;
	int64_t spared = 0;
	uint64_t state = 3;
	uint32_t i;

	w->n = 0;
	for (i = 0; i < interval->n_waits && w->n < WAITS_MAX; i++) {
		const struct loop_wait *row = &interval->wait[i];
		int64_t row_exit_ns = row->exit_ns ? row->exit_ns : (int64_t)exit_ns;
		int64_t gap_ns = (int64_t)row->gap_ns - row_exit_ns;

		if (row->tid != loop->tid)
			continue;
		w->gap[w->n] = gap_ns;
		w->after_hit[w->n] = open ? gap_ns + spared : gap_ns - row->held_ns;
		w->merged[w->n] = draw_merged(&state, rate, spared);
		w->wake[w->n] = (int64_t)row->wake_ns + row_exit_ns;
		spared = w->wake[w->n++];
	}
	return w->n;
}

void waits_fill(struct waits *w, const struct report *interval, const struct report_loop *loop,
		const struct advice *a, double exit_ns)
{
	bool slept = (double)loop->wake_hist.count > SLEPT_LEAST * (double)loop->gap_hist.count;

	w->in_order = slept && take_in_order(w, interval, loop, a, exit_ns) >= ADVICE_MIN_GAPS;
	if (!w->in_order)
		draw_all(w, loop, exit_ns);
}
