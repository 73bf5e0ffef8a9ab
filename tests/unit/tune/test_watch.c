// SPDX-License-Identifier: BSD-2-Clause
/* What --watch decides, interval by interval, and how it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include <handoff/tune_watch.h>
#include "fixture.h"

static const struct advice_goal goal = { .latency_weight = 1 };

/* An interval: two points, today's and the one that is advised. */
static struct advice interval(int64_t today_ns, int64_t best_ns, double gain, double cost_ns)
{
	struct advice a = { .loop = "io0", .n = 2, .today = 0, .best = 1, .gaps = 1000 };

	a.point[0] = (struct advice_point){ .max_ns = today_ns, .cost_ns = 50000 };
	a.point[1] = (struct advice_point){ .max_ns = best_ns, .cost_ns = 50000 * (1 - gain) };
	a.action = best_ns == today_ns ? ADVICE_KEEP : ADVICE_SET;
	a.before = (struct advice_observed){ .known = true, .cost_ns = cost_ns };
	return a;
}

static enum tune_watch_action decide(struct tune_watch_loop *w, struct advice a, int64_t to_ns)
{
	int64_t from_ns = w->now_ns;
	struct tune_watch_decision d;

	tune_watch_decide(w, &a, &goal, &d);
	assert_int_equal(d.from_ns, from_ns);
	assert_int_equal(d.max_ns, to_ns);
	assert_int_equal(w->now_ns, to_ns);
	assert_true(d.why[0]);
	return d.action;
}

static struct tune_watch_loop begun(int64_t max_ns)
{
	struct tune_watch_loop w;

	tune_watch_begin(&w, "io0", 7, max_ns);
	return w;
}

static void test_watch__sets_what_is_worth_it_and_keeps_what_is_better(void **state)
{
	struct tune_watch_loop w = begun(0);

	assert_int_equal(decide(&w, interval(0, 64000, 0.5, 50000), 64000), TUNE_SET);
	assert_int_equal(decide(&w, interval(64000, 64000, 0, 25000), 64000), TUNE_KEEP);
	assert_int_equal(decide(&w, interval(64000, 64000, 0, 25000), 64000), TUNE_HOLD);
	assert_int_equal(w.good_ns, 64000);
	assert_int_equal(w.tried, 1);
	assert_int_equal(w.kept, 1);
	assert_int_equal(w.rolled_back, 0);
}

static void test_watch__holds_for_less_than_the_hysteresis(void **state)
{
	struct tune_watch_loop w = begun(0);
	struct advice a = interval(0, 64000, 0.09, 50000);

	assert_int_equal(decide(&w, a, 0), TUNE_HOLD);
	assert_int_equal(decide(&w, interval(0, 64000, 0.11, 50000), 64000), TUNE_SET);
}

static void test_watch__holds_within_a_budget(void **state)
{
	const struct advice_goal budget = { .budget = 0.10 };
	struct tune_watch_loop w = begun(48000);
	struct advice a = interval(48000, 64000, 0, 50000);
	struct tune_watch_decision d;

	a.point[0].hit_share = 0.50;
	a.point[1].hit_share = 0.59;
	a.point[0].cpu = 0.105;
	tune_watch_decide(&w, &a, &budget, &d);
	assert_int_equal(d.action, TUNE_HOLD);
	a.point[0].cpu = 0.12; /* what stands takes too much: less is better */
	a.point[1].hit_share = 0.2;
	tune_watch_decide(&w, &a, &budget, &d);
	assert_int_equal(d.action, TUNE_SET);
	w = begun(48000);
	a.point[0].cpu = 0.01;
	a.point[1].hit_share = 0.61;
	tune_watch_decide(&w, &a, &budget, &d);
	assert_int_equal(d.action, TUNE_SET);
}

/* Each time twice as long, and no other change meanwhile. */
static void test_watch__rolls_back_and_backs_off(void **state)
{
	static const uint32_t pauses[] = { 1, 2, 4, 8, 16, 32, 64, 64 };
	struct tune_watch_loop w = begun(8000);
	uint32_t i, k;

	for (i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		assert_int_equal(decide(&w, interval(8000, 64000, 0.5, 50000), 64000), TUNE_SET);
		assert_int_equal(decide(&w, interval(64000, 64000, 0, 60000), 8000),
				 TUNE_ROLL_BACK);
		for (k = 0; k < pauses[i]; k++)
			assert_int_equal(decide(&w, interval(8000, 64000, 0.5, 50000), 8000),
					 TUNE_HOLD);
	}
	assert_int_equal(w.rolled_back, i);
	/* One that was better begins anew. */
	assert_int_equal(decide(&w, interval(8000, 64000, 0.5, 50000), 64000), TUNE_SET);
	assert_int_equal(decide(&w, interval(64000, 64000, 0, 20000), 64000), TUNE_KEEP);
	assert_int_equal(decide(&w, interval(64000, 32768, 0.5, 20000), 32768), TUNE_SET);
	assert_int_equal(decide(&w, interval(32768, 32768, 0, 60000), 64000), TUNE_ROLL_BACK);
	assert_int_equal(w.left, 1);
}

/* The load has stopped in the middle of a trial: nobody knows that it was better. */
static void test_watch__rolls_back_what_cannot_be_judged(void **state)
{
	struct tune_watch_loop w = begun(0);
	struct advice none = { .loop = "io0", .before.reason = "too few" };

	snprintf(none.why, sizeof(none.why), "too few");
	assert_int_equal(decide(&w, none, 0), TUNE_HOLD);
	assert_int_equal(decide(&w, interval(0, 64000, 0.5, 50000), 64000), TUNE_SET);
	assert_int_equal(decide(&w, none, 0), TUNE_ROLL_BACK);
	assert_int_equal(w.good_ns, 0);
}

static struct advice hidden(int64_t today_ns, double cost_ns)
{
	struct advice a = interval(today_ns, today_ns, 0, cost_ns);

	a.gaps_hidden = true;
	a.action = ADVICE_NONE;
	snprintf(a.why, sizeof(a.why), "lacks the short waits");
	return a;
}

static void test_watch__looks_behind_spins(void **state)
{
	struct tune_watch_loop w = begun(32768);

	/* Nothing better: back, and the next look is later. */
	assert_int_equal(decide(&w, hidden(32768, 50000), 0), TUNE_LOOK);
	assert_int_equal(decide(&w, interval(32768, 32768, 0, 90000), 32768), TUNE_RETURN);
	assert_int_equal(decide(&w, hidden(32768, 50000), 32768), TUNE_HOLD);
	assert_int_equal(decide(&w, hidden(32768, 50000), 0), TUNE_LOOK);
	assert_int_equal(decide(&w, interval(32768, 32768, 0, 90000), 32768), TUNE_RETURN);
	assert_int_equal(w.left, 2);
	assert_int_equal(w.rolled_back, 0);
	w.left = 0;
	/* Something better: it is judged against what stood, not against the look. */
	assert_int_equal(decide(&w, hidden(32768, 50000), 0), TUNE_LOOK);
	assert_int_equal(decide(&w, interval(32768, 96000, 0.5, 90000), 96000), TUNE_SET);
	assert_int_equal(decide(&w, hidden(96000, 60000), 32768), TUNE_ROLL_BACK);
}

/* Then the look itself was the trial. */
static void test_watch__a_look_may_be_best(void **state)
{
	struct tune_watch_loop w = begun(32768);

	assert_int_equal(decide(&w, hidden(32768, 50000), 0), TUNE_LOOK);
	assert_int_equal(decide(&w, interval(32768, 0, 0.5, 30000), 0), TUNE_KEEP);
	assert_int_equal(w.good_ns, 0);
	w = begun(32768);
	assert_int_equal(decide(&w, hidden(32768, 50000), 0), TUNE_LOOK);
	assert_int_equal(decide(&w, interval(32768, 0, 0.5, 70000), 32768), TUNE_ROLL_BACK);
}

static void test_watch__leaves_to_others_what_they_set(void **state)
{
	struct tune_watch_loop w = begun(0);
	struct tune_watch_decision d;

	assert_int_equal(decide(&w, interval(0, 64000, 0.5, 50000), 64000), TUNE_SET);
	tune_watch_taken(&w, 12345, &d);
	assert_int_equal(d.action, TUNE_HOLD);
	assert_int_equal(d.max_ns, 12345);
	assert_non_null(strstr(d.why, "somebody else"));
	assert_int_equal(decide(&w, interval(12345, 64000, 0.5, 50000), 64000), TUNE_SET);
	assert_int_equal(decide(&w, interval(64000, 64000, 0, 90000), 12345), TUNE_ROLL_BACK);
}

/* Whatever comes, it is at what was found, at what was advised, or looks. */
static void test_watch__stays_within_what_was_found_and_advised(void **state)
{
	static const int64_t advised[] = { 0, 4000, 64000, 256000 };
	struct tune_watch_loop w = begun(7777);
	unsigned int i, seed = 1;

	for (i = 0; i < 100000; i++) {
		int64_t best = advised[rand_r(&seed) % 4];
		struct tune_watch_decision d;
		struct advice a =
			interval(w.state == TUNE_LOOKED ? w.good_ns : w.now_ns, best,
				 rand_r(&seed) % 10 / 10.0, 10000 + rand_r(&seed) % 90000);
		bool known = false;
		unsigned int k;

		a.gaps_hidden = rand_r(&seed) % 5 == 0;
		a.before.known = rand_r(&seed) % 7 != 0;
		if (rand_r(&seed) % 6 == 0)
			a.action = ADVICE_NONE;
		snprintf(a.why, sizeof(a.why), "why");
		tune_watch_decide(&w, &a, &goal, &d);
		for (k = 0; k < 4; k++)
			known |= d.max_ns == advised[k];
		assert_true(known || d.max_ns == 7777);
		assert_true(w.left <= TUNE_WATCH_LONGEST_PAUSE);
		assert_true((d.action == TUNE_HOLD || d.action == TUNE_KEEP) ==
				    (d.max_ns == d.from_ns) ||
			    d.from_ns == d.max_ns);
	}
	assert_true(w.tried >= w.kept + w.rolled_back && w.kept && w.rolled_back);
}

static json_t *line_of(char *text)
{
	json_t *root;

	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	free(text);
	return root;
}

static void test_watch_json__is_a_line_for_each_decision(void **state)
{
	struct tune_watch_loop w = begun(0);
	struct advice a = interval(0, 64000, 0.5, 50000);
	struct tune_watch_decision d;
	const char *event, *action, *loop;
	json_int_t from_ns, to_ns;
	json_t *root;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	tune_watch_decide(&w, &a, &goal, &d);
	assert_int_equal(tune_watch_json(2.5, &a, &d, f), 0);
	fclose(f);
	root = line_of(text);
	assert_int_equal(json_unpack(root, "{s:s, s:s, s:s, s:I, s:I}", "event", &event, "action",
				     &action, "loop", &loop, "from_ns", &from_ns, "to_ns", &to_ns),
			 0);
	assert_string_equal(event, "decision");
	assert_string_equal(action, "set");
	assert_string_equal(loop, "io0");
	assert_int_equal(from_ns, 0);
	assert_int_equal(to_ns, 64000);
	assert_true(json_is_object(json_object_get(root, "predicted")));
	json_decref(root);
}

static void test_watch_json__ends_with_what_came_of_it(void **state)
{
	const int64_t found_ns = 4000;
	struct tune_watch_loop w = begun(4000);
	const struct tune_watch_end end = {
		.reason = "stopped", .intervals = 3, .n = 1, .loop = &w, .found_ns = &found_ns
	};
	json_int_t found, last, known;
	json_t *root, *loop;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	decide(&w, interval(4000, 64000, 0.5, 50000), 64000);
	assert_int_equal(tune_watch_json_end(&end, f), 0);
	fclose(f);
	root = line_of(text);
	assert_string_equal(json_string_value(json_object_get(root, "schema")), TUNE_WATCH_SCHEMA);
	loop = json_array_get(json_object_get(root, "loops"), 0);
	assert_int_equal(json_unpack(loop, "{s:I, s:I, s:I}", "found_ns", &found, "last_ns", &last,
				     "tried", &known),
			 0);
	assert_int_equal(found, 4000);
	assert_int_equal(last, 64000);
	assert_int_equal(known, 1);
	json_decref(root);
}

static void test_watch_text__unknown_is_no_zero(void **state)
{
	struct tune_watch_loop w = begun(0);
	struct advice none = { .loop = "io0", .why = "too few", .before.reason = "too few" };
	struct tune_watch_decision d;
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	tune_watch_decide(&w, &none, &goal, &d);
	tune_watch_text(1, &none, &d, f);
	fclose(f);
	assert_non_null(strstr(text, " io0 "));
	assert_non_null(strstr(text, "  ?  "));
	assert_null(strstr(text, "0.0%"));
	assert_non_null(strstr(text, "hold: too few\n"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch__sets_what_is_worth_it_and_keeps_what_is_better),
		cmocka_unit_test(test_watch__holds_for_less_than_the_hysteresis),
		cmocka_unit_test(test_watch__holds_within_a_budget),
		cmocka_unit_test(test_watch__rolls_back_and_backs_off),
		cmocka_unit_test(test_watch__rolls_back_what_cannot_be_judged),
		cmocka_unit_test(test_watch__looks_behind_spins),
		cmocka_unit_test(test_watch__a_look_may_be_best),
		cmocka_unit_test(test_watch__leaves_to_others_what_they_set),
		cmocka_unit_test(test_watch__stays_within_what_was_found_and_advised),
		cmocka_unit_test(test_watch_json__is_a_line_for_each_decision),
		cmocka_unit_test(test_watch_json__ends_with_what_came_of_it),
		cmocka_unit_test(test_watch_text__unknown_is_no_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
