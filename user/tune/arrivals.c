// SPDX-License-Identifier: BSD-2-Clause
/*
 * Two signs show work that comes by itself. It comes while the loop is at work, too, as often as
 * the loop is at work. And when the work before took longer, it comes that much sooner after it:
 *
 *   kick ---- wake, work; or its vCPU is held by it ---- think ---- kick
 *     `------------------ busy ---------------------'
 *
 * A guest that begins to think when its request is done takes as long whatever that took; what a
 * clock sends loses in think what it gains in busy.
 */
#include "arrivals.h"

#include <math.h>
#include <stdlib.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/report.h>

/* Of the loop's time at work, below which nothing can be told of when work arrives. */
#define BUSY_LEAST 0.03
/* A change of think less than this part of busy's change must be no chance. */
#define CHANCE	   0.25

struct wait {
	int64_t busy_ns, think_ns;
};

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* --- while it is at work ---------------------------------------------------------------------- */

double arrivals_busy_ns(const struct report_loop *loop)
{
	return (double)loop->wake_hist.sum_ns + (double)loop->handling_ns;
}

double arrivals_requests(const struct report *interval, const struct report_loop *loop)
{
	uint32_t index = (uint32_t)(loop - interval->loop), i;
	double n = 0;

	for (i = 0; i < interval->n_queues; i++) {
		const struct report_queue *q = &interval->queue[i];

		if (q->loop_index == index && q->requests_evidence != EVIDENCE_ABSENT)
			n += (double)q->requests;
	}
	return n;
}

struct kicks {
	double all, busy;
};

/* Of the loop's queues: those that met it at work, or a signal that was waiting. */
static struct kicks kicks_of(const struct report *r, const struct report_loop *l)
{
	uint32_t index = (uint32_t)(l - r->loop), i;
	struct kicks k = { 0 };

	for (i = 0; i < r->n_queues; i++) {
		const struct report_queue *q = &r->queue[i];

		if (q->loop_index != index || q->met_evidence == EVIDENCE_ABSENT)
			continue;
		k.all += (double)q->kicks;
		k.busy += (double)(q->kicks_awake + q->kicks_coalesced);
	}
	return k;
}

static enum advice_arrivals by_meeting(const struct report *r, const struct report_loop *l)
{
	struct kicks k = kicks_of(r, l);
	double requests = arrivals_requests(r, l);
	double busy = MIN(share(arrivals_busy_ns(l), (double)r->duration_ns), 1.0);
	/* One that comes while an earlier one waits for the loop may send no kick at all. */
	double unkicked = requests - (double)l->gap_hist.count;

	if (k.all < ADVICE_MIN_GAPS || busy < BUSY_LEAST)
		return ARRIVALS_UNKNOWN;
	if (share(unkicked, requests) >= busy / 4)
		return ARRIVALS_OPEN;
	return share(k.busy, k.all) < busy / 4 ? ARRIVALS_CLOSED : ARRIVALS_OPEN;
}

/* --- by what went before ---------------------------------------------------------------------- */

static int by_busy(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	return (x->busy_ns > y->busy_ns) - (x->busy_ns < y->busy_ns);
}

static int by_think(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	return (x->think_ns > y->think_ns) - (x->think_ns < y->think_ns);
}

static size_t list_waits(const struct report *r, const struct report_loop *l, struct wait *out)
{
	const struct loop_wait *last = NULL;
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < r->n_waits; i++) {
		const struct loop_wait *w = &r->wait[i];

		if (w->tid != l->tid)
			continue;
		if (last && w->arrival_ns > last->arrival_ns) {
			out[n].think_ns = (int64_t)w->gap_ns - w->held_ns;
			out[n].busy_ns =
				(int64_t)(w->arrival_ns - last->arrival_ns) - out[n].think_ns;
			n++;
		}
		last = w;
	}
	return n;
}

/* The third that was busy longest, against the third that was busy shortest. */
static enum advice_arrivals compare_thirds(struct wait *w, size_t n)
{
	size_t third = n / 3;
	struct wait *low = w, *high = w + n - third;
	double more_ns, sooner_ns, spread_ns;

	if (n < ADVICE_MIN_GAPS)
		return ARRIVALS_UNKNOWN;
	qsort(w, n, sizeof(*w), by_busy);
	more_ns = (double)(high[third / 2].busy_ns - low[third / 2].busy_ns);
	qsort(low, third, sizeof(*w), by_think);
	qsort(high, third, sizeof(*w), by_think);
	sooner_ns = (double)(low[third / 2].think_ns - high[third / 2].think_ns);
	spread_ns = (double)(low[third * 3 / 4].think_ns - low[third / 4].think_ns);
	/* The medians of n such are apart by chance by 1.3 quartile distances / sqrt(n), once in
	 * three times. */
	if (3 * 1.3 * spread_ns / sqrt((double)third) > CHANCE * more_ns)
		return ARRIVALS_UNKNOWN;
	return sooner_ns > more_ns / 2 ? ARRIVALS_OPEN : ARRIVALS_CLOSED;
}

static enum advice_arrivals by_order(const struct report *r, const struct report_loop *l)
{
	struct wait *w = calloc(r->n_waits + 1, sizeof(*w));
	enum advice_arrivals a = ARRIVALS_UNKNOWN;

	if (w)
		a = compare_thirds(w, list_waits(r, l, w));
	free(w);
	return a;
}

enum advice_arrivals arrivals_of(const struct report *interval, const struct report_loop *loop)
{
	enum advice_arrivals met = by_meeting(interval, loop), order = by_order(interval, loop);

	return met == ARRIVALS_OPEN || order == ARRIVALS_UNKNOWN ? met : order;
}
