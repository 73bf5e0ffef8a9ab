// SPDX-License-Identifier: BSD-2-Clause
/* The what-if curve from a histogram against the waits themselves, and what it advises against
 * theory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <handoff/compiler.h>
#include <handoff/what_if.h>
#include "gap_laws.h"

#define WAITS 40000

static const int64_t candidate[] = { 0, 1000, 2000, 4000, 8000, 16000, 32000, 64000, 128000 };

static int64_t gaps[WAITS];
static struct hist hist;

static void take(const int64_t *ns, size_t n)
{
	size_t i;

	memset(&hist, 0, sizeof(hist));
	for (i = 0; i < n; i++)
		hist_add(&hist, ns[i]);
}

static void take_law(unsigned int law)
{
	gap_law_fill(law, 1, gaps, WAITS);
	take(gaps, WAITS);
}

static struct what_if_facts facts(double block_cost_ns)
{
	return (struct what_if_facts){ .gaps = &hist,
				       .wake_ns = 30000,
				       .block_cost_ns = block_cost_ns };
}

/* The truth, wait by wait. */
static struct what_if counted(int64_t max_ns, double block_cost_ns)
{
	struct what_if w = { .max_ns = max_ns };
	double hits = 0, spun = 0;
	size_t i;

	for (i = 0; i < WAITS; i++) {
		hits += gaps[i] <= max_ns;
		spun += (double)MIN(gaps[i], max_ns);
	}
	w.hit_share = hits / WAITS;
	w.spun_ns = spun / WAITS;
	w.late_ns = (1 - w.hit_share) * 30000;
	w.cost_ns = w.spun_ns + (1 - w.hit_share) * block_cost_ns;
	return w;
}

static void assert_near(const char *what, unsigned int law, const struct what_if *w, double value,
			double truth, double by)
{
	if (!(fabs(value - truth) <= by))
		fail_msg("%s, spin %lld ns: %s %.4f, not %.4f", gap_law_name[law],
			 (long long)w->max_ns, what, value, truth);
}

/* Within 2 points of the hits, and half a bucket, 6 %, of the time and the cost. */
static void test_what_if__is_what_the_waits_say(void **state)
{
	const struct what_if_facts f = facts(10000);
	struct what_if w, truth;
	unsigned int law;
	size_t i;

	for (law = 0; law < GAP_LAWS; law++) {
		take_law(law);
		for (i = 0; i < ARRAY_SIZE(candidate); i++) {
			w = what_if_at(&f, candidate[i]);
			truth = counted(candidate[i], 10000);
			assert_int_equal(w.max_ns, candidate[i]);
			assert_near("hits", law, &w, w.hit_share, truth.hit_share, 0.02);
			assert_near("spun", law, &w, w.spun_ns, truth.spun_ns,
				    1 + 0.06 * truth.spun_ns);
			assert_near("late", law, &w, w.late_ns, truth.late_ns, 0.02 * 30000);
			assert_near("cost", law, &w, w.cost_ns, truth.cost_ns,
				    1 + 0.06 * truth.cost_ns);
		}
	}
}

static int64_t best(double block_cost_ns)
{
	const struct what_if_facts f = facts(block_cost_ns);

	return candidate[what_if_best(&f, candidate, ARRAY_SIZE(candidate))];
}

/* Exponential waits: spin, and for as long as may be, if and only if their mean is below the cost
 * of a sleep; fixed ones: just as long as they are, if they are shorter than that. */
static void test_what_if__advises_as_theory_does(void **state)
{
	take_law(0); /* exp 4 us */
	assert_true(best(24000) >= 32000);
	assert_int_equal(best(2000), 0);
	take_law(1); /* exp 20 us */
	assert_true(best(30000) >= 64000);
	assert_int_equal(best(10000), 0);
	take_law(4); /* fixed 25 us */
	assert_int_equal(best(26000), 32000);
	assert_int_equal(best(24000), 0);
	take_law(6); /* 5 us, and a tenth of them 500 us */
	assert_int_equal(best(24000), 8000);
}

/* Nothing measured, one sample, and a copy whose parts do not agree: no figure is out of range. */
static void test_what_if__bears_what_it_gets(void **state)
{
	static const int64_t one[] = { 5000 };
	const struct what_if_facts f = facts(10000);
	struct what_if w;
	unsigned int i;

	take(one, 0);
	w = what_if_at(&f, 8000);
	assert_true(w.hit_share == 0 && w.spun_ns == 0 && w.late_ns == 0 && w.cost_ns == 0);
	assert_int_equal(best(10000), 0);
	take(one, 1);
	w = what_if_at(&f, 5000);
	assert_true(w.hit_share == 1 && w.spun_ns == 5000 && w.late_ns == 0);
	w = what_if_at(&f, 4999);
	assert_true(w.hit_share == 0 && w.spun_ns == 4999 && w.late_ns == 30000);
	hist.min_ns = UINT64_MAX;
	hist.max_ns = 0;
	hist.count = 0;
	hist.bucket[HIST_BUCKETS - 1] = 7;
	for (i = 0; i < ARRAY_SIZE(candidate); i++) {
		w = what_if_at(&f, candidate[i]);
		assert_true(w.hit_share >= 0 && w.hit_share <= 1);
		assert_true(w.spun_ns >= 0 && w.spun_ns <= candidate[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_if__is_what_the_waits_say),
		cmocka_unit_test(test_what_if__advises_as_theory_does),
		cmocka_unit_test(test_what_if__bears_what_it_gets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
