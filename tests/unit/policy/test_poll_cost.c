// SPDX-License-Identifier: BSD-2-Clause
/* What a sleep costs, from samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <handoff/poll_cost.h>

/* The median of the newest 32, whatever the order they came in; one that is far out moves nothing.
 */
static void test_poll_cost__takes_the_median_of_the_newest(void **state)
{
	struct poll_samples s = { 0 };
	int i;

	poll_samples_add(&s, 7000);
	assert_int_equal(s.median_ns, 7000);
	poll_samples_add(&s, 1000000000);
	poll_samples_add(&s, 5000);
	assert_int_equal(s.median_ns, 7000);
	for (i = 0; i < POLL_COST_SAMPLES; i++)
		poll_samples_add(&s, i & 1 ? 100 + i : 100 - i);
	assert_true(s.median_ns >= 99 && s.median_ns <= 101);
	/* For ever: the count never wraps to "nothing known". */
	for (i = 0; i < 100000; i++) {
		poll_samples_add(&s, 20);
		assert_true(s.n && s.n < 2 * POLL_COST_SAMPLES);
	}
	assert_int_equal(s.median_ns, 20);
}

/* A clock that went backwards gives 0, not less. */
static void test_poll_cost__is_never_negative(void **state)
{
	struct poll_samples s = { 0 };

	poll_samples_add(&s, -5);
	assert_int_equal(s.median_ns, 0);
}

/* CPU time and what the latency is worth; 0 while either is not known; no overflow. */
static void test_poll_cost__adds_up(void **state)
{
	struct poll_cost c = { 0 };

	assert_int_equal(poll_cost_sleep_ns(&c, 100), 0);
	poll_samples_add(&c.wake, 30000);
	assert_int_equal(poll_cost_sleep_ns(&c, 100), 0);
	poll_samples_add(&c.block, 4000);
	assert_int_equal(poll_cost_sleep_ns(&c, 100), 34000);
	assert_int_equal(poll_cost_sleep_ns(&c, 50), 19000);
	assert_int_equal(poll_cost_sleep_ns(&c, 300), 94000);
	/* A sleep's kick costs the vCPU its exit, whatever latency is worth. */
	c.kick_exit_ns = 2800;
	assert_int_equal(poll_cost_sleep_ns(&c, 50), 21800);
	c = (struct poll_cost){ 0 };
	poll_samples_add(&c.wake, INT64_MAX);
	poll_samples_add(&c.block, INT64_MAX);
	assert_true(poll_cost_sleep_ns(&c, 100) == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll_cost__takes_the_median_of_the_newest),
		cmocka_unit_test(test_poll_cost__is_never_negative),
		cmocka_unit_test(test_poll_cost__adds_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
