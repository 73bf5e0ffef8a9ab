// SPDX-License-Identifier: BSD-2-Clause
/* Advice as a picture: XML that a reader takes, and marks where the data says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fixture.h"
#include "svg.h"

/* After compiler.h, whose MIN and MAX it replaces by its own. */
#include <glib.h>

#define MOST 2000

/* What a reader finds in it. */
struct seen {
	unsigned int n_circles, n_marks, n_curves;
	double cx[MOST], cy[MOST];
	struct {
		char class[16];
		double x;
	} mark[64];
	GString *text; /* all of it, a line each */
};

static const char *value_of(const char *name, const char **names, const char **values)
{
	for (; *names; names++, values++)
		if (!strcmp(*names, name))
			return *values;
	return "";
}

static void start(GMarkupParseContext *context, const char *element, const char **names,
		  const char **values, void *opaque, GError **error)
{
	const char *class = value_of("class", names, values), *d = value_of("d", names, values);
	struct seen *s = opaque;
	double x, y, to;

	if (!strcmp(element, "circle") && s->n_circles < MOST) {
		s->cx[s->n_circles] = strtod(value_of("cx", names, values), NULL);
		s->cy[s->n_circles++] = strtod(value_of("cy", names, values), NULL);
	}
	s->n_curves += !strcmp(element, "polyline");
	/* A mark stands upright; the legend's lie. */
	if (!strcmp(element, "path") && strcmp(class, "grid") != 0 && s->n_marks < 64 &&
	    sscanf(d, "M%lf %lfV%lf", &x, &y, &to) == 3) {
		snprintf(s->mark[s->n_marks].class, 16, "%s", class);
		s->mark[s->n_marks++].x = x;
	}
}

static void text(GMarkupParseContext *context, const char *text, size_t len, void *opaque,
		 GError **error)
{
	struct seen *s = opaque;

	g_string_append_len(s->text, text, (gssize)len);
	g_string_append_c(s->text, '\n');
}

/* Fails where it is no XML. To be released. */
static struct seen *read_svg(const struct advice_report *a)
{
	const GMarkupParser parser = { .start_element = start, .text = text };
	struct seen *s = calloc(1, sizeof(*s));
	GMarkupParseContext *context;
	char *svg = NULL;
	struct error err;
	size_t size;
	FILE *f = open_memstream(&svg, &size);

	assert_int_equal(advice_svg(a, f, &err), 0);
	fclose(f);
	s->text = g_string_new("");
	context = g_markup_parse_context_new(&parser, 0, s, NULL);
	assert_true(g_markup_parse_context_parse(context, svg, (gssize)size, NULL));
	assert_true(g_markup_parse_context_end_parse(context, NULL));
	g_markup_parse_context_free(context);
	free(svg);
	return s;
}

static void release(struct seen *s)
{
	g_string_free(s->text, TRUE);
	free(s);
}

/* Of the chart's points, whose circles come in the curve's order. */
static double x_of_point(const struct seen *s, const struct advice *a, unsigned int chart,
			 uint32_t i)
{
	return s->cx[chart * a->n + i];
}

static void test_svg__draws_each_point_of_four_charts(void **state)
{
	struct advice_report *r = fixture_advised(0);
	struct seen *s = read_svg(r);
	const struct advice *a = &r->loop[0];
	double top, bottom;
	uint32_t i;

	assert_int_equal(s->n_curves, CHARTS);
	assert_int_equal(s->n_circles, CHARTS * a->n);
	for (i = 1; i < a->n; i++)
		assert_true(s->cx[i] > s->cx[i - 1]);
	/* Hits go from none, at the first point, to all, at the last: in between in proportion. */
	assert_true(a->point[0].hit_share == 0 && a->point[a->n - 1].hit_share > 0.99);
	bottom = s->cy[0];
	top = bottom + (s->cy[a->n - 1] - bottom) / a->point[a->n - 1].hit_share;
	for (i = 0; i < a->n; i++)
		assert_true(fabs(s->cy[i] - (bottom + (top - bottom) * a->point[i].hit_share)) <
			    0.11);
	release(s);
	free(r);
}

/* Ten times as much is as far anywhere; 0 stands apart. */
static void test_svg__has_a_log_axis(void **state)
{
	struct advice_report *r = fixture_advised(0);
	struct seen *s = read_svg(r);
	const struct advice *a = &r->loop[0];
	double per_decade = 0;
	uint32_t i;

	per_decade = (s->cx[a->n - 1] - s->cx[1]) /
		     log10((double)a->point[a->n - 1].max_ns / (double)a->point[1].max_ns);
	for (i = 2; i < a->n; i++)
		assert_true(fabs(s->cx[i] - s->cx[1] -
				 per_decade * log10((double)a->point[i].max_ns /
						    (double)a->point[1].max_ns)) < 0.2);
	assert_true(s->cx[0] < s->cx[1] - 10);
	release(s);
	free(r);
}

static void assert_marked(const struct seen *s, const struct advice *a, const char *class,
			  uint32_t point)
{
	unsigned int i, found = 0;

	for (i = 0; i < s->n_marks; i++)
		if (!strcmp(s->mark[i].class, class))
			assert_true(s->mark[i].x == x_of_point(s, a, found++, point));
	assert_int_equal(found, CHARTS);
}

static void test_svg__marks_stand_where_the_data_says(void **state)
{
	static const uint64_t today[] = { 0, 1, 33000, 1000000, 3000000000 };
	char label[64];
	uint32_t i;

	for (i = 0; i < sizeof(today) / sizeof(*today); i++) {
		struct advice_report *r = fixture_advised(today[i]);
		const struct advice *a = &r->loop[0];
		struct seen *s = read_svg(r);

		assert_marked(s, a, "today", a->today);
		assert_marked(s, a, "knee", a->knee);
		assert_marked(s, a, "best", a->best);
		snprintf(label, sizeof(label), "today %llu\n", (unsigned long long)today[i]);
		assert_non_null(strstr(s->text->str, label));
		snprintf(label, sizeof(label), "knee %lld\n", (long long)a->point[a->knee].max_ns);
		assert_non_null(strstr(s->text->str, label));
		release(s);
		free(r);
	}
}

static void test_svg__does_not_mark_what_nobody_told(void **state)
{
	struct advice_report *a = fixture_advised(0);
	struct report *r = fixture_report(10000, 10000, 40000);
	struct seen *s;

	r->loop[0].settings_evidence = EVIDENCE_ABSENT;
	fixture_advise(r, &a->loop[0]);
	s = read_svg(a);
	assert_int_equal(s->n_marks, 2 * CHARTS);
	assert_null(strstr(s->text->str, "today 0"));
	assert_non_null(strstr(s->text->str, "today's poll-max-ns not known"));
	release(s);
	report_free(r);
	free(a);
}

/* A spin that would find nothing has no knee. */
static void test_svg__has_no_knee_without_hits(void **state)
{
	struct advice_report *a = fixture_advised(0);
	struct report *r = fixture_report(1000, 900000000, 40000);
	struct seen *s;

	fixture_advise(r, &a->loop[0]);
	s = read_svg(a);
	assert_int_equal(s->n_circles, CHARTS * a->loop[0].n);
	assert_int_equal(s->n_marks, 2 * CHARTS);
	assert_null(strstr(s->text->str, "knee 0"));
	release(s);
	report_free(r);
	free(a);
}

/* They are another VM's, and may be anything. */
static void test_svg__escapes_names(void **state)
{
	static const char hostile[] = "</text><&\"'\xff\x01";
	struct advice_report *a = fixture_advised(0);
	struct seen *s;

	snprintf(a->comm, sizeof(a->comm), "%s", hostile);
	snprintf(a->loop[0].loop, sizeof(a->loop[0].loop), "%s", hostile);
	snprintf(a->qmp_reason, sizeof(a->qmp_reason), "]]> %s", hostile);
	s = read_svg(a);
	assert_non_null(strstr(s->text->str, "tune </text><&\"'?? 4711"));
	assert_non_null(strstr(s->text->str, "</text><&\"'??, thread 7"));
	assert_non_null(strstr(s->text->str, "]]> </text>"));
	release(s);
	free(a);
}

static void test_svg__says_why_there_is_no_curve(void **state)
{
	struct advice_report *a = fixture_advised(0);
	struct report *r = fixture_report(ADVICE_MIN_GAPS - 1, 10000, 40000);
	struct seen *s;

	fixture_advise(r, &a->loop[0]);
	s = read_svg(a);
	assert_int_equal(s->n_circles, 0);
	assert_non_null(strstr(s->text->str, "no advice: 199 waits ended by work are too few"));
	release(s);
	a->n = 0;
	s = read_svg(a);
	assert_non_null(strstr(s->text->str, "No loop was seen"));
	release(s);
	report_free(r);
	free(a);
}

static void remove_blanks(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != ' ' && *text != '\n')
			*to++ = *text;
	*to = '\0';
}

/* No word is lost, not even one that is longer than a line. */
static void test_svg__breaks_long_lines(void **state)
{
	struct advice_report *a = fixture_advised(0);
	char *why = a->loop[0].why;
	struct seen *s;
	size_t i;

	a->loop[0].action = ADVICE_NONE;
	for (i = 0; i < sizeof(a->loop[0].why) - 1; i++)
		why[i] = i == 30 || i == 200 ? ' ' : (char)('a' + i % 26);
	s = read_svg(a);
	assert_null(strstr(s->text->str, why));
	remove_blanks(s->text->str);
	remove_blanks(why);
	assert_non_null(strstr(s->text->str, why));
	release(s);
	free(a);
}

static void test_svg__a_file_that_is_full_is_an_error(void **state)
{
	struct advice_report *a = fixture_advised(0);
	FILE *full = fopen("/dev/full", "w");
	struct error err;

	assert_true(advice_svg(a, full, &err) < 0);
	assert_non_null(strstr(err.msg, "No space left"));
	fclose(full);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svg__draws_each_point_of_four_charts),
		cmocka_unit_test(test_svg__has_a_log_axis),
		cmocka_unit_test(test_svg__marks_stand_where_the_data_says),
		cmocka_unit_test(test_svg__does_not_mark_what_nobody_told),
		cmocka_unit_test(test_svg__has_no_knee_without_hits),
		cmocka_unit_test(test_svg__escapes_names),
		cmocka_unit_test(test_svg__says_why_there_is_no_curve),
		cmocka_unit_test(test_svg__breaks_long_lines),
		cmocka_unit_test(test_svg__a_file_that_is_full_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
