// SPDX-License-Identifier: BSD-2-Clause
/* Durations in words, above all where rounding changes the number of digits or the unit. */
#include <lib/tap.h>

#include <string.h>
#include <handoff/clock.h>

static void assert_format(int64_t ns, const char *text)
{
	char buf[16];

	assert_string_equal(clock_format_ns(buf, ns), text);
}

/* The forms the header promises. */
static void test_clock__formats_three_digits(void **state)
{
	assert_format(0, "0ns");
	assert_format(850, "850ns");
	assert_format(1000, "1.00us");
	assert_format(12300, "12.3us");
	assert_format(4560000, "4.56ms");
	assert_format(789 * NS_PER_MS, "789ms");
	assert_format(7890 * NS_PER_MS, "7.89s");
	assert_format(3600 * NS_PER_S, "3600s");
}

/*
 * A value that rounds up to 1000 of a unit takes the next unit, one that rounds to 10 or 100 loses
 * a decimal.
 */
static void test_clock__rounds_into_next_form(void **state)
{
	assert_format(999, "999ns");
	assert_format(9994, "9.99us");
	assert_format(9995, "10.0us");
	assert_format(99949, "99.9us");
	assert_format(99950, "100us");
	assert_format(999499, "999us");
	assert_format(999500, "1.00ms");
	assert_format(999500 * NS_PER_US, "1.00s");
	assert_format(9995 * NS_PER_MS, "10.0s");
}

/* No value takes more than eight characters, the extremes included. */
static void test_clock__never_longer_than_eight(void **state)
{
	char buf[16];
	int64_t ns = 1;

	assert_format(INT64_MAX, "106751d");
	assert_format(INT64_MIN, "-106751d");
	for (; ns < INT64_MAX / 3; ns = ns * 3 + 1) {
		assert_in_range(strlen(clock_format_ns(buf, ns)), 3, 8);
		assert_in_range(strlen(clock_format_ns(buf, -ns)), 3, 8);
	}
}

/* clock_timespec is the inverse of reading a timespec. */
static void test_clock__timespec_splits(void **state)
{
	struct timespec ts = clock_timespec(3 * NS_PER_S + 5);

	assert_int_equal(ts.tv_sec, 3);
	assert_int_equal(ts.tv_nsec, 5);
}

/* The clock never goes back. */
static void test_clock__is_monotonic(void **state)
{
	int64_t last = clock_ns(), now;
	int i;

	for (i = 0; i < 1000; i++, last = now) {
		now = clock_ns();
		assert_true(now >= last);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock__formats_three_digits),
		cmocka_unit_test(test_clock__rounds_into_next_form),
		cmocka_unit_test(test_clock__never_longer_than_eight),
		cmocka_unit_test(test_clock__timespec_splits),
		cmocka_unit_test(test_clock__is_monotonic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
