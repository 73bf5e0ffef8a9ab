// SPDX-License-Identifier: BSD-2-Clause
/* Advice as text and as JSON: what is in it, and that it fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "fixture.h"

static char *as_text(const struct advice_report *a, unsigned int width, bool utf8)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	advice_text(a, width, utf8, f);
	fclose(f);
	return text;
}

static json_t *as_json(const struct advice_report *a)
{
	char *text = NULL;
	struct error err;
	json_t *root;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(advice_json(a, f, &err), 0);
	fclose(f);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	free(text);
	return root;
}

static void test_advice_text__marks_today_and_best(void **state)
{
	struct advice_report *a = fixture_advised(0);
	char *text = as_text(a, 100, false);

	assert_non_null(strstr(text, " today\n"));
	assert_non_null(strstr(text, " best\n"));
	assert_non_null(strstr(text, "knee"));
	assert_non_null(strstr(text, "advice:    poll-max-ns 64000: "));
	assert_non_null(strstr(text,
			       "by QMP:    {\"execute\": \"qom-set\", \"arguments\": {\"path\": "
			       "\"/objects/io0\", \"property\": \"poll-max-ns\", "
			       "\"value\": 64000}}\n"));
	assert_non_null(strstr(text, "Nothing was changed"));
	free(text);
	free(a);
}

static void test_advice_text__tells_how_many_kicks_there_may_be(void **state)
{
	struct advice_report *a = fixture_advised(0);
	struct advice_point *best = &a->loop[0].point[a->loop[0].best];
	char *text;

	best->kicks = 27;
	best->kicks_most = 5000;
	text = as_text(a, 200, false);
	assert_non_null(
		strstr(text, "kicks:     27/s is the least; up to 5000/s if the VMM lets "));
	free(text);
	best->kicks_most = 27;
	text = as_text(a, 200, false);
	assert_null(strstr(text, "kicks:"));
	free(text);
	free(a);
}

/* Commands are to be copied, and so are whole. */
static void test_advice_text__fits_the_width(void **state)
{
	static const unsigned int widths[] = { 60, 80, 100, 200 };
	struct advice_report *a = fixture_advised(0);
	char *text, *line, *save;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		text = as_text(a, widths[i], false);
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			if (!strstr(line, "qom-set"))
				assert_true(strlen(line) <= widths[i] + 16);
		free(text);
	}
	free(a);
}

static void test_advice_text__without_blocks_is_ascii(void **state)
{
	struct advice_report *a = fixture_advised(0);
	char *text = as_text(a, 100, false), *c;

	for (c = text; *c; c++)
		assert_true(*c > 0);
	free(text);
	text = as_text(a, 100, true);
	assert_non_null(strstr(text, "\u2588"));
	free(text);
	free(a);
}

static void test_advice_commands__name_libvirts_iothread(void **state)
{
	struct advice_report *a = fixture_advised(0);
	char buf[400];

	assert_string_equal(advice_virsh_iothread(a, &a->loop[0], buf, sizeof(buf)), "");
	snprintf(a->domain, sizeof(a->domain), "web");
	snprintf(a->loop[0].loop, sizeof(a->loop[0].loop), "iothread3");
	assert_string_equal(advice_virsh_iothread(a, &a->loop[0], buf, sizeof(buf)),
			    "virsh iothreadset web 3 --poll-max-ns 64000 --live");
	assert_non_null(strstr(advice_virsh_monitor(a, &a->loop[0], buf, sizeof(buf)),
			       "virsh qemu-monitor-command web '{\"execute\""));
	snprintf(a->loop[0].loop, sizeof(a->loop[0].loop), "iothread3x");
	assert_string_equal(advice_virsh_iothread(a, &a->loop[0], buf, sizeof(buf)), "");
	free(a);
}

/* It is pasted into a shell, and who answered by QMP may have told any id. */
static void test_advice_commands__are_of_wellformed_ids(void **state)
{
	struct advice_report *a = fixture_advised(0);
	char *text;

	assert_true(advice_can_be_set(&a->loop[0]));
	snprintf(a->loop[0].loop, sizeof(a->loop[0].loop), "x';reboot;'");
	assert_false(advice_can_be_set(&a->loop[0]));
	text = as_text(a, 100, false);
	assert_null(strstr(text, "virsh"));
	assert_non_null(strstr(text, "no command is printed"));
	free(text);
	free(a);
}

static void test_advice_json__has_the_curve_and_the_choice(void **state)
{
	struct advice_report *a = fixture_advised(0);
	json_t *root = as_json(a), *loop, *curve;
	const char *schema, *action;
	json_int_t max_ns;

	assert_int_equal(json_unpack(root, "{s:s, s:[o]}", "schema", &schema, "loops", &loop), 0);
	assert_string_equal(schema, ADVICE_SCHEMA);
	assert_int_equal(json_unpack(loop, "{s:o, s:{s:s, s:I}}", "curve", &curve, "advice",
				     "action", &action, "max_ns", &max_ns),
			 0);
	assert_int_equal(json_array_size(curve), a->loop[0].n);
	assert_string_equal(action, "set");
	assert_int_equal(max_ns, 64000);
	assert_true(json_is_null(json_object_get(loop, "trial")));
	json_decref(root);
	free(a);
}

/* Nobody knows is null, and never 0. */
static void test_advice_json__absent_is_null(void **state)
{
	struct advice_report *a = calloc(1, sizeof(*a));
	struct report *r = fixture_report(0, 10000, 40000);
	json_t *root, *loop;

	r->loop[0].gaps_evidence = r->loop[0].settings_evidence = EVIDENCE_ABSENT;
	a->n = 1;
	fixture_advise(r, &a->loop[0]);
	root = as_json(a);
	loop = json_array_get(json_object_get(root, "loops"), 0);
	assert_true(json_is_null(json_object_get(json_object_get(loop, "gaps"), "count")));
	assert_true(json_is_null(json_object_get(json_object_get(loop, "today"), "max_ns")));
	assert_true(json_is_null(json_object_get(json_object_get(loop, "advice"), "max_ns")));
	assert_true(json_is_null(json_object_get(loop, "knee_ns")));
	assert_true(json_is_null(json_object_get(loop, "commands")));
	json_decref(root);
	report_free(r);
	free(a);
}

static void test_advice_json__keys_are_the_same_with_and_without_ground(void **state)
{
	struct advice_report *a = fixture_advised(0), *none = calloc(1, sizeof(*none));
	struct report *r = fixture_report(0, 10000, 40000);
	json_t *with, *without, *value;
	const char *key;

	none->n = 1;
	fixture_advise(r, &none->loop[0]);
	with = as_json(a);
	without = as_json(none);
	json_object_foreach(json_array_get(json_object_get(with, "loops"), 0), key, value)
		assert_non_null(
			json_object_get(json_array_get(json_object_get(without, "loops"), 0), key));
	json_decref(with);
	json_decref(without);
	report_free(r);
	free(none);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advice_text__marks_today_and_best),
		cmocka_unit_test(test_advice_text__tells_how_many_kicks_there_may_be),
		cmocka_unit_test(test_advice_text__fits_the_width),
		cmocka_unit_test(test_advice_text__without_blocks_is_ascii),
		cmocka_unit_test(test_advice_commands__name_libvirts_iothread),
		cmocka_unit_test(test_advice_commands__are_of_wellformed_ids),
		cmocka_unit_test(test_advice_json__has_the_curve_and_the_choice),
		cmocka_unit_test(test_advice_json__absent_is_null),
		cmocka_unit_test(test_advice_json__keys_are_the_same_with_and_without_ground),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
