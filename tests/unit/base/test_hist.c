// SPDX-License-Identifier: BSD-2-Clause
/*
 * The histogram's arithmetic: bucket edges against the definition, quantiles against a sorted
 * array, intervals.
 */
#include <lib/tap.h>

#include <stdlib.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>

/*
 * Buckets tile the number line: each value lies in the bucket whose edges enclose it, and edges
 * ascend without a gap.
 */
static void test_hist__buckets_tile_the_line(void **state)
{
	uint32_t i;

	for (i = 0; i < HIST_BUCKETS - 1; i++) {
		assert_int_equal(hist_index(hist_upper(i)), i);
		assert_int_equal(hist_index(hist_upper(i) + 1), i + 1);
	}
	assert_int_equal(hist_upper(HIST_BUCKETS - 2), (1ull << HIST_MAX_LOG2) - 1);
	assert_int_equal(hist_index(~0ull), HIST_BUCKETS - 1);
}

/* A bucket is never wider than an eighth of its lower edge, which bounds the error of any quantile.
 */
static void test_hist__buckets_are_narrow(void **state)
{
	uint32_t i;

	for (i = HIST_SUB; i < HIST_BUCKETS - 1; i++) {
		uint64_t lower = hist_upper(i - 1) + 1;

		assert_true((hist_upper(i) - lower + 1) * HIST_SUB <= lower);
	}
}

/* Adding keeps count, sum, exact minimum and exact maximum. */
static void test_hist__add_keeps_sums(void **state)
{
	struct hist h = {};

	hist_add(&h, 100);
	hist_add(&h, 7);
	hist_add(&h, 5000);
	assert_int_equal(h.count, 3);
	assert_int_equal(h.sum_ns, 5107);
	assert_int_equal(h.min_ns, 7);
	assert_int_equal(h.max_ns, 5000);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Quantiles of pseudo-random samples of all magnitudes are in the bucket of the true quantile,
 * never below it.
 */
static void test_hist__quantiles_match_sorted_samples(void **state)
{
	static const unsigned int permille[] = { 0, 1, 10, 500, 900, 990, 999, 1000 };
	uint64_t samples[2000], x = 88172645463325252ull;
	struct hist h = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(samples); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		samples[i] = x >> (24 + x % 40);
		hist_add(&h, samples[i]);
	}
	qsort(samples, ARRAY_SIZE(samples), sizeof(samples[0]), compare);
	for (i = 0; i < ARRAY_SIZE(permille); i++) {
		unsigned int rank = (ARRAY_SIZE(samples) * permille[i] + 999) / 1000;
		uint64_t exact = samples[rank ? rank - 1 : 0];
		uint64_t q = hist_quantile_ns(&h, permille[i]);

		assert_true(q >= exact);
		assert_int_equal(hist_index(q), hist_index(exact));
	}
}

/* An empty histogram has no quantile, and a single sample is all of them, exactly. */
static void test_hist__quantile_edge_cases(void **state)
{
	struct hist h = {};

	assert_int_equal(hist_quantile_ns(&h, 500), 0);
	hist_add(&h, 1001);
	assert_int_equal(hist_quantile_ns(&h, 0), 1001);
	assert_int_equal(hist_quantile_ns(&h, 500), 1001);
	assert_int_equal(hist_quantile_ns(&h, 5000), 1001);
}

/* A torn copy, whose count promises more samples than the buckets hold, ends at the maximum. */
static void test_hist__quantile_of_torn_copy_is_max(void **state)
{
	struct hist h = {};

	hist_add(&h, 10);
	hist_add(&h, 3000);
	h.count = 50;
	assert_int_equal(hist_quantile_ns(&h, 990), 3000);
}

/* Merging is the same as having added everything to one, whichever of the two is empty. */
static void test_hist__merge_equals_adding(void **state)
{
	struct hist a = {}, b = {}, both = {};
	uint64_t v;

	for (v = 1; v < 100000; v = v * 3 + 1) {
		hist_add(v & 1 ? &a : &b, v);
		hist_add(&both, v);
	}
	hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
	hist_merge(&a, &(struct hist){});
	assert_memory_equal(&a, &both, sizeof(a));
	b = (struct hist){};
	hist_merge(&b, &a);
	assert_memory_equal(&b, &both, sizeof(b));
}

/*
 * The interval between two snapshots holds just what was added in between, its ends known to a
 * bucket.
 */
static void test_hist__subtract_gives_interval(void **state)
{
	struct hist before = {}, now;

	hist_add(&before, 5);
	hist_add(&before, 1000000);
	now = before;
	hist_add(&now, 2000);
	hist_add(&now, 3000);
	hist_subtract(&now, &before);
	assert_int_equal(now.count, 2);
	assert_int_equal(now.sum_ns, 5000);
	assert_int_equal(hist_index(now.min_ns), hist_index(2000));
	assert_int_equal(now.max_ns, hist_upper(hist_index(3000)));
}

/* Edges are clamped to what the histogram has really seen. */
static void test_hist__subtract_clamps_to_seen(void **state)
{
	struct hist before = {}, now = {};

	hist_add(&now, 1001);
	hist_subtract(&now, &before);
	assert_int_equal(now.min_ns, 1001);
	assert_int_equal(now.max_ns, 1001);
}

/* An interval without samples is all zero. */
static void test_hist__subtract_of_equals_is_empty(void **state)
{
	struct hist before = {}, now;

	hist_add(&before, 1234);
	now = before;
	hist_subtract(&now, &before);
	assert_memory_equal(&now, &(struct hist){}, sizeof(now));
}

/* Buckets that went backwards count as nothing instead of wrapping around. */
static void test_hist__subtract_never_wraps(void **state)
{
	struct hist before = {}, now = {};

	hist_add(&before, 10);
	hist_add(&before, 10);
	hist_add(&now, 10);
	hist_add(&now, 500);
	hist_subtract(&now, &before);
	assert_int_equal(now.count, 1);
	assert_int_equal(now.bucket[hist_index(10)], 0);
	assert_int_equal(now.bucket[hist_index(500)], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hist__buckets_tile_the_line),
		cmocka_unit_test(test_hist__buckets_are_narrow),
		cmocka_unit_test(test_hist__add_keeps_sums),
		cmocka_unit_test(test_hist__quantiles_match_sorted_samples),
		cmocka_unit_test(test_hist__quantile_edge_cases),
		cmocka_unit_test(test_hist__quantile_of_torn_copy_is_max),
		cmocka_unit_test(test_hist__merge_equals_adding),
		cmocka_unit_test(test_hist__subtract_gives_interval),
		cmocka_unit_test(test_hist__subtract_clamps_to_seen),
		cmocka_unit_test(test_hist__subtract_of_equals_is_empty),
		cmocka_unit_test(test_hist__subtract_never_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
