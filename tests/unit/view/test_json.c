// SPDX-License-Identifier: BSD-2-Clause
/* The report as JSON: design.md's keys, the same ones always, and nothing absent printed as 0. */
#include <lib/tap.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <handoff/compiler.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "json.h"
#include "sample.h"

static json_t *sample_document(void)
{
	struct report *r = sample_report();
	json_t *root = view_json_document(r);

	report_free(r);
	assert_non_null(root);
	return root;
}

/* Every top-level key of the schema is there. */
static void test_json__has_all_keys(void **state)
{
	static const char *const keys[] = { "schema",	 "handoff", "host",  "vmm",    "interval",
					    "stages",	 "queues",  "loops", "vcpus",  "io",
					    "handovers", "losses",  "guest", "alarms", "tracer" };
	json_t *root = sample_document();

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		assert_non_null(json_object_get(root, keys[i]));
	assert_string_equal(json_string_value(json_object_get(root, "schema")), "handoff.report/1");
	json_decref(root);
}

/* Ten stage rows, always, in design.md's order. */
static void test_json__has_ten_stages_in_order(void **state)
{
	json_t *root = sample_document(), *stages = json_object_get(root, "stages");

	assert_int_equal(json_array_size(stages), 10);
	assert_string_equal(json_string_value(json_object_get(json_array_get(stages, 0), "name")),
			    "exit");
	assert_string_equal(json_string_value(json_object_get(json_array_get(stages, 9), "name")),
			    "enter");
	json_decref(root);
}

/* A stage without evidence has a reason, and null for a figure. */
static void test_json__absent_stage_has_reason_and_no_figures(void **state)
{
	json_t *root = sample_document(),
	       *exit_stage = json_array_get(json_object_get(root, "stages"), 0);

	assert_string_equal(json_string_value(json_object_get(exit_stage, "evidence")), "absent");
	assert_string_equal(json_string_value(json_object_get(exit_stage, "reason")),
			    "never fired here");
	assert_true(json_is_null(json_object_get(exit_stage, "count")));
	assert_true(json_is_null(json_object_get(exit_stage, "p50_ns")));
	assert_true(json_is_null(json_object_get(exit_stage, "hist")));
	json_decref(root);
}

/* The histogram's counts add up to the stage's count. */
static void test_json__histogram_adds_up(void **state)
{
	json_t *root = sample_document(),
	       *wake = json_array_get(json_object_get(root, "stages"), STAGE_WAKE);
	json_t *hist = json_object_get(wake, "hist"), *row;
	json_int_t sum = 0;
	size_t i;

	json_array_foreach(hist, i, row) sum += json_integer_value(json_array_get(row, 1));
	assert_int_equal(sum, 100);
	assert_int_equal(json_integer_value(json_object_get(wake, "count")), 100);
	json_decref(root);
}

/* A loop's account is shares that add up to 1. */
static void test_json__account_adds_up_to_one(void **state)
{
	static const char *const keys[] = { "handling", "polling_hit", "polling_waste", "blocked",
					    "runq" };
	json_t *root = sample_document();
	json_t *account =
		json_object_get(json_array_get(json_object_get(root, "loops"), 0), "account");
	double sum = 0;

	for (size_t i = 0; i < 5; i++)
		sum += json_real_value(json_object_get(account, keys[i]));
	assert_true(sum > 0.999999 && sum < 1.000001);
	json_decref(root);
}

/* A vCPU whose exits cannot be seen has no exit count, but a reason. */
static void test_json__absent_exits_are_null(void **state)
{
	json_t *root = sample_document(), *vcpu = json_array_get(json_object_get(root, "vcpus"), 0);

	assert_true(json_is_null(json_object_get(vcpu, "exits")));
	assert_true(json_is_null(json_object_get(vcpu, "exits_by_reason")));
	assert_true(json_is_string(json_object_get(vcpu, "exits_reason")));
	json_decref(root);
}

/* Guest values that are whole numbers become numbers, others text; without a report the reason is
 * said. */
static void test_json__guest_values_have_types(void **state)
{
	struct report *r = sample_report();
	json_t *root, *guest;

	assert_true(report_set_guest(r, "handoff-guest: result rw=randread requests=12"));
	root = view_json_document(r);
	guest = json_object_get(root, "guest");
	assert_string_equal(json_string_value(json_object_get(guest, "rw")), "randread");
	assert_int_equal(json_integer_value(json_object_get(guest, "requests")), 12);
	json_decref(root);
	report_free(r);
}

/* Without the kernel's evidence nobody counted busy and lost arrivals, wasted kicks or exits. */
static void test_json__untraced_figures_are_null(void **state)
{
	static const char *const of_queue[] = { "wasted_kicks" };
	static const char *const of_outcomes[] = { "busy", "lost" };
	static const char *const of_vcpu[] = { "mmio_writes", "pio", "user_exits" };
	struct report *r = sample_report();
	json_t *root, *queue, *outcomes, *vcpu;

	r->queue[0].outcome_evidence = EVIDENCE_ABSENT;
	r->vcpu[0].mmio_evidence = EVIDENCE_ABSENT;
	r->hooks[0] = '\0';
	root = view_json_document(r);
	queue = json_array_get(json_object_get(root, "queues"), 0);
	outcomes = json_object_get(queue, "outcomes");
	vcpu = json_array_get(json_object_get(root, "vcpus"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(of_queue); i++)
		assert_true(json_is_null(json_object_get(queue, of_queue[i])));
	for (size_t i = 0; i < ARRAY_SIZE(of_outcomes); i++)
		assert_true(json_is_null(json_object_get(outcomes, of_outcomes[i])));
	for (size_t i = 0; i < ARRAY_SIZE(of_vcpu); i++)
		assert_true(json_is_null(json_object_get(vcpu, of_vcpu[i])));
	assert_true(json_is_null(json_object_get(json_object_get(root, "losses"), "records")));
	assert_true(json_is_integer(json_object_get(queue, "kicks")));
	assert_true(json_is_integer(json_object_get(outcomes, "notified")));
	json_decref(root);
	report_free(r);
}

/* Whether writes left to user space is not known where nobody saw them leave. */
static void test_json__left_is_null_without_evidence(void **state)
{
	struct report *r = sample_report();
	json_t *root, *row;

	r->io.left_evidence = EVIDENCE_ABSENT;
	root = view_json_document(r);
	row = json_array_get(json_object_get(json_object_get(root, "io"), "by_address"), 0);
	assert_true(json_is_integer(json_object_get(row, "count")));
	assert_true(json_is_null(json_object_get(row, "left")));
	json_decref(root);
	r->io.left_evidence = EVIDENCE_EXACT;
	root = view_json_document(r);
	row = json_array_get(json_object_get(json_object_get(root, "io"), "by_address"), 0);
	assert_true(json_is_integer(json_object_get(row, "left")));
	json_decref(root);
	report_free(r);
}

/* Below these is data, not shape: exit reasons by name, the guest's own words, buckets,
 * addresses. */
static bool is_open(const char *path)
{
	return !strcmp(path, ".vcpus[].exits_by_reason") || !strcmp(path, ".guest") ||
	       !strcmp(path, ".stages[].hist") || !strcmp(path, ".io.by_address");
}

/* Every key with its way to it, sorted: the shape of a document. Rows of a table count once. */
static void collect(const json_t *value, const char *path, json_t *paths)
{
	char below[256];
	const char *key;
	json_t *member;
	size_t i;

	json_object_set_new(paths, path, json_true());
	if (is_open(path))
		return;
	json_object_foreach((json_t *)value, key, member)
	{
		snprintf(below, sizeof(below), "%s.%s", path, key);
		collect(member, below, paths);
	}
	snprintf(below, sizeof(below), "%s[]", path);
	for (i = 0; i < json_array_size(value); i++)
		collect(json_array_get(value, i), below, paths);
}

static char *shape(const struct report *r)
{
	json_t *root = view_json_document(r), *paths = json_object();
	char *text;

	assert_non_null(root);
	collect(root, "", paths);
	text = json_dumps(paths, JSON_SORT_KEYS | JSON_INDENT(1));
	assert_non_null(text);
	json_decref(paths);
	json_decref(root);
	return text;
}

/* What a host can show changes what the evidence says, never the keys: a report where everything
 * was seen and one where nothing was have the same shape. */
static void test_json__shape_does_not_depend_on_evidence(void **state)
{
	struct report *r = sample_report();
	char *all, *none;

	sample_set_evidence(r, EVIDENCE_EXACT);
	sample_add_alarms(r);
	report_set_guest(r, "handoff-guest: result rw=randread");
	all = shape(r);
	sample_set_evidence(r, EVIDENCE_ABSENT);
	r->n_guest = 0;
	none = shape(r);
	assert_string_equal(all, none);
	assert_non_null(strstr(all, ".stages[].p99_ns"));
	assert_non_null(strstr(all, ".alarms[].kernel_stack"));
	assert_non_null(strstr(all, ".vcpus[].exits_by_reason"));
	free(all);
	free(none);
	report_free(r);
}

static json_t *first_row(json_t *root, const char *table)
{
	return json_array_get(json_object_get(root, table), 0);
}

static void assert_null_keys(json_t *row, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_non_null(json_object_get(row, keys[i]));
		assert_true(json_is_null(json_object_get(row, keys[i])));
	}
}

/* What a VMM that is not ours does not tell is null; what was inferred says by which rule. */
static void test_json__foreign_figures(void **state)
{
	static const char *const of_queue[] = { "requests",  "completions",
						"kicks_vmm", "kicks_left_vmm",
						"errors",    "interrupts_suppressed",
						"spurious",  "kicks_per_request" };
	static const char *const of_loop[] = { "iterations", "kicks_suppressed", "spurious_wakes" };
	static const char *const of_poll[] = {
		"max_ns", "ns", "grow", "shrink", "weight", "policy"
	};
	struct report *r = sample_report();
	json_t *root, *queue, *loop;

	sample_make_foreign(r);
	root = view_json_document(r);
	queue = first_row(root, "queues");
	loop = first_row(root, "loops");
	assert_null_keys(queue, of_queue, ARRAY_SIZE(of_queue));
	assert_null_keys(loop, of_loop, ARRAY_SIZE(of_loop));
	assert_null_keys(json_object_get(loop, "poll"), of_poll, ARRAY_SIZE(of_poll));
	assert_string_equal(json_string_value(json_object_get(queue, "name_evidence")), "inferred");
	assert_string_equal(json_string_value(json_object_get(queue, "name_reason")),
			    "its notify page");
	assert_string_equal(json_string_value(json_object_get(queue, "arrivals_reason")),
			    "interrupts without kicks");
	assert_int_equal(json_integer_value(json_object_get(queue, "arrivals")), 1000);
	assert_string_equal(json_string_value(json_object_get(loop, "polls_reason")),
			    "spins that sent interrupts");
	assert_string_equal(json_string_value(json_object_get(loop, "how")), "io_uring");
	json_decref(root);
	report_free(r);
}

/* What the kicks met adds up to them; without evidence each class is null. */
static void test_json__kick_classes_add_up(void **state)
{
	static const char *const keys[] = { "asleep", "awake", "coalesced", "left", "open" };
	struct report *r = sample_report();
	json_t *root = view_json_document(r), *queue = first_row(root, "queues");
	json_t *met = json_object_get(queue, "kick_classes");
	json_int_t sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		sum += json_integer_value(json_object_get(met, keys[i]));
	assert_int_equal(sum, json_integer_value(json_object_get(queue, "kicks")));
	json_decref(root);
	r->queue[0].met_evidence = EVIDENCE_ABSENT;
	root = view_json_document(r);
	met = json_object_get(first_row(root, "queues"), "kick_classes");
	assert_null_keys(met, keys, ARRAY_SIZE(keys));
	json_decref(root);
	report_free(r);
}

/* An alarm has its stack or the reason why not, and null for what it has not. */
static void test_json__alarms(void **state)
{
	struct report *r = sample_report();
	json_t *root, *stuck, *spinning;

	sample_add_alarms(r);
	root = view_json_document(r);
	stuck = first_row(root, "alarms");
	spinning = json_array_get(json_object_get(root, "alarms"), 1);
	assert_int_equal(json_integer_value(json_object_get(root, "alarms_total")), 3);
	assert_string_equal(json_string_value(json_object_get(stuck, "kind")), "stuck");
	assert_string_equal(json_string_value(json_object_get(stuck, "state")), "T");
	assert_int_equal(json_array_size(json_object_get(stuck, "kernel_stack")), 2);
	assert_true(json_is_null(json_object_get(stuck, "user_stack")));
	assert_string_equal(json_string_value(json_object_get(stuck, "user_stack_reason")),
			    "its stack cannot be read");
	assert_true(json_is_null(json_object_get(stuck, "cpu_share")));
	assert_string_equal(json_string_value(json_object_get(spinning, "kind")), "spinning");
	assert_true(json_is_true(json_object_get(spinning, "over")));
	assert_null_keys(spinning, (const char *const[]){ "device", "queue", "fd", "state" }, 4);
	json_decref(root);
	report_free(r);
}

/* What the tracing costs, where it was measured. */
static void test_json__tracer_cost(void **state)
{
	struct report *r = sample_report();
	json_t *root = view_json_document(r), *tracer = json_object_get(root, "tracer");

	assert_true(json_real_value(json_object_get(tracer, "cpu")) == 0.012);
	assert_true(json_real_value(json_object_get(tracer, "kick_ns")) == 410);
	assert_int_equal(json_integer_value(json_object_get(tracer, "run_clock_ns")), 40);
	json_decref(root);
	r->tracer_cpu = r->tracer_kick_ns = -1;
	r->tracer_clock_ns = 0;
	root = view_json_document(r);
	tracer = json_object_get(root, "tracer");
	assert_null_keys(tracer, (const char *const[]){ "cpu", "kick_ns", "run_clock_ns" }, 3);
	json_decref(root);
	report_free(r);
}

/* Several reports are one document, each whole; none is an empty list. */
static void test_json__several_reports(void **state)
{
	struct report *r = sample_report();
	const struct report *both[] = { r, r };
	json_t *root = view_json_reports(both, 2), *list = json_object_get(root, "reports");

	assert_string_equal(json_string_value(json_object_get(root, "schema")),
			    VIEW_REPORTS_SCHEMA);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "schema")),
			    REPORT_SCHEMA);
	json_decref(root);
	root = view_json_reports(NULL, 0);
	assert_int_equal(json_array_size(json_object_get(root, "reports")), 0);
	json_decref(root);
	report_free(r);
}

/* Bytes that are no UTF-8 do not spoil the document. */
static void test_json__survives_bad_utf8(void **state)
{
	struct report *r = sample_report();
	json_t *root;

	snprintf(r->comm, sizeof(r->comm), "\xff\xfe");
	root = view_json_document(r);
	assert_non_null(json_object_get(json_object_get(root, "vmm"), "comm"));
	json_decref(root);
	report_free(r);
}

/* Writing to a full device is an error that names it. */
static void test_json__full_device_is_an_error(void **state)
{
	struct report *r = sample_report();
	struct error err = { "" };

	assert_int_equal(view_json_file(r, "/dev/full", &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "No space"));
	report_free(r);
}

/* A report in a folder that is not there fails and leaves nothing. */
static void test_json__missing_folder_is_an_error(void **state)
{
	struct report *r = sample_report();
	struct error err = { "" };

	assert_int_equal(view_json_file(r, "/nonexistent/x.json", &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/x.json"));
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json__has_all_keys),
		cmocka_unit_test(test_json__has_ten_stages_in_order),
		cmocka_unit_test(test_json__absent_stage_has_reason_and_no_figures),
		cmocka_unit_test(test_json__histogram_adds_up),
		cmocka_unit_test(test_json__account_adds_up_to_one),
		cmocka_unit_test(test_json__absent_exits_are_null),
		cmocka_unit_test(test_json__guest_values_have_types),
		cmocka_unit_test(test_json__untraced_figures_are_null),
		cmocka_unit_test(test_json__left_is_null_without_evidence),
		cmocka_unit_test(test_json__shape_does_not_depend_on_evidence),
		cmocka_unit_test(test_json__foreign_figures),
		cmocka_unit_test(test_json__kick_classes_add_up),
		cmocka_unit_test(test_json__alarms),
		cmocka_unit_test(test_json__tracer_cost),
		cmocka_unit_test(test_json__several_reports),
		cmocka_unit_test(test_json__survives_bad_utf8),
		cmocka_unit_test(test_json__full_device_is_an_error),
		cmocka_unit_test(test_json__missing_folder_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
