// SPDX-License-Identifier: BSD-2-Clause
/* The report as text: every row, in any width, in any locale. */
#include <lib/tap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/report.h>
#include <handoff/view.h>

#include "rows.h"
#include "sample.h"

/* The caller frees. */
static char *summary(const struct report *r, unsigned int width)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	view_summary(r, width, f);
	fclose(f);
	return text;
}

/* Ten stage rows by name, the queue, both loops, and that nothing was lost. */
static void test_text__summary_has_every_row(void **state)
{
	struct report *r = sample_report();
	char *text = summary(r, 200), line[32];

	for (enum stage s = 0; s < STAGES; s++) {
		snprintf(line, sizeof(line), "\n%s ", stage_name(s));
		assert_non_null(strstr(text, line));
	}
	assert_non_null(strstr(text, "disk0.0"));
	assert_non_null(strstr(text, "\nmain "));
	assert_non_null(strstr(text, "\nio0 "));
	assert_non_null(strstr(text, "losses: none"));
	assert_non_null(strstr(text, "Polling caught 90.0% of 1000 arrivals"));
	free(text);
	report_free(r);
}

/* An absent stage shows why, and no zero. */
static void test_text__absent_stage_shows_reason(void **state)
{
	struct report *r = sample_report();
	char row[VIEW_ROW];

	view_row_stage(&r->stage[STAGE_EXIT], STAGE_EXIT, false, row, sizeof(row));
	assert_non_null(strstr(row, "never fired here"));
	assert_null(strchr(row, '0'));
	report_free(r);
}

/* Kicks that nobody counted are absent, not 0. */
static void test_text__absent_kicks_are_not_zero(void **state)
{
	struct report *r = sample_report();
	char row[VIEW_ROW];

	r->queue[0].kicks_evidence = EVIDENCE_ABSENT;
	view_row_queue(&r->queue[0], row, sizeof(row));
	assert_non_null(strstr(row, "absent"));
	report_free(r);
}

/* Table rows fit a terminal of 80 columns when figures have their usual size. */
static void test_text__rows_fit_80_columns(void **state)
{
	struct report *r = sample_report();
	char row[VIEW_ROW];

	view_row_stage(&r->stage[STAGE_WAKE], STAGE_WAKE, false, row, sizeof(row));
	assert_in_range(strlen(row), 40, 80);
	view_row_queue(&r->queue[0], row, sizeof(row));
	assert_in_range(strlen(row), 40, 80);
	view_row_loop(&r->loop[0], row, sizeof(row));
	assert_in_range(strlen(row), 40, 80);
	report_free(r);
}

/* Rows are cut by columns, not by bytes, and never inside a character. */
static void test_text__cut_counts_characters(void **state)
{
	assert_int_equal(view_cut("▁▂▃", 2), 6);
	assert_int_equal(view_cut("abc", 10), 3);
	assert_int_equal(view_cut("abc", 2), 2);
	assert_int_equal(view_cut("a   ", 10), 1);
}

/* A single sample shows in the spark, and a spark has one column per power of two. */
static void test_text__spark_shows_single_samples(void **state)
{
	struct hist h = { 0 };
	char spark[VIEW_SPARK_COLUMNS * 3 + 4];

	hist_add(&h, 1000000);
	for (int i = 0; i < 1000; i++)
		hist_add(&h, 1000);
	view_spark(&h, false, spark, sizeof(spark));
	assert_int_equal(strlen(spark), VIEW_SPARK_COLUMNS);
	assert_int_equal(spark[9 - VIEW_SPARK_FIRST_LOG2], '@');
	assert_int_equal(spark[19 - VIEW_SPARK_FIRST_LOG2], '.');
}

/* Counts keep three digits and fit six characters. */
static void test_text__counts_are_short(void **state)
{
	char buf[16];

	assert_string_equal(view_count(buf, 99999), "99999");
	assert_string_equal(view_count(buf, 1234567), "1.23M");
	assert_string_equal(view_count(buf, 999999), "1.00M");
	assert_in_range(strlen(view_count(buf, UINT64_MAX)), 1, 6);
}

/* Losses are named when there are any. */
static void test_text__losses_are_shown(void **state)
{
	struct report *r = sample_report();
	char *text;

	r->loss[LOSS_MAPS] = 7;
	text = summary(r, 200);
	assert_non_null(strstr(text, "maps 7"));
	assert_null(strstr(text, "losses: none"));
	free(text);
	report_free(r);
}

/* Where nothing was watched the table of absent stages is one sentence, and nothing was lost of
 * what nobody looked for. */
static void test_text__untraced_is_said_once(void **state)
{
	struct report *r = sample_report();
	char *text;

	sample_set_evidence(r, EVIDENCE_ABSENT);
	text = summary(r, 200);
	assert_non_null(strstr(text, "stages are absent: nobody saw it"));
	assert_null(strstr(text, "STAGE"));
	assert_null(strstr(text, "losses: none"));
	free(text);
	report_free(r);
}

/* A vCPU's exits by reason, the most frequent first, where they can be seen; what cannot is absent,
 * not 0. */
static void test_text__vcpus_have_their_exits(void **state)
{
	struct report *r = sample_report();
	char row[VIEW_ROW], *text;

	view_row_vcpu(&r->vcpu[0], row, sizeof(row));
	assert_string_equal(row, "0        absent    100      0 absent absent  ");
	view_row_writes(&r->io, row, sizeof(row));
	assert_string_equal(row, "Of 130 writes to device memory 100 were kicks, 30 others: "
				 "0xfee000b0 30");
	sample_set_evidence(r, EVIDENCE_EXACT);
	r->vcpu[0].exits = 400;
	r->vcpu[0].n_reasons = 2;
	snprintf(r->vcpu[0].reason[1].name, sizeof(r->vcpu[0].reason[1].name), "hlt");
	r->vcpu[0].reason[1].count = 100;
	view_row_vcpu(&r->vcpu[0], row, sizeof(row));
	assert_string_equal(row,
			    "0           400    100      0      0      0  npf 75.0%  hlt 25.0%");
	text = summary(r, 200);
	assert_non_null(strstr(text, "VCPU"));
	free(text);
	sample_set_evidence(r, EVIDENCE_ABSENT);
	text = summary(r, 200);
	assert_null(strstr(text, "VCPU"));
	free(text);
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__summary_has_every_row),
		cmocka_unit_test(test_text__absent_stage_shows_reason),
		cmocka_unit_test(test_text__absent_kicks_are_not_zero),
		cmocka_unit_test(test_text__rows_fit_80_columns),
		cmocka_unit_test(test_text__cut_counts_characters),
		cmocka_unit_test(test_text__spark_shows_single_samples),
		cmocka_unit_test(test_text__counts_are_short),
		cmocka_unit_test(test_text__losses_are_shown),
		cmocka_unit_test(test_text__untraced_is_said_once),
		cmocka_unit_test(test_text__vcpus_have_their_exits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
