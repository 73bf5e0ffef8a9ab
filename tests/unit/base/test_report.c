// SPDX-License-Identifier: BSD-2-Clause
/* The report as data: names, differences, the guest's line, and the equalities. */
#include <lib/tap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/report.h>

/* A report that fulfils every equality. */
static struct report *good(void)
{
	struct report *r = report_new();
	struct report_queue *q = &r->queue[0];

	r->n_queues = r->n_loops = 1;
	r->duration_ns = 1000;
	memcpy(q->device, "disk0", 6);
	q->kicks_evidence = q->outcome_evidence = EVIDENCE_EXACT;
	q->left_evidence = q->met_evidence = EVIDENCE_EXACT;
	q->vmm_evidence = q->requests_evidence = EVIDENCE_EXACT;
	q->arrivals = 10;
	q->outcome[OUTCOME_POLLED] = 6;
	q->outcome[OUTCOME_NOTIFIED] = 4;
	q->kicks = q->kicks_vmm = 4;
	q->kicks_asleep = 2;
	q->kicks_awake = q->kicks_coalesced = 1;
	q->requests = q->completions = 20;
	memcpy(r->loop[0].id, "io0", 4);
	r->loop[0].account_evidence = EVIDENCE_EXACT;
	r->loop[0].wall_ns = 1000;
	r->loop[0].handling_ns = 300;
	r->loop[0].blocked_ns = 695;
	assert_true(report_set_guest(r, "handoff-guest: result kicks=4 requests=20 verify=ok"));
	return r;
}

static void keep_line(void *opaque, const char *line)
{
	snprintf(opaque, 300, "%s", line);
}

/* Every stage, outcome and evidence has its word of design.md; out of range is no crash. */
static void test_report__names(void **state)
{
	static const char *const names[] = { "exit",	"signal", "wake", "runq",   "dispatch",
					     "service", "io",	  "irq",  "inject", "enter" };
	enum stage s;

	for (s = 0; s < STAGES; s++) {
		assert_string_equal(stage_name(s), names[s]);
		assert_true(strlen(stage_from(s)) > 3 && strlen(stage_to(s)) > 3);
	}
	assert_string_equal(outcome_name(OUTCOME_USERSPACE), "userspace");
	assert_string_equal(evidence_name(EVIDENCE_ABSENT), "absent");
	assert_string_equal(stage_name(99), "?");
	assert_string_equal(outcome_name(99), "?");
	assert_string_equal(alarm_kind_name(ALARM_STUCK), "stuck");
	assert_string_equal(alarm_kind_name(99), "?");
}

/* The guest's line is taken word by word, in its order. */
static void test_report__guest_line(void **state)
{
	struct report *r = report_new();

	assert_false(report_set_guest(r, "handoff-guest: ready"));
	assert_int_equal(r->n_guest, 0);
	assert_true(report_set_guest(r, "handoff-guest: result a=1  b=x=y bare c="));
	assert_int_equal(r->n_guest, 3);
	assert_string_equal(r->guest[0].key, "a");
	assert_string_equal(r->guest[1].value, "x=y");
	assert_string_equal(r->guest[2].value, "");
	report_free(r);
}

/* The guest is hostile: long words are cut, odd bytes replaced, surplus keys dropped. */
static void test_report__hostile_guest_line(void **state)
{
	struct report *r = report_new();
	char line[8192];
	int n, i;

	n = snprintf(line, sizeof(line), "handoff-guest: result k\x1b[2J=v\x07 %0100d=%0100d", 7,
		     7);
	for (i = 0; i < 200; i++)
		n += snprintf(line + n, sizeof(line) - n, " k%d=1", i);
	assert_true(report_set_guest(r, line));
	assert_int_equal(r->n_guest, REPORT_GUEST_KEYS);
	assert_string_equal(r->guest[0].key, "k?[2J");
	assert_string_equal(r->guest[0].value, "v?");
	assert_int_equal(strlen(r->guest[1].key), sizeof(r->guest[1].key) - 1);
	assert_int_equal(strlen(r->guest[1].value), sizeof(r->guest[1].value) - 1);
	report_free(r);
}

/* An interval is the difference of two snapshots; settings are today's. */
static void test_report__subtract(void **state)
{
	struct report *before = good(), *now = good(), *out = report_new();

	hist_add(&before->queue[0].stage[STAGE_IO].hist, 100);
	hist_add(&now->queue[0].stage[STAGE_IO].hist, 100);
	hist_add(&now->queue[0].stage[STAGE_IO].hist, 900);
	now->duration_ns = 5000;
	now->queue[0].arrivals = 25;
	now->queue[0].outcome[OUTCOME_POLLED] = 21;
	now->loop[0].wall_ns = 5000;
	now->loop[0].handling_ns = 4300;
	now->loop[0].poll_max_ns = 777;
	now->loss[LOSS_MAPS] = 3;
	report_subtract(out, now, before);
	assert_int_equal(out->duration_ns, 4000);
	assert_int_equal(out->queue[0].arrivals, 15);
	assert_int_equal(out->queue[0].outcome[OUTCOME_POLLED], 15);
	assert_int_equal(out->queue[0].outcome[OUTCOME_NOTIFIED], 0);
	assert_int_equal(out->queue[0].stage[STAGE_IO].hist.count, 1);
	assert_int_equal(out->loop[0].wall_ns, 4000);
	assert_int_equal(out->loop[0].handling_ns, 4000);
	assert_int_equal(out->loop[0].poll_max_ns, 777);
	assert_int_equal(out->loss[LOSS_MAPS], 3);
	report_free(before);
	report_free(now);
	report_free(out);
}

/* Rows are matched by what they are, not by where they stand; a new one counts from 0. */
static void test_report__subtract_matches_rows(void **state)
{
	struct report *before = good(), *now = good(), *out = report_new();

	now->n_queues = 2;
	now->queue[1] = now->queue[0];
	now->queue[1].arrivals = 12;
	memcpy(now->queue[0].device, "disk9", 6);
	report_subtract(out, now, before);
	assert_int_equal(out->queue[0].arrivals, 10);
	assert_int_equal(out->queue[1].arrivals, 2);
	report_free(before);
	report_free(now);
	report_free(out);
}

/* Hand-overs of an interval are the new ones, their time counted from its start. */
static void test_report__subtract_handovers(void **state)
{
	struct report *before = good(), *now = good(), *out = report_new();
	uint32_t i;

	before->handovers_total = before->n_handovers = 2;
	now->handovers_total = now->n_handovers = 5;
	for (i = 0; i < 5; i++)
		now->handover[i].t_ns = 600 * (i + 1);
	report_subtract(out, now, before);
	assert_int_equal(out->handovers_total, 3);
	assert_int_equal(out->n_handovers, 3);
	assert_int_equal(out->handover[0].t_ns, 800);
	report_free(before);
	report_free(now);
	report_free(out);
}

/* A report in order has no violation. */
static void test_report__check_passes(void **state)
{
	struct report *r = good();

	assert_int_equal(report_check(r, NULL, NULL), 0);
	report_free(r);
}

/* Each equality, broken alone, is told in one line that names it. */
static void test_report__check_finds_each(void **state)
{
	static const struct {
		size_t field;
		uint64_t value;
		const char *says;
	} cases[] = {
		{ offsetof(struct report, queue[0].outcome[OUTCOME_LOST]), 1, "outcomes add up" },
		{ offsetof(struct report, queue[0].kicks_vmm), 3, "counted by the VMM" },
		{ offsetof(struct report, queue[0].kicks_asleep), 1, "what kicks met" },
		{ offsetof(struct report, queue[0].kicks_open), 1, "what kicks met" },
		{ offsetof(struct report, queue[0].requests), 21, "the guest made 20" },
		{ offsetof(struct report, queue[0].completions), 21, "completions" },
		{ offsetof(struct report, loop[0].blocked_ns), 400, "loop io0" },
		{ offsetof(struct report, loss[LOSS_LOOKUPS]), 1, "lost something" },
	};
	char line[300];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct report *r = good();

		*(uint64_t *)((char *)r + cases[i].field) = cases[i].value;
		assert_int_equal(report_check(r, keep_line, line), 1);
		assert_non_null(strstr(line, cases[i].says));
		report_free(r);
	}
}

/* A step of the kernel's fast clock is a loss that is shown, and contradicts nothing. */
static void test_report__check_accepts_clock_steps(void **state)
{
	struct report *r = good();
	char line[300];

	r->loss[LOSS_CLOCK] = 1;
	assert_int_equal(report_check(r, keep_line, line), 0);
	report_free(r);
}

/* A VM that was stopped may have kicked last unserved: BPF may be ahead, never behind. */
static void test_report__check_of_a_stopped_vm(void **state)
{
	struct report *r = good();

	r->n_guest = 0;
	r->queue[0].kicks = 5;
	r->queue[0].kicks_open = 1;
	assert_int_equal(report_check(r, NULL, NULL), 0);
	r->queue[0].kicks = 3;
	r->queue[0].kicks_open = r->queue[0].kicks_awake = 0;
	assert_int_equal(report_check(r, NULL, NULL), 1);
	report_free(r);
}

/* Traced from its middle on, what was under way at the start counts on one side only: up to a queue
 * of it. */
static void test_report__check_of_a_late_start(void **state)
{
	struct report *r = good();

	r->n_guest = 0;
	r->queue[0].kicks_vmm = r->queue[0].kicks + REPORT_LATE;
	r->queue[0].completions = r->queue[0].requests + REPORT_LATE;
	assert_int_equal(report_check(r, NULL, NULL), 2);
	r->late = true;
	assert_int_equal(report_check(r, NULL, NULL), 0);
	r->queue[0].kicks_vmm++;
	r->queue[0].completions++;
	assert_int_equal(report_check(r, NULL, NULL), 2);
	report_free(r);
}

/* A VMM that tells nothing is not held against counts it does not have. */
static void test_report__check_of_a_foreign_vmm(void **state)
{
	struct report *r = good();

	r->queue[0].vmm_evidence = r->queue[0].requests_evidence = EVIDENCE_ABSENT;
	r->queue[0].kicks_vmm = r->queue[0].requests = r->queue[0].completions = 0;
	assert_int_equal(report_check(r, NULL, NULL), 0);
	r->queue[0].kicks = 5;
	assert_int_equal(report_check(r, NULL, NULL), 2);
	report_free(r);
}

/* A VM that runs may be between a kick and what it met; one that has ended is not. */
static void test_report__check_of_a_live_vm(void **state)
{
	struct report *r = good();

	r->n_guest = 0;
	r->n_vcpus = 2;
	r->queue[0].kicks = 4 + 3;
	assert_int_equal(report_check(r, NULL, NULL), 1);
	r->vmm_alive = true;
	assert_int_equal(report_check(r, NULL, NULL), 0);
	r->queue[0].kicks = 4 + 4;
	assert_int_equal(report_check(r, NULL, NULL), 1);
	report_free(r);
}

/* A queue or loop whose name was told between two snapshots is the same by its address, or thread.
 */
static void test_report__subtract_after_naming(void **state)
{
	struct report *before = good(), *now = good(), *out = report_new();

	before->queue[0].gpa = now->queue[0].gpa = 0xfe003000;
	before->loop[0].tid = now->loop[0].tid = 77;
	memcpy(now->queue[0].device, "vblk0", 6);
	memcpy(now->loop[0].id, "iothread0", 10);
	now->queue[0].kicks = 9;
	now->queue[0].kicks_asleep = 7;
	report_subtract(out, now, before);
	assert_int_equal(out->queue[0].kicks, 5);
	assert_int_equal(out->queue[0].kicks_asleep, 5);
	assert_int_equal(out->queue[0].kicks_awake, 0);
	assert_int_equal(out->loop[0].wall_ns, 0);
	report_free(before);
	report_free(now);
	report_free(out);
}

/* A list of the most frequent forgets the others: what was not on it counts from the last that was.
 */
static void test_report__subtract_top_lists(void **state)
{
	struct report *before = good(), *now = good(), *out = report_new();
	uint32_t i;

	for (i = 0; i < REPORT_ADDRESSES; i++)
		before->io.address[i] =
			(struct report_address){ .gpa = i, .count = 100 - i, .left = 1 };
	before->io.n_address = REPORT_ADDRESSES;
	now->io.n_address = 2;
	now->io.address[0] = (struct report_address){ .gpa = 999, .count = 500, .left = 500 };
	now->io.address[1] = (struct report_address){ .gpa = 0, .count = 150, .left = 3 };
	report_subtract(out, now, before);
	assert_int_equal(out->io.address[0].count, 500 - (100 - REPORT_ADDRESSES + 1));
	assert_int_equal(out->io.address[1].count, 50);
	assert_int_equal(out->io.address[1].left, 2);
	before->io.n_address = 3;
	report_subtract(out, now, before);
	assert_int_equal(out->io.address[0].count, 500);
	report_free(before);
	report_free(now);
	report_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report__names),
		cmocka_unit_test(test_report__guest_line),
		cmocka_unit_test(test_report__hostile_guest_line),
		cmocka_unit_test(test_report__subtract),
		cmocka_unit_test(test_report__subtract_matches_rows),
		cmocka_unit_test(test_report__subtract_handovers),
		cmocka_unit_test(test_report__check_passes),
		cmocka_unit_test(test_report__check_finds_each),
		cmocka_unit_test(test_report__check_accepts_clock_steps),
		cmocka_unit_test(test_report__check_of_a_stopped_vm),
		cmocka_unit_test(test_report__check_of_a_late_start),
		cmocka_unit_test(test_report__check_of_a_foreign_vmm),
		cmocka_unit_test(test_report__check_of_a_live_vm),
		cmocka_unit_test(test_report__subtract_after_naming),
		cmocka_unit_test(test_report__subtract_top_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
