// SPDX-License-Identifier: BSD-2-Clause
/* The poll policies step by step against semantics.md 1.6, and the check of their settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <handoff/compiler.h>
#include <handoff/poll_policy.h>

static struct poll_params params_of(const struct poll_policy *policy, int64_t max_ns)
{
	struct poll_params p = { .max_ns = max_ns };

	assert_int_equal(poll_params_complete(policy, &p, NULL), 0);
	return p;
}

/* One wait of block_ns; `ran` says whether handler's event ended it. NULL handler = none is polled.
 */
static int64_t judge(const struct poll_policy *policy, struct poll_state *s,
		     struct poll_handler_state *h, const struct poll_params *p, int64_t block_ns,
		     bool ran)
{
	struct poll_wait wait = { .block_ns = block_ns, .arrival_ns = -1 };

	if (h && policy->handler_waited)
		policy->handler_waited(s, h, p, &wait, ran);
	policy->loop_waited(s, p, &wait);
	return s->poll_ns;
}

/* The ladder of a loop whose waits always end in time but after the spin: 0, 4000, ... 32000,
 * 32768. */
static void test_qemu__climbs_ladder(void **state)
{
	static const int64_t ladder[] = { 4000, 8000, 16000, 32000, 32768, 32768 };
	struct poll_params p = params_of(&poll_policy_qemu, 32768);
	struct poll_state s = { 0 };
	size_t i;

	for (i = 0; i < 5; i++)
		assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 32767, false), ladder[i]);
	/* within the spin now: nothing changes */
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 32767, false), 32768);
}

/* A wait that ends within the spin, or exactly at the maximum, changes nothing. */
static void test_qemu__sweet_spot_and_edges(void **state)
{
	struct poll_params p = params_of(&poll_policy_qemu, 32768);
	struct poll_state s = { .poll_ns = 8000 };

	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 8000, false), 8000);
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 0, false), 8000);
	/* neither longer nor shorter than max: no branch of the rule takes it */
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 32768, false), 8000);
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 8001, false), 16000);
}

/* One wait over the maximum puts polling off at once by default, or divides it when told so. */
static void test_qemu__shrinks(void **state)
{
	struct poll_params p = params_of(&poll_policy_qemu, 32768);
	struct poll_state s = { .poll_ns = 32768 };

	assert_int_equal(p.shrink, 0);
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 32769, false), 0);
	p.shrink = 4;
	s.poll_ns = 32000;
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 1000000, false), 8000);
	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 1000000, false), 2000);
}

/* A first step longer than the maximum is cut, and products that do not fit into 64 bits are too.
 */
static void test_qemu__never_exceeds_max(void **state)
{
	struct poll_params p = params_of(&poll_policy_qemu, 1000);
	struct poll_state s = { 0 };

	assert_int_equal(judge(&poll_policy_qemu, &s, NULL, &p, 500, false), 1000);
	p.max_ns = INT64_MAX;
	p.grow = UINT32_MAX;
	s.poll_ns = INT64_MAX / 2;
	assert_true(judge(&poll_policy_qemu, &s, NULL, &p, INT64_MAX - 1, false) == INT64_MAX);
}

/* The mean moves by 1/8 of a new wait, the loop jumps to a first estimate and then follows by the
 * factor. */
static void test_weighted__mean_and_growth(void **state)
{
	const struct poll_policy *w = &poll_policy_qemu_weighted;
	struct poll_params p = params_of(w, 32768);
	struct poll_handler_state h = { 0 };
	struct poll_state s = { 0 };

	assert_int_equal(judge(w, &s, &h, &p, 3000, true), 3000);
	assert_int_equal(h.ns, 3000);
	/* 3000 - 375 + 1375 = 4000; longer than 3000, twice 3000 is longer still */
	assert_int_equal(judge(w, &s, &h, &p, 11000, true), 6000);
	assert_int_equal(h.ns, 4000);
	/* 4000 is neither over 6000 nor under 3000: nothing changes */
	assert_int_equal(judge(w, &s, &h, &p, 4000, true), 6000);
	/* 4000 - 500 + 0 = 3500, then 3063, then 2681 < 6000 / 2 */
	assert_int_equal(judge(w, &s, &h, &p, 0, true), 6000);
	assert_int_equal(judge(w, &s, &h, &p, 0, true), 6000);
	assert_int_equal(judge(w, &s, &h, &p, 0, true), 3000);
}

/* A mean over the maximum is forgotten, and the loop backs off by the divisor. */
static void test_weighted__too_long_is_forgotten(void **state)
{
	const struct poll_policy *w = &poll_policy_qemu_weighted;
	struct poll_params p = params_of(w, 32768);
	struct poll_handler_state h = { .ns = 30000 };
	struct poll_state s = { .poll_ns = 30000 };

	assert_int_equal(judge(w, &s, &h, &p, 1000000, true), 15000);
	assert_int_equal(h.ns, 0);
}

/* A silent handler ages by each wait until it is forgotten, and never moves the loop. */
static void test_weighted__silent_handler_ages_out(void **state)
{
	const struct poll_policy *w = &poll_policy_qemu_weighted;
	struct poll_params p = params_of(w, 32768);
	struct poll_handler_state h = { .ns = 20000 };
	struct poll_state s = { .poll_ns = 5000 };

	assert_int_equal(judge(w, &s, &h, &p, 10000, false), 5000);
	assert_int_equal(h.ns, 30000);
	assert_int_equal(judge(w, &s, &h, &p, 10000, false), 5000);
	assert_int_equal(h.ns, 0);
	assert_int_equal(judge(w, &s, &h, &p, INT64_MAX, false), 5000);
	h.ns = 1;
	assert_int_equal(judge(w, &s, &h, &p, INT64_MAX, false), 5000);
	assert_int_equal(h.ns, 0);
}

/* Of several that ran the longest counts; one that did not run does not, however long. */
static void test_weighted__longest_active_counts(void **state)
{
	const struct poll_policy *w = &poll_policy_qemu_weighted;
	struct poll_params p = params_of(w, 32768);
	struct poll_handler_state a = { 0 }, b = { .ns = 8000 }, c = { .ns = 20000 };
	struct poll_wait wait = { .block_ns = 2000, .arrival_ns = -1 };
	struct poll_state s = { 0 };

	w->handler_waited(&s, &a, &p, &wait, true);
	w->handler_waited(&s, &b, &p, &wait, true);
	w->handler_waited(&s, &c, &p, &wait, false);
	w->loop_waited(&s, &p, &wait);
	assert_int_equal(a.ns, 2000);
	assert_int_equal(b.ns, 7250);
	assert_int_equal(c.ns, 22000);
	assert_int_equal(s.poll_ns, 7250);
}

/* Whatever comes, the answer stays within 0 and the maximum. */
static void test_policies__answer_stays_in_range(void **state)
{
	static const int64_t waits[] = { 0, 1, 100, 4000, 32767, 32768, 32769, 1 << 30, INT64_MAX };
	static const struct poll_policy *const policies[] = { &poll_policy_qemu,
							      &poll_policy_qemu_weighted,
							      &poll_policy_break_even,
							      &poll_policy_fixed };
	uint32_t random = 1;
	size_t i;
	int step;

	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		struct poll_params p = params_of(policies[i], 32768);
		struct poll_handler_state h = { 0 };
		struct poll_state s = { 0 };
		int64_t ns, seen_max = 0;

		for (step = 0; step < 100000; step++) {
			random = random * 1664525 + 1013904223;
			ns = judge(policies[i], &s, &h, &p, waits[(random >> 16) % 9],
				   random >> 31);
			assert_true(ns >= 0 && ns <= 32768);
			assert_true(h.ns >= 0 && h.ns <= 32768);
			seen_max = ns > seen_max ? ns : seen_max;
		}
		assert_true(seen_max > 0);
	}
}

/* Zeroes stand for the policy's defaults, values out of range and unknown names are refused in
 * words. */
static void test_policy__settings(void **state)
{
	struct poll_params p = { 0 };
	struct error err;

	assert_ptr_equal(poll_policy_find(NULL, NULL), &poll_policy_qemu_weighted);
	assert_ptr_equal(poll_policy_find("qemu", NULL), &poll_policy_qemu);
	assert_ptr_equal(poll_policy_find("break-even", NULL), &poll_policy_break_even);
	assert_ptr_equal(poll_policy_find("fixed", NULL), &poll_policy_fixed);
	assert_null(poll_policy_find("magic", &err));
	assert_non_null(strstr(err.msg, "qemu-weighted"));
	assert_int_equal(poll_params_complete(&poll_policy_qemu_weighted, &p, &err), 0);
	assert_int_equal(p.grow, 2);
	assert_int_equal(p.shrink, 2);
	assert_int_equal(p.weight, 3);
	p.weight = 64;
	assert_int_equal(poll_params_complete(&poll_policy_qemu_weighted, &p, &err), -EINVAL);
	p.weight = 63;
	p.latency_percent = POLL_LATENCY_PERCENT_MAX + 1;
	assert_int_equal(poll_params_complete(&poll_policy_break_even, &p, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "poll-latency-percent"));
	p.latency_percent = 0;
	assert_int_equal(poll_params_complete(&poll_policy_break_even, &p, &err), 0);
	assert_int_equal(p.latency_percent, 100);
	p.max_ns = -1;
	assert_int_equal(poll_params_complete(&poll_policy_qemu_weighted, &p, &err), -EINVAL);
	assert_string_equal(err.msg, "poll-max-ns value must be in range [0, 9223372036854775807]");
}

/* One after the other all of them, and round again; there is none after one that does not exist. */
static void test_poll_policy_next__goes_round(void **state)
{
	static const char *const order[] = { "qemu-weighted", "qemu", "break-even", "fixed" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		assert_string_equal(poll_policy_next(order[i])->name,
				    order[(i + 1) % ARRAY_SIZE(order)]);
	assert_null(poll_policy_next("none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_qemu__climbs_ladder),
		cmocka_unit_test(test_qemu__sweet_spot_and_edges),
		cmocka_unit_test(test_qemu__shrinks),
		cmocka_unit_test(test_qemu__never_exceeds_max),
		cmocka_unit_test(test_weighted__mean_and_growth),
		cmocka_unit_test(test_weighted__too_long_is_forgotten),
		cmocka_unit_test(test_weighted__silent_handler_ages_out),
		cmocka_unit_test(test_weighted__longest_active_counts),
		cmocka_unit_test(test_policies__answer_stays_in_range),
		cmocka_unit_test(test_policy__settings),
		cmocka_unit_test(test_poll_policy_next__goes_round),
	};

	return cmocka_run_group_tests_name("poll_policy", tests, NULL, NULL);
}
