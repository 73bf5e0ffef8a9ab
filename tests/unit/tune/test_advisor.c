// SPDX-License-Identifier: BSD-2-Clause
/* The curve and the choice, on waits whose answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/poll_policy.h>
#include "fixture.h"

/* The rule learns only while spin and wake together stay below the limit: with a wake of 40 us it
 * takes more than 50 us to catch waits of 10 us. */
static void test_advisor__knows_that_a_wake_counts_for_the_rule(void **state)
{
	struct report *r = fixture_report(10000, 10000, 40000);
	struct advice a;

	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 32768)->hit_share < 0.01);
	assert_true(fixture_point(&a, 64000)->hit_share > 0.99);
	report_free(r);
}

static void test_advisor__sets_what_catches_short_waits(void **state)
{
	struct report *r = fixture_report(10000, 10000, 40000);
	struct advice a;

	fixture_advise(r, &a);
	assert_int_equal(a.action, ADVICE_SET);
	assert_int_equal(a.point[a.best].max_ns, 64000);
	assert_int_equal(a.point[a.today].max_ns, 0);
	assert_true(a.point[a.best].late_ns < 1000);
	assert_int_equal((int64_t)a.block_cost_ns, POLL_BLOCK_COST_NS + 40000);
	report_free(r);
}

static void test_advisor__keeps_a_loop_asleep_whose_work_is_rare(void **state)
{
	struct report *r = fixture_report(1000, 900000, 40000);
	struct advice a;

	fixture_advise(r, &a);
	assert_int_equal(a.action, ADVICE_KEEP);
	assert_int_equal(a.best, a.today);
	assert_int_equal(a.point[a.best].max_ns, 0);
	report_free(r);
}

/* Today's is among the points at its place, whatever it is. */
static void test_advisor__has_today_on_the_curve(void **state)
{
	static const uint64_t today[] = { 0, 1, 32768, 33000, 999999999 };
	struct report *r = fixture_report(1000, 10000, 40000);
	struct advice a;
	uint32_t i, k;

	for (i = 0; i < ARRAY_SIZE(today); i++) {
		r->loop[0].poll_max_ns = today[i];
		fixture_advise(r, &a);
		assert_true(a.today < a.n);
		assert_int_equal(a.point[a.today].max_ns, today[i]);
		for (k = 1; k < a.n; k++)
			assert_true(a.point[k - 1].max_ns < a.point[k].max_ns);
	}
	r->loop[0].settings_evidence = EVIDENCE_ABSENT;
	fixture_advise(r, &a);
	assert_int_equal(a.today, ADVICE_POINTS);
	assert_int_equal(a.action, ADVICE_SET);
	report_free(r);
}

/* Each wait's, unless the VMM is known to keep the guest from it. */
static void test_advisor__tells_how_many_kicks_there_may_be(void **state)
{
	struct report *r = fixture_report(10000, 10000, 40000);
	struct advice a;

	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "qemu");
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 64000)->kicks < 5000 * 0.05);
	assert_true(fixture_point(&a, 64000)->kicks_most > 5000 * 0.99);
	assert_true(fixture_point(&a, 0)->kicks == fixture_point(&a, 0)->kicks_most);
	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "handoff");
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 64000)->kicks == fixture_point(&a, 64000)->kicks_most);
	report_free(r);
}

/* 5000 waits a second of 100 us are half a core; of 10 us a twentieth. */
static void test_advisor__stays_within_a_budget(void **state)
{
	const struct advice_goal tight = { .latency_weight = 1, .budget = 0.02 };
	const struct advice_goal wide = { .latency_weight = 1, .budget = 0.20 };
	struct report *r = fixture_report(10000, 10000, 40000);
	struct advice a;
	uint32_t i;

	/* Some come at once: a loop that is closed would be taken for faster. */
	r->queue[0].kicks_awake = 5000;
	advise(r, &r->loop[0], "qemu", &wide, &a);
	assert_int_equal(a.arrivals, ARRIVALS_OPEN);
	assert_int_equal(a.action, ADVICE_SET);
	assert_true(a.point[a.best].hit_share > 0.99);
	assert_true(a.point[a.best].cpu <= 0.20);
	advise(r, &r->loop[0], "qemu", &tight, &a);
	assert_int_equal(a.action, ADVICE_KEEP);
	for (i = a.best + 1; i < a.n; i++)
		assert_true(a.point[i].cpu > 0.02 || a.point[i].hit_share < 0.01);
	report_free(r);
}

static void test_advisor__advises_none_above_the_limit(void **state)
{
	const struct advice_goal cost = { .latency_weight = 1, .most_ns = 63999 };
	const struct advice_goal budget = { .budget = 1, .most_ns = 32768 };
	struct report *r = fixture_report(10000, 10000, 40000);
	struct advice a;

	advise(r, &r->loop[0], "qemu", &cost, &a);
	assert_int_equal(a.action, ADVICE_SET);
	assert_int_equal(a.point[a.best].max_ns, 48000);
	assert_true(a.point[a.n - 1].max_ns > 63999);
	advise(r, &r->loop[0], "qemu", &budget, &a);
	assert_int_equal(a.point[a.best].max_ns, 0);
	/* What stands above it is no reason to go lower. */
	r->loop[0].poll_max_ns = 1000000;
	advise(r, &r->loop[0], "qemu", &budget, &a);
	assert_int_equal(a.action, ADVICE_KEEP);
	report_free(r);
}

/* The knee: what catches all the short ones, and none of the long. */
static void test_advisor__knee_is_where_more_brings_little(void **state)
{
	struct report *r = fixture_report(9000, 10000, 20000);
	struct advice a;
	uint64_t i;

	for (i = 0; i < 1000; i++)
		hist_add(&r->loop[0].gap_hist, 5000000);
	fixture_advise(r, &a);
	assert_in_range(a.point[a.knee].max_ns, 32768, 64000);
	report_free(r);
}

/* A loop that is at work a quarter of the time, and never when work comes. */
static void test_advisor__tells_closed_from_open(void **state)
{
	struct report *r = fixture_report(10000, 100000, 40000);
	struct advice a;

	fixture_advise(r, &a);
	assert_int_equal(a.arrivals, ARRIVALS_CLOSED);
	assert_non_null(strstr(a.sure, "CLOSED LOOP"));
	r->queue[0].kicks_asleep = 8000;
	r->queue[0].kicks_awake = 2000;
	fixture_advise(r, &a);
	assert_int_equal(a.arrivals, ARRIVALS_OPEN);
	assert_null(strstr(a.sure, "CLOSED"));
	report_free(r);
}

static void test_advisor__faster_service_of_a_closed_loop_brings_more(void **state)
{
	struct report *r = fixture_report(20000, 10000, 40000);
	struct advice a;

	fixture_advise(r, &a);
	assert_int_equal(a.arrivals, ARRIVALS_CLOSED);
	/* 100 us from one to the next, 40 of them a wake's: 60 are left. */
	assert_true(fixture_point(&a, 256000)->cpu >
		    10000 * fixture_point(&a, 256000)->spun_ns * 1.6 / 1e9);
	report_free(r);
}

/* Of 60 us 50 are the kick's exit: the spin has found it before, and slept through it all counts.
 */
static void test_advisor__subtracts_the_exit_where_it_is_seen(void **state)
{
	struct report *r = fixture_report(10000, 60000, 10000);
	struct advice a, with;
	uint64_t i;

	fixture_advise(r, &a);
	for (i = 0; i < 10000; i++)
		hist_add(&r->loop[0].stage[STAGE_EXIT].hist, 50000);
	fixture_advise(r, &with);
	assert_true(fixture_point(&with, 48000)->hit_share < 0.01);
	assert_true(fixture_point(&a, 96000)->spun_ns > 50000);
	assert_true(fixture_point(&with, 96000)->hit_share > 0.99);
	assert_true(fixture_point(&with, 96000)->spun_ns < 20000);
	report_free(r);
}

/* One wait in ten takes the spin from the rule, which has it again the sooner the shorter they
 * are. */
static void test_advisor__says_how_far_an_unseen_exit_may_go(void **state)
{
	struct report *r = fixture_report(9000, 60000, 10000);
	struct advice a;
	uint32_t i;

	for (i = 0; i < 1000; i++) {
		hist_add(&r->loop[0].gap_hist, 900000);
		hist_add(&r->loop[0].wake_hist, 10000);
	}
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 96000)->hit_most - fixture_point(&a, 96000)->hit_share <
		    1e-6);
	r->loop[0].stage[STAGE_EXIT].evidence = EVIDENCE_ABSENT;
	fixture_advise(r, &a);
	assert_true(fixture_point(&a, 96000)->hit_most > fixture_point(&a, 96000)->hit_share + 0.1);
	report_free(r);
}

static double hits_by(const struct report *r, const char *policy, double weight, int64_t max_ns)
{
	const struct advice_goal goal = { .latency_weight = weight };
	struct advice a;

	advise(r, &r->loop[0], policy, &goal, &a);
	return fixture_point(&a, max_ns)->hit_share;
}

/* A wait of 25 us is seen after 65, and a sleep costs 60: who takes what is seen for the arrival
 * would never spin. The loop does not, nor does what is foretold of it. */
static void test_advisor__plays_break_even_out_of_the_trap(void **state)
{
	struct report *r = fixture_report(10000, 25000, 40000);

	r->loop[0].poll_block_cost_ns = 60000;
	assert_true(hits_by(r, "break-even", 1, 64000) > 0.95);
	assert_true(hits_by(r, "break-even", 1, 16000) < 0.01);
	/* The goal is the user's: the loop does not know it. */
	assert_true(hits_by(r, "break-even", 0, 64000) > 0.95);
	r->loop[0].poll_block_cost_ns = 12000;
	assert_true(hits_by(r, "break-even", 1000, 64000) < 0.05);
	report_free(r);
}

/* A sleep costs about what a spin does: which is less, no one knows beforehand. */
static void test_advisor__tells_a_range_where_costs_are_close(void **state)
{
	struct report *r = fixture_report(10000, 25000, 40000);
	struct advice a;

	r->loop[0].poll_block_cost_ns = 28000;
	advise(r, &r->loop[0], "break-even", &fixture_goal, &a);
	assert_true(fixture_point(&a, 64000)->hit_share < 0.05);
	assert_true(fixture_point(&a, 64000)->hit_most > 0.95);
	r->loop[0].poll_block_cost_ns = 60000;
	advise(r, &r->loop[0], "break-even", &fixture_goal, &a);
	assert_true(fixture_point(&a, 64000)->hit_most - fixture_point(&a, 64000)->hit_share <
		    0.01);
	report_free(r);
}

/* Nobody was asked, the VMM's page says it. */
static void test_advisor__takes_the_rule_that_the_loop_tells(void **state)
{
	struct report *r = fixture_report(10000, 25000, 15000);
	struct advice a;

	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "handoff");
	snprintf(r->loop[0].poll_policy, sizeof(r->loop[0].poll_policy), "break-even");
	advise(r, &r->loop[0], NULL, &fixture_goal, &a);
	assert_string_equal(a.policy, "break-even");
	advise(r, &r->loop[0], "qemu", &fixture_goal, &a);
	assert_string_equal(a.policy, "qemu");
	report_free(r);
}

/* One wait in ten is long: who halves the spin finds more of the next ones than who drops it. */
static void test_advisor__plays_the_loops_own_grow_and_shrink(void **state)
{
	struct report *r = fixture_report(9000, 30000, 1000);
	double dropped;
	uint64_t i;

	for (i = 0; i < 1000; i++) {
		hist_add(&r->loop[0].gap_hist, 900000);
		hist_add(&r->loop[0].wake_hist, 1000);
	}
	dropped = hits_by(r, "qemu", 1, 128000);
	r->loop[0].poll_shrink = 2;
	assert_true(hits_by(r, "qemu", 1, 128000) > dropped + 0.1);
	/* No VMM has them; nothing is taken from one that tells so. */
	r->loop[0].poll_weight = 1ull << 40;
	assert_true(hits_by(r, "qemu", 1, 128000) < dropped + 1e-6);
	report_free(r);
}

static void assert_says_nothing(const struct report *r, const char *why)
{
	struct advice a;

	fixture_advise(r, &a);
	assert_int_equal(a.action, ADVICE_NONE);
	assert_non_null(strstr(a.why, why));
}

static void test_advisor__gives_no_advice_without_ground(void **state)
{
	struct report *r = fixture_report(ADVICE_MIN_GAPS - 1, 10000, 40000);

	assert_says_nothing(r, "too few");
	report_free(r);
	r = fixture_report(10000, 10000, 40000);
	memset(&r->loop[0].wake_hist, 0, sizeof(r->loop[0].wake_hist));
	assert_says_nothing(r, "no wait was slept through");
	r->loop[0].gaps_evidence = EVIDENCE_ABSENT;
	assert_says_nothing(r, "made up");
	report_free(r);
	r = fixture_report(10000, 10000, 40000);
	r->loop[0].gaps_hidden = true;
	assert_says_nothing(r, "lacks the short waits");
	report_free(r);
}

/* Torn copies, and times beyond all bounds. */
static void test_advisor__survives_any_histogram(void **state)
{
	struct report *r = fixture_report(1000, 10000, 40000);
	struct advice a;
	uint32_t i;

	r->loop[0].gap_hist.min_ns = 1ull << 60;
	r->loop[0].gap_hist.max_ns = 0;
	r->loop[0].gap_hist.bucket[HIST_BUCKETS - 1] = 500;
	r->loop[0].wake_hist.bucket[HIST_BUCKETS - 1] = 500;
	r->loop[0].gap_hist.count = 1500;
	fixture_advise(r, &a);
	for (i = 0; i < a.n; i++) {
		assert_true(a.point[i].hit_share >= 0 && a.point[i].hit_share <= 1);
		assert_true(a.point[i].cost_ns >= 0 && a.point[i].cpu >= 0);
	}
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advisor__knows_that_a_wake_counts_for_the_rule),
		cmocka_unit_test(test_advisor__sets_what_catches_short_waits),
		cmocka_unit_test(test_advisor__keeps_a_loop_asleep_whose_work_is_rare),
		cmocka_unit_test(test_advisor__has_today_on_the_curve),
		cmocka_unit_test(test_advisor__tells_how_many_kicks_there_may_be),
		cmocka_unit_test(test_advisor__stays_within_a_budget),
		cmocka_unit_test(test_advisor__advises_none_above_the_limit),
		cmocka_unit_test(test_advisor__knee_is_where_more_brings_little),
		cmocka_unit_test(test_advisor__tells_closed_from_open),
		cmocka_unit_test(test_advisor__faster_service_of_a_closed_loop_brings_more),
		cmocka_unit_test(test_advisor__subtracts_the_exit_where_it_is_seen),
		cmocka_unit_test(test_advisor__says_how_far_an_unseen_exit_may_go),
		cmocka_unit_test(test_advisor__plays_break_even_out_of_the_trap),
		cmocka_unit_test(test_advisor__tells_a_range_where_costs_are_close),
		cmocka_unit_test(test_advisor__takes_the_rule_that_the_loop_tells),
		cmocka_unit_test(test_advisor__plays_the_loops_own_grow_and_shrink),
		cmocka_unit_test(test_advisor__gives_no_advice_without_ground),
		cmocka_unit_test(test_advisor__survives_any_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
