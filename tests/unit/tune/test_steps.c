// SPDX-License-Identifier: BSD-2-Clause
/* Steps from one poll-max-ns to the next. */
#include <lib/tap.h>

#include <handoff/advisor.h>
#include <handoff/compiler.h>

/* Up and down again through the same settings, from never to as long as may be. */
static void test_tune_step__goes_up_and_down(void **state)
{
	int64_t ns[64] = { 0 }, next;
	unsigned int n = 0;

	while ((next = tune_step(ns[n], true)) != ns[n]) {
		assert_in_range(n, 0, ARRAY_SIZE(ns) - 2);
		ns[++n] = next;
	}
	assert_int_equal(ns[1], TUNE_STEP_NS);
	assert_int_equal(ns[2], 2 * TUNE_STEP_NS);
	assert_int_equal(ns[n], TUNE_MOST_NS);
	assert_int_equal(tune_step(ns[n], false), TUNE_MOST_NS / 2);
	for (n--; n; n--)
		assert_int_equal(tune_step(ns[n], false), ns[n - 1]);
	assert_int_equal(tune_step(0, false), 0);
}

/* Settings between the steps, and beyond them, as another may have set them. */
static void test_tune_step__takes_any_setting(void **state)
{
	assert_int_equal(tune_step(1, true), TUNE_STEP_NS);
	assert_int_equal(tune_step(1, false), 0);
	assert_int_equal(tune_step(TUNE_STEP_NS + 2, false), TUNE_STEP_NS / 2 + 1);
	assert_int_equal(tune_step(TUNE_MOST_NS - 1, true), TUNE_MOST_NS);
	assert_int_equal(tune_step(INT64_MAX, true), INT64_MAX);
	assert_int_equal(tune_step(INT64_MAX, false), INT64_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tune_step__goes_up_and_down),
		cmocka_unit_test(test_tune_step__takes_any_setting),
	};

	return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
