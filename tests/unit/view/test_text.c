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
	view_row_kicks(&r->queue[0], view_columns(r), row, sizeof(row));
	assert_non_null(strstr(row, "absent"));
	report_free(r);
}

/* Each row is as wide as its header, and fits. */
static void assert_rows_fit(const struct report *r, size_t most)
{
	struct view_columns c = view_columns(r);
	char row[VIEW_ROW], header[VIEW_ROW];

	view_row_stage(&r->stage[STAGE_WAKE], STAGE_WAKE, false, row, sizeof(row));
	assert_in_range(strlen(row), 40, 80);
	view_row_queue_header(c, header, sizeof(header));
	view_row_queue(&r->queue[0], c, row, sizeof(row));
	assert_int_equal(strlen(row), strlen(header));
	assert_in_range(strlen(row), 40, most);
	view_row_kicks_header(c, header, sizeof(header));
	view_row_kicks(&r->queue[0], c, row, sizeof(row));
	assert_int_equal(strlen(row), strlen(header));
	assert_in_range(strlen(row), 40, most);
	view_row_loop_header(c, header, sizeof(header));
	view_row_loop(&r->loop[0], c, row, sizeof(row));
	assert_int_equal(strlen(row), strlen(header));
	assert_in_range(strlen(row), 40, 100);
}

/* Tables of queues fit a terminal of 80 columns with short names, all of them 100 with any. */
static void test_text__rows_fit_the_terminal(void **state)
{
	struct report *r = sample_report();

	assert_rows_fit(r, 80);
	memset(r->queue[0].device, 'd', sizeof(r->queue[0].device) - 1);
	memset(r->queue[0].loop, 'l', sizeof(r->queue[0].loop) - 1);
	memset(r->loop[0].id, 'l', sizeof(r->loop[0].id) - 1);
	r->queue[0].queue = 1234567;
	r->loop[0].tid = 4194304;
	sample_make_foreign(r);
	memset(r->queue[0].device, 'd', sizeof(r->queue[0].device) - 1);
	assert_rows_fit(r, 100);
	report_free(r);
}

/* A name that is cut keeps the queue's number. */
static void test_text__cut_name_keeps_its_number(void **state)
{
	struct report *r = sample_report();
	char row[VIEW_ROW];

	snprintf(r->queue[0].device, sizeof(r->queue[0].device), "a-disk-with-quite-a-name");
	r->queue[0].queue = 17;
	view_row_queue(&r->queue[0], view_columns(r), row, sizeof(row));
	assert_ptr_equal(strstr(row, "a-disk-with-quite.17 io0 "), row);
	report_free(r);
}

/* What a VMM that is not ours does not tell is no 0: inferred figures and guessed names are marked,
 * unknown ones are "?". */
static void test_text__foreign_rows_are_marked(void **state)
{
	struct report *r = sample_report();
	struct view_columns c;
	char row[VIEW_ROW];

	sample_make_foreign(r);
	c = view_columns(r);
	view_row_queue(&r->queue[0], c, row, sizeof(row));
	assert_string_equal(row, "~0xfe003000.0 io0      ~1000    ~900       80    20         0    "
				 "0        ?      ?");
	view_row_kicks(&r->queue[0], c, row, sizeof(row));
	assert_string_equal(row, "~0xfe003000.0      100   60.0%   30.0%      8.0%      1.0%      "
				 "20      ?");
	view_row_loop(&r->loop[1], c, row, sizeof(row));
	assert_string_equal(row,
			    "io0       102 io_uring    ~50    ~40       ?   ~40.0%   ~30.0%     "
			    "~10.0%  ~15.0%   5.0%");
	r->loop[1].settings_evidence = EVIDENCE_EXACT;
	r->loop[1].poll_max_ns = 32768;
	view_row_loop(&r->loop[1], c, row, sizeof(row));
	assert_non_null(strstr(row, "    ~40 <=32768   ~40.0%"));
	r->queue[0].name_evidence = r->queue[0].arrivals_evidence = EVIDENCE_ABSENT;
	r->queue[0].met_evidence = EVIDENCE_ABSENT;
	view_row_queue(&r->queue[0], c, row, sizeof(row));
	assert_string_equal(row, "?0xfe003000.0 io0          ?       ?       80    20         0    "
				 "0        ?      ?");
	view_row_kicks(&r->queue[0], c, row, sizeof(row));
	assert_string_equal(row, "?0xfe003000.0      100       ?       ?         ?      1.0%      "
				 "20      ?");
	report_free(r);
}

/* The closing sentences say nothing of requests where nobody told them, and mark what is inferred.
 */
static void test_text__verdict_says_what_is_known(void **state)
{
	struct report *r = sample_report();
	char *text = summary(r, 200);

	assert_non_null(strstr(text,
			       "Polling caught 90.0% of 1000 arrivals; the guest sent 100 "
			       "kicks for 1000 requests, 20.0% of them for nothing.\n"
			       "Of the kicks 60.0% woke a sleeping loop, 30.0% met one awake, "
			       "8.0% were coalesced, 1.0% left to user space.\n"));
	free(text);
	sample_make_foreign(r);
	text = summary(r, 200);
	assert_non_null(strstr(text, "Polling caught ~90.0% of ~1000 arrivals; the guest sent 100 "
				     "kicks, 20.0% of them for nothing.\n"));
	assert_null(strstr(text, "request"));
	free(text);
	r->queue[0].arrivals_evidence = EVIDENCE_ABSENT;
	text = summary(r, 200);
	assert_null(strstr(text, "Polling caught"));
	assert_non_null(strstr(text, "\nThe guest sent 100 kicks, 20.0%"));
	free(text);
	r->queue[0].met_evidence = EVIDENCE_ABSENT;
	text = summary(r, 200);
	assert_null(strstr(text, "Of the kicks"));
	free(text);
	report_free(r);
}

/* Alarms name thread, eventfd, queue, age and count, with the stacks below them. */
static void test_text__alarms_have_their_stacks(void **state)
{
	struct report *r = sample_report();
	char *text;

	sample_add_alarms(r);
	text = summary(r, 200);
	assert_non_null(strstr(text, "ALARM  a kick is stuck for 1.23s: disk0.1, fd 12, eventfd 7, "
				     "count 3; io0 77 should take it and is stopped\n"
				     "         kernel do_signal_stop\n"
				     "                ppoll\n"
				     "         user stack absent: its stack cannot be read\n"));
	assert_non_null(strstr(text,
			       "ALARM  io1 78 spins without progress, over: it did for 3.00s: "
			       "98% of a CPU; eventfd 8, count 1\n"));
	assert_non_null(strstr(text, "and 1 alarms more"));
	free(text);
	report_free(r);
}

/* What the tracing costs is said, where it was measured. */
static void test_text__tracer_cost_is_said(void **state)
{
	struct report *r = sample_report();
	char *text = summary(r, 200);

	assert_non_null(strstr(text, "\ntracer: 0.41us a kick, 1.2% of a CPU\n"));
	free(text);
	r->tracer_kick_ns = -1;
	text = summary(r, 200);
	assert_non_null(strstr(text, "\ntracer: 1.2% of a CPU\n"));
	free(text);
	r->tracer_cpu = -1;
	text = summary(r, 200);
	assert_null(strstr(text, "tracer:"));
	free(text);
	report_free(r);
}

/* The caller frees. */
static char *interval_lines(const struct report *r, bool by_pid)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	view_interval_line(r, r, by_pid, f);
	fclose(f);
	return text;
}

/* Of several VMs each line says whose it is; what nobody tells is no 0 there either; an alarm shows
 * while it lasts. */
static void test_text__interval_lines(void **state)
{
	struct report *r = sample_report();
	char *text = interval_lines(r, false);

	assert_ptr_equal(strstr(text, "   2.0s  disk0.0 > io0  500 req/s  polled 90.0%  "
				      "notified 8.0%  busy 2.0%  kicks 100  woke 60.0%\n"),
			 text);
	free(text);
	sample_make_foreign(r);
	sample_add_alarms(r);
	text = interval_lines(r, true);
	assert_ptr_equal(strstr(text, "42    2.0s  ~0xfe003000.0 > io0  50 kicks/s  "
				      "polled ~90.0%  notified ~8.0%"),
			 text);
	assert_non_null(strstr(text, "\n42          ALARM  a kick is stuck"));
	assert_null(strstr(text, "spins"));
	assert_non_null(strstr(text, "\n42          p50/p99:"));
	free(text);
	r->queue[0].arrivals_evidence = EVIDENCE_ABSENT;
	text = interval_lines(r, false);
	assert_non_null(strstr(text, "> io0  50 kicks/s  kicks 100  woke 60.0%  awake 30.0%  "
				     "coalesced 8.0%  userspace 1.0%\n"));
	free(text);
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

/* The settings of a loop: all that is known, and no policy that nobody told. */
static void test_text__settings_of_a_loop(void **state)
{
	struct report_loop l = { .id = "io0", .poll_max_ns = 32768 };
	char row[VIEW_ROW];

	view_row_settings(&l, row, sizeof(row));
	assert_string_equal(row, "io0  poll-max-ns ?");
	l.settings_evidence = EVIDENCE_EXACT;
	view_row_settings(&l, row, sizeof(row));
	assert_string_equal(row, "io0  poll-max-ns 32768");
	snprintf(l.poll_policy, sizeof(l.poll_policy), "qemu");
	view_row_settings(&l, row, sizeof(row));
	assert_string_equal(row, "io0  poll-max-ns 32768  qemu");
}

/* The loop that was picked, else the first iothread, else what there is. */
static void test_text__loop_that_is_picked(void **state)
{
	struct report *r = sample_report();

	assert_int_equal(view_loop_at(r, r->loop[0].tid), 0);
	assert_int_equal(view_loop_at(r, r->loop[1].tid), 1);
	assert_int_equal(view_loop_at(r, 1), 1);
	r->n_loops = 1;
	assert_int_equal(view_loop_at(r, 1), 0);
	r->n_loops = 0;
	assert_int_equal(view_loop_at(r, 1), -1);
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text__summary_has_every_row),
		cmocka_unit_test(test_text__absent_stage_shows_reason),
		cmocka_unit_test(test_text__absent_kicks_are_not_zero),
		cmocka_unit_test(test_text__rows_fit_the_terminal),
		cmocka_unit_test(test_text__cut_name_keeps_its_number),
		cmocka_unit_test(test_text__foreign_rows_are_marked),
		cmocka_unit_test(test_text__verdict_says_what_is_known),
		cmocka_unit_test(test_text__alarms_have_their_stacks),
		cmocka_unit_test(test_text__tracer_cost_is_said),
		cmocka_unit_test(test_text__interval_lines),
		cmocka_unit_test(test_text__cut_counts_characters),
		cmocka_unit_test(test_text__spark_shows_single_samples),
		cmocka_unit_test(test_text__counts_are_short),
		cmocka_unit_test(test_text__losses_are_shown),
		cmocka_unit_test(test_text__untraced_is_said_once),
		cmocka_unit_test(test_text__vcpus_have_their_exits),
		cmocka_unit_test(test_text__settings_of_a_loop),
		cmocka_unit_test(test_text__loop_that_is_picked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
