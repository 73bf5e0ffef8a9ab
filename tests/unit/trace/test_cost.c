// SPDX-License-Identifier: BSD-2-Clause
/* The tracer's own cost, sample by sample. */
#include <lib/tap.h>

#include "cost.h"

/* One interval in eight is a sample, and until there is a result each that follows one with kicks;
 * none if not asked for. */
static void test_cost__one_interval_in_eight(void **state)
{
	struct cost c, none;
	unsigned int i, n = 0;

	cost_init(&c, true);
	cost_init(&none, false);
	assert_true(cost_next(&c, 0));
	/* An idle VM is not measured all the time. */
	assert_false(cost_next(&c, 0));
	assert_false(cost_next(&c, 3));
	assert_true(cost_next(&c, 5000));
	c.intervals = 1;
	cost_take(&c, 1, 6000, 1, 1);
	for (i = 1; i < 3 * COST_EVERY; i++) {
		n += cost_next(&c, 5000 + 1000 * i);
		assert_false(cost_next(&none, 1000 * i));
	}
	assert_int_equal(n, 2);
}

/* A sample's figures are kept until the next; nothing known is not 0. */
static void test_cost__figures(void **state)
{
	struct cost c;

	cost_init(&c, true);
	assert_true(c.cpu < 0 && c.kick_ns < 0);
	c.since_ns = 1000000;
	c.kicks = 500;
	cost_take(&c, 2000000, 1500, 400000, 500000);
	assert_true(c.cpu > 0.49 && c.cpu < 0.51);
	assert_true(c.kick_ns > 399 && c.kick_ns < 401);
	/* Hardly a kick: what ran then ran for others. */
	c.since_ns = 3000000;
	c.kicks = 1500;
	cost_take(&c, 4000000, 1502, 90000, 100000);
	assert_true(c.cpu > 0.09 && c.cpu < 0.11);
	assert_true(c.kick_ns > 399 && c.kick_ns < 401);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost__one_interval_in_eight),
		cmocka_unit_test(test_cost__figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
