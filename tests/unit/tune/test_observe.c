// SPDX-License-Identifier: BSD-2-Clause
/* What a setting did, and which of two was better. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>
#include <handoff/hist.h>
#include "fixture.h"

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 0.001 * (fabs(b) + 1))

static void test_observe__counts_sleeps_against_waits(void **state)
{
	struct report *r = fixture_report(1000, 10000, 40000);
	struct advice_observed o;
	uint64_t i;

	for (i = 0; i < 3000; i++)
		hist_add(&r->loop[0].gap_hist, 5000); /* by spins: no wakes */
	advice_observe(r, &r->loop[0], &fixture_goal, 4000, &o);
	assert_true(o.known);
	NEAR(o.hit_share, 0.75);
	NEAR(o.late_ns, 10000.0);
	NEAR(o.rate, 2000.0);
	NEAR(o.loop_cpu, 0.0025); /* 5 ms of 2 s */
	NEAR(o.cost_ns, 5000000.0 / 4000 + 10000);
	NEAR(o.requests, 2000.0);
	NEAR(o.request_ns, 1250.0);
	NEAR(o.kicks, 500.0);
	report_free(r);
}

static void test_observe__takes_requests_for_what_spins_hide(void **state)
{
	struct report *r = fixture_report(1000, 10000, 40000);
	struct advice_observed o;

	r->loop[0].gaps_hidden = true;
	advice_observe(r, &r->loop[0], &fixture_goal, 10000, &o);
	assert_true(o.known);
	NEAR(o.hit_share, 0.9);
	assert_non_null(strstr(o.reason, "query-blockstats"));
	advice_observe(r, &r->loop[0], &fixture_goal, -1, &o);
	assert_false(o.known);
	report_free(r);
}

static void test_observe__knows_nothing_of_a_loop_at_rest(void **state)
{
	struct report *r = fixture_report(10, 10000, 40000);
	struct advice_observed o;

	advice_observe(r, &r->loop[0], &fixture_goal, 10, &o);
	assert_false(o.known);
	r->loop[0].account_evidence = EVIDENCE_ABSENT;
	advice_observe(r, &r->loop[0], &fixture_goal, 10, &o);
	assert_false(o.known);
	report_free(r);
}

static struct advice_observed observed(double cost_ns, double late_ns, double cpu)
{
	return (struct advice_observed){
		.known = true, .cost_ns = cost_ns, .late_ns = late_ns, .loop_cpu = cpu
	};
}

static void test_observe__judges_by_what_a_wait_costs(void **state)
{
	const struct advice_observed before = observed(50000, 40000, 0.2);
	const struct advice_observed better = observed(10000, 100, 0.9);
	const struct advice_observed worse = observed(60000, 100, 1.0);
	const struct advice_observed unknown = { .reason = "torn" };
	char why[ADVICE_TEXT];

	assert_true(advice_is_better(&before, &better, &fixture_goal, why));
	assert_false(advice_is_better(&before, &worse, &fixture_goal, why));
	assert_non_null(strstr(why, "rose from 50.0us to 60.0us"));
	assert_false(advice_is_better(&before, &unknown, &fixture_goal, why));
	assert_non_null(strstr(why, "torn"));
}

static void test_observe__judges_by_a_budget(void **state)
{
	const struct advice_goal goal = { .latency_weight = 1, .budget = 0.1 };
	const struct advice_observed before = observed(50000, 40000, 0.2);
	const struct advice_observed within = observed(90000, 100, 0.29);
	const struct advice_observed over = observed(10000, 100, 0.9);
	const struct advice_observed later = observed(10000, 60000, 0.2);
	char why[ADVICE_TEXT];

	assert_true(advice_is_better(&before, &within, &goal, why));
	assert_false(advice_is_better(&before, &over, &goal, why));
	assert_non_null(strstr(why, "70.0% more of a core"));
	assert_false(advice_is_better(&before, &later, &goal, why));
}

/* What spins more than the budget allows is to spin less, whatever wakes then add. */
static void test_observe__gets_back_into_a_budget(void **state)
{
	const struct advice_goal goal = { .latency_weight = 1, .budget = 0.1 };
	struct advice_observed over = observed(10000, 100, 0.6);
	struct advice_observed within = observed(50000, 40000, 0.25);
	char why[ADVICE_TEXT];

	over.spun_cpu = 0.4;
	within.spun_cpu = 0.09;
	assert_true(advice_is_better(&over, &within, &goal, why));
	assert_non_null(strstr(why, "spins take 9.0% of a core, not 40.0%"));
	within.spun_cpu = 0.2;
	assert_false(advice_is_better(&over, &within, &goal, why));
	assert_non_null(strstr(why, "spins take 20.0% of a core"));
	/* Nor does it creep over it by trials each of which is within the budget of the last. */
	assert_false(advice_is_better(&within, &over, &goal, why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_observe__counts_sleeps_against_waits),
		cmocka_unit_test(test_observe__takes_requests_for_what_spins_hide),
		cmocka_unit_test(test_observe__knows_nothing_of_a_loop_at_rest),
		cmocka_unit_test(test_observe__judges_by_what_a_wait_costs),
		cmocka_unit_test(test_observe__judges_by_a_budget),
		cmocka_unit_test(test_observe__gets_back_into_a_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
