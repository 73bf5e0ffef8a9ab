// SPDX-License-Identifier: BSD-2-Clause
/* The rules of evidence, stage by stage. */
#include <lib/tap.h>

#include <string.h>

#include "evidence.h"

/* This machine: everything attaches but function hooks; no exit or entry is ever seen. */
static struct evidence_facts usual(void)
{
	struct evidence_facts f = { .kvm = "software", .mmio_writes = 100 };

	memset(f.attached, true, sizeof(f.attached));
	for (enum program p = 0; p < PROGRAMS; p++)
		f.attached[p] = !program_hooks_function(p);
	return f;
}

/* kvm_exit attaches and stays silent while the guest kicks: absent, and the reason names it. */
static void test_evidence__silent_tracepoint_is_absent(void **state)
{
	struct evidence_facts f = usual();
	struct evidence_verdict v;

	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_EXIT], EVIDENCE_ABSENT);
	assert_non_null(strstr(v.reason[STAGE_EXIT], "kvm_exit never fired in 100"));
	assert_non_null(strstr(v.reason[STAGE_EXIT], "software"));
	assert_int_equal(v.evidence[STAGE_ENTER], EVIDENCE_ABSENT);
	assert_non_null(strstr(v.reason[STAGE_ENTER], "kvm_entry never fired"));
	f.exits = f.entries = 1;
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_EXIT], EVIDENCE_EXACT);
	assert_int_equal(v.evidence[STAGE_ENTER], EVIDENCE_EXACT);
	assert_int_equal(v.exits, EVIDENCE_EXACT);
}

/* Before anything ran there is nothing to conclude from silence. */
static void test_evidence__nothing_has_run(void **state)
{
	struct evidence_facts f = usual();
	struct evidence_verdict v;

	f.mmio_writes = 0;
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_EXIT], EVIDENCE_ABSENT);
	assert_non_null(strstr(v.reason[STAGE_EXIT], "no guest has run"));
}

/* Without function hooks the signal is inferred, with them exact; an exact stage has no reason. */
static void test_evidence__function_hooks(void **state)
{
	static const enum stage hooked[] = { STAGE_SIGNAL, STAGE_WAKE, STAGE_DISPATCH };
	struct evidence_facts f = usual();
	struct evidence_verdict v;
	size_t i;

	evidence_decide(&f, &v);
	for (i = 0; i < 3; i++) {
		assert_int_equal(v.evidence[hooked[i]], EVIDENCE_INFERRED);
		assert_true(strlen(v.reason[hooked[i]]) > 10);
	}
	assert_int_equal(v.evidence[STAGE_RUNQ], EVIDENCE_EXACT);
	f.attached[PROGRAM_SIGNAL_MASK] = true;
	evidence_decide(&f, &v);
	for (i = 0; i < 3; i++) {
		assert_int_equal(v.evidence[hooked[i]], EVIDENCE_EXACT);
		assert_string_equal(v.reason[hooked[i]], "");
	}
}

/* A hook is believed while it delivers: what had to be inferred all the same is said. */
static void test_evidence__hooks_must_deliver(void **state)
{
	struct evidence_facts f = usual();
	struct evidence_verdict v;

	f.attached[PROGRAM_SIGNAL_KP] = f.attached[PROGRAM_IRQFD] = true;
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_SIGNAL], EVIDENCE_EXACT);
	assert_int_equal(v.evidence[STAGE_INJECT], EVIDENCE_EXACT);
	assert_string_equal(v.reason[STAGE_INJECT], "");
	f.seen.signals_inferred = 1;
	f.seen.injects_inferred = 7;
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_SIGNAL], EVIDENCE_INFERRED);
	assert_int_equal(v.evidence[STAGE_WAKE], EVIDENCE_INFERRED);
	assert_int_equal(v.evidence[STAGE_INJECT], EVIDENCE_INFERRED);
	assert_non_null(strstr(v.reason[STAGE_INJECT], "7 of them"));
	f.seen = (struct trace_seen){ .signals_untold = 3 };
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_SIGNAL], EVIDENCE_INFERRED);
	assert_non_null(strstr(v.reason[STAGE_SIGNAL], "kvm_fast_mmio"));
}

/* A program that does not attach takes its stages with it, says why, and leaves the others. */
static void test_evidence__missing_program(void **state)
{
	struct evidence_facts f = usual();
	struct evidence_verdict v;

	f.attached[PROGRAM_ARMED] = false;
	f.why[PROGRAM_ARMED] = "no such probe";
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_IO], EVIDENCE_ABSENT);
	assert_non_null(strstr(v.reason[STAGE_IO], "no such probe"));
	assert_int_equal(v.account, EVIDENCE_ABSENT);
	assert_int_equal(v.evidence[STAGE_RUNQ], EVIDENCE_EXACT);
	assert_int_equal(v.outcomes, EVIDENCE_EXACT);
	f.attached[PROGRAM_NOTIFIED] = false;
	evidence_decide(&f, &v);
	assert_int_equal(v.outcomes, EVIDENCE_ABSENT);
	assert_int_equal(v.kicks, EVIDENCE_EXACT);
	f.attached[PROGRAM_MMIO] = false;
	evidence_decide(&f, &v);
	assert_int_equal(v.kicks, EVIDENCE_INFERRED);
}

/* No BPF at all: every stage absent for that one reason. */
static void test_evidence__no_bpf(void **state)
{
	struct evidence_facts f = usual();
	struct evidence_verdict v;
	enum stage s;

	f.no_bpf = "not asked for";
	evidence_decide(&f, &v);
	for (s = 0; s < STAGES; s++) {
		assert_int_equal(v.evidence[s], EVIDENCE_ABSENT);
		assert_string_equal(v.reason[s], "not asked for");
	}
	assert_int_equal(v.kicks, EVIDENCE_INFERRED);
	assert_int_equal(v.outcomes, EVIDENCE_ABSENT);
	assert_string_equal(v.account_reason, "not asked for");
}

/* A VMM that is not ours, on this machine: no probe of it attaches, reads of eventfds are seen. */
static struct evidence_facts foreign(void)
{
	struct evidence_facts f = usual();

	f.foreign = f.consume = true;
	f.attached[PROGRAM_NOTIFIED] = f.attached[PROGRAM_ARMED] = false;
	return f;
}

/* What only the VMM sees is absent and says how to get it; the kernel's side is as with ours. */
static void test_evidence__foreign_vmm(void **state)
{
	struct evidence_facts f = foreign();
	struct evidence_verdict v;
	enum stage s;

	evidence_decide(&f, &v);
	for (s = STAGE_SERVICE; s <= STAGE_IRQ; s++) {
		assert_int_equal(v.evidence[s], EVIDENCE_ABSENT);
		assert_non_null(strstr(v.reason[s], "--uprobes"));
	}
	assert_int_equal(v.evidence[STAGE_RUNQ], EVIDENCE_EXACT);
	assert_int_equal(v.evidence[STAGE_DISPATCH], EVIDENCE_INFERRED);
	assert_non_null(strstr(v.reason[STAGE_DISPATCH], "read of the eventfd"));
	assert_int_equal(v.outcomes, EVIDENCE_EXACT);
	assert_int_equal(v.met, EVIDENCE_EXACT);
	assert_int_equal(v.account, EVIDENCE_INFERRED);
	f.uprobe[STAGE_SERVICE] = true;
	f.attached[PROGRAM_SIGNAL_MASK] = true;
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_SERVICE], EVIDENCE_EXACT);
	assert_int_equal(v.evidence[STAGE_IO], EVIDENCE_ABSENT);
	assert_int_equal(v.evidence[STAGE_DISPATCH], EVIDENCE_EXACT);
}

/* Where reads of eventfds cannot be seen, all that ends there is absent. */
static void test_evidence__foreign_vmm_without_reads(void **state)
{
	struct evidence_facts f = foreign();
	struct evidence_verdict v;

	f.consume = false;
	f.consume_why = "refused";
	evidence_decide(&f, &v);
	assert_int_equal(v.evidence[STAGE_WAKE], EVIDENCE_ABSENT);
	assert_int_equal(v.evidence[STAGE_DISPATCH], EVIDENCE_ABSENT);
	assert_non_null(strstr(v.reason[STAGE_DISPATCH], "refused"));
	assert_int_equal(v.outcomes, EVIDENCE_ABSENT);
	assert_int_equal(v.met, EVIDENCE_ABSENT);
	assert_int_equal(v.account, EVIDENCE_ABSENT);
	assert_true(strlen(v.account_reason) > 10);
	assert_int_equal(v.kicks, EVIDENCE_EXACT);
	f.attached[PROGRAM_MMIO] = false;
	evidence_decide(&f, &v);
	assert_int_equal(v.kicks, EVIDENCE_ABSENT);
	assert_int_equal(v.left_untold, EVIDENCE_ABSENT);
}

/* Arrivals of such a VMM: each rule, from the best to none, with a reason that fits. */
static void test_evidence__arrivals(void **state)
{
	static const struct {
		struct evidence_queue_facts facts;
		enum evidence evidence;
		const char *says;
	} cases[] = {
		{ { .consume = true, .handler = true }, EVIDENCE_EXACT, "uprobe" },
		{ { .consume = true, .kicks = 9, .interrupts = 9, .msi = EVIDENCE_EXACT },
		  EVIDENCE_INFERRED,
		  "neither a kick consumed nor a sleep" },
		{ { .consume = true,
		    .kicks = 9,
		    .interrupts = 9,
		    .msi = EVIDENCE_EXACT,
		    .spins = true },
		  EVIDENCE_INFERRED,
		  "met the loop awake" },
		{ { .consume = true, .kicks = 9, .msi = EVIDENCE_EXACT, .spins = true },
		  EVIDENCE_INFERRED,
		  "met the loop awake" },
		{ { .consume = true, .kicks = 9, .msi = EVIDENCE_EXACT, .never_spins = true },
		  EVIDENCE_INFERRED,
		  "none is polled" },
		{ { .consume = true, .handler = true, .unowned = 7 },
		  EVIDENCE_INFERRED,
		  "but for 7" },
		{ { .consume = true, .kicks = 9, .unwatched = true },
		  EVIDENCE_ABSENT,
		  "no thread of the VMM" },
		{ { .consume = true, .kicks = 9, .interrupts = 9, .msi = EVIDENCE_INFERRED },
		  EVIDENCE_INFERRED,
		  "a guess" },
		{ { .consume = true,
		    .kicks = ~0ull,
		    .interrupts = ~0ull / 4,
		    .msi = EVIDENCE_INFERRED },
		  EVIDENCE_INFERRED,
		  "at least" },
		{ { .consume = true, .kicks = 9, .msi = EVIDENCE_EXACT },
		  EVIDENCE_ABSENT,
		  "no MSI was sent" },
		{ { .consume = true, .kicks = 9, .loop_irqs = 9, .msi = EVIDENCE_EXACT },
		  EVIDENCE_ABSENT,
		  "no MSI of this queue" },
		{ { .consume = true, .kicks = 9, .loop_irqs = 9 },
		  EVIDENCE_ABSENT,
		  "not known yet" },
		{ { .kicks = 9, .interrupts = 9, .msi = EVIDENCE_EXACT },
		  EVIDENCE_ABSENT,
		  "cannot be seen" },
	};
	char reason[EVIDENCE_TEXT];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(evidence_arrivals(&cases[i].facts, reason), cases[i].evidence);
		assert_non_null(strstr(reason, cases[i].says));
	}
}

/* Spins of its loops: none by settings, none seen, or counted by a rule. */
static void test_evidence__polls(void **state)
{
	struct evidence_loop_facts f = { .seen = true };
	char reason[EVIDENCE_TEXT];

	assert_int_equal(evidence_polls(&f, reason), EVIDENCE_INFERRED);
	assert_non_null(strstr(reason, "if it spins"));
	f.spins_known = true;
	assert_int_equal(evidence_polls(&f, reason), EVIDENCE_EXACT);
	assert_non_null(strstr(reason, "never spins"));
	f.poll_max_ns = 1;
	assert_int_equal(evidence_polls(&f, reason), EVIDENCE_INFERRED);
	assert_null(strstr(reason, "if it spins"));
	f.dim = true;
	assert_int_equal(evidence_polls(&f, reason), EVIDENCE_INFERRED);
	assert_non_null(strstr(reason, "at least"));
	f.blind = true;
	assert_int_equal(evidence_polls(&f, reason), EVIDENCE_ABSENT);
	f.seen = false;
	assert_int_equal(evidence_polls(&f, reason), EVIDENCE_ABSENT);
	assert_true(evidence_is_dim(10, 4));
	assert_false(evidence_is_dim(10, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence__silent_tracepoint_is_absent),
		cmocka_unit_test(test_evidence__nothing_has_run),
		cmocka_unit_test(test_evidence__function_hooks),
		cmocka_unit_test(test_evidence__hooks_must_deliver),
		cmocka_unit_test(test_evidence__missing_program),
		cmocka_unit_test(test_evidence__no_bpf),
		cmocka_unit_test(test_evidence__foreign_vmm),
		cmocka_unit_test(test_evidence__foreign_vmm_without_reads),
		cmocka_unit_test(test_evidence__arrivals),
		cmocka_unit_test(test_evidence__polls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
