// SPDX-License-Identifier: BSD-2-Clause
/*
 * The rules of evidence. A hook that is attached proves nothing: kvm_exit attaches on a KVM in
 * software and never fires. So a stage is judged by what is attached and by what was seen.
 */
#include "evidence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <abi/stats.h>
#include <handoff/compiler.h>

struct judge {
	const struct evidence_facts *facts;
	struct evidence_verdict *verdict;
};

static void PRINTF_LIKE(4, 5)
	rule(const struct judge *j, enum stage stage, enum evidence evidence, const char *fmt, ...)
{
	va_list args;

	j->verdict->evidence[stage] = evidence;
	va_start(args, fmt);
	vsnprintf(j->verdict->reason[stage], EVIDENCE_TEXT, fmt, args);
	va_end(args);
}

/* The first program of a list that is not attached; PROGRAMS if all are. */
static enum program missing(const struct evidence_facts *f, const enum program *needed, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!f->attached[needed[i]])
			return needed[i];
	return PROGRAMS;
}

/* Says that a stage is absent since a program it needs is. True if so. */
static bool lacks(const struct judge *j, enum stage stage, const enum program *needed, size_t n)
{
	enum program p = missing(j->facts, needed, n);

	if (p == PROGRAMS)
		return false;
	rule(j, stage, EVIDENCE_ABSENT, "no %s: %s", programs[p].target,
	     j->facts->why[p] ? j->facts->why[p] : "not attached");
	return true;
}

#define NEEDS(...)                                                                                 \
	(const enum program[]){ __VA_ARGS__ }, ARRAY_SIZE(((const enum program[]){ __VA_ARGS__ }))

/* Who tells that a kick was consumed: our VMM by USDT, the kernel of any other. */
static bool lacks_consumer(const struct judge *j, enum stage stage)
{
	if (!j->facts->foreign)
		return lacks(j, stage, NEEDS(PROGRAM_NOTIFIED));
	if (j->facts->consume)
		return false;
	rule(j, stage, EVIDENCE_ABSENT, "reads of eventfds cannot be seen: %s",
	     j->facts->consume_why ? j->facts->consume_why : "not attached");
	return true;
}

/* A KVM tracepoint that is attached but silent. */
static bool silent(const struct judge *j, enum stage stage, const char *tracepoint, uint64_t seen)
{
	if (seen)
		return false;
	if (j->facts->mmio_writes)
		rule(j, stage, EVIDENCE_ABSENT, "%s never fired in %llu guest writes on %s",
		     tracepoint, (unsigned long long)j->facts->mmio_writes, j->facts->kvm);
	else
		rule(j, stage, EVIDENCE_ABSENT, "%s has not fired yet: no guest has run",
		     tracepoint);
	return true;
}

static bool any_attached(const struct evidence_facts *f, const enum program *of, size_t n)
{
	size_t i;

	for (i = 0; i < n && !f->attached[of[i]]; i++)
		;
	return i < n;
}

/* The eventfd's signal: hooked, and what should have come from the hook did. */
static bool signal_is_exact(const struct judge *j)
{
	const struct evidence_facts *f = j->facts;

	return any_attached(f, NEEDS(PROGRAM_SIGNAL_MASK, PROGRAM_SIGNAL_MASK_KP, PROGRAM_SIGNAL,
				     PROGRAM_SIGNAL_KP)) &&
	       !f->seen.signals_inferred && !f->seen.signals_untold;
}

static void decide_signal(const struct judge *j)
{
	const struct evidence_facts *f = j->facts;

	if (lacks(j, STAGE_SIGNAL, NEEDS(PROGRAM_MMIO)))
		return;
	if (signal_is_exact(j))
		rule(j, STAGE_SIGNAL, EVIDENCE_EXACT, "%s", "");
	else if (f->seen.signals_untold)
		rule(j, STAGE_SIGNAL, EVIDENCE_INFERRED,
		     "without the kicks of which kvm_fast_mmio told after their signal: %llu",
		     (unsigned long long)f->seen.signals_untold);
	else if (!lacks(j, STAGE_SIGNAL, NEEDS(PROGRAM_WAKING)))
		rule(j, STAGE_SIGNAL, EVIDENCE_INFERRED,
		     "ends at the wake it causes (sched_waking), some 0.1 us later; without kicks "
		     "that woke nobody");
}

static void decide_kick(const struct judge *j)
{
	const struct evidence_facts *f = j->facts;
	bool exact = signal_is_exact(j);

	if (!lacks(j, STAGE_EXIT, NEEDS(PROGRAM_KVM_EXIT, PROGRAM_MMIO)) &&
	    !silent(j, STAGE_EXIT, "kvm_exit", f->exits))
		rule(j, STAGE_EXIT, EVIDENCE_EXACT, "%s", "");
	decide_signal(j);
	if (!lacks(j, STAGE_WAKE, NEEDS(PROGRAM_MMIO, PROGRAM_WAKING, PROGRAM_WAKEUP)) &&
	    !lacks_consumer(j, STAGE_WAKE))
		rule(j, STAGE_WAKE, exact ? EVIDENCE_EXACT : EVIDENCE_INFERRED, "%s",
		     exact ? ""
			   : "begins at sched_waking in the kicking vCPU's thread, some 0.1 us "
			     "late");
	if (!lacks(j, STAGE_RUNQ,
		   NEEDS(PROGRAM_MMIO, PROGRAM_WAKING, PROGRAM_WAKEUP, PROGRAM_SWITCH)) &&
	    !lacks_consumer(j, STAGE_RUNQ))
		rule(j, STAGE_RUNQ, EVIDENCE_EXACT, "%s", "");
	if (!lacks_consumer(j, STAGE_DISPATCH) &&
	    !lacks(j, STAGE_DISPATCH, NEEDS(PROGRAM_MMIO, PROGRAM_WAKING, PROGRAM_SWITCH)))
		rule(j, STAGE_DISPATCH, exact ? EVIDENCE_EXACT : EVIDENCE_INFERRED, "%s%s",
		     f->foreign ? "ends at the read of the eventfd, under 1 us before the handler"
				: "",
		     exact	  ? ""
		     : f->foreign ? "; of busy arrivals it begins at the kick, some 0.5 us early"
				  : "exact for notified arrivals; for busy ones it begins at the "
				    "kick, some 0.5 us early");
}

static void decide_request(const struct judge *j)
{
	enum stage s;

	for (s = STAGE_SERVICE; s <= STAGE_IRQ; s++)
		if (j->facts->foreign && j->facts->uprobe[s])
			rule(j, s, EVIDENCE_EXACT, "%s",
			     s == STAGE_IO ? "by uprobes; of merged requests the first"
					   : "by uprobes");
		else if (j->facts->foreign)
			rule(j, s, EVIDENCE_ABSENT,
			     "only the VMM sees it: --uprobes, for VMMs that export symbols");
		else if (!lacks(j, s, NEEDS(PROGRAM_ARMED)))
			rule(j, s, EVIDENCE_EXACT,
			     "of requests that a spin found one in %d is timed and counts for all",
			     STATS_POLLED_PER_TIMED);
}

static void decide_return(const struct judge *j)
{
	uint64_t inferred = j->facts->seen.injects_inferred;
	bool hooked = any_attached(j->facts, NEEDS(PROGRAM_IRQFD, PROGRAM_IRQFD_KP));

	if (lacks(j, STAGE_INJECT, NEEDS(PROGRAM_MSI, PROGRAM_ACCEPT)))
		;
	else if (hooked && !inferred)
		rule(j, STAGE_INJECT, EVIDENCE_EXACT, "%s", "");
	else if (hooked)
		rule(j, STAGE_INJECT, EVIDENCE_INFERRED,
		     "%llu of them begin at kvm_msi_set_irq, some 0.1 us late: no irqfd was "
		     "seen before it",
		     (unsigned long long)inferred);
	else
		rule(j, STAGE_INJECT, EVIDENCE_INFERRED,
		     "begins at kvm_msi_set_irq, inside the write to the irqfd, some 0.5 us late");
	if (!lacks(j, STAGE_ENTER, NEEDS(PROGRAM_MSI, PROGRAM_ACCEPT, PROGRAM_KVM_ENTRY)) &&
	    !silent(j, STAGE_ENTER, "kvm_entry", j->facts->entries))
		rule(j, STAGE_ENTER, EVIDENCE_EXACT, "%s", "");
}

/* Counts of a vCPU: each has a tracepoint of its own, which may fire where kvm_exit does not. */
static void decide_vcpu(const struct judge *j)
{
	const struct evidence_facts *f = j->facts;
	struct evidence_verdict *v = j->verdict;
	const char *why = f->why[PROGRAM_EXIT_REASON];

	v->exits = v->evidence[STAGE_EXIT];
	snprintf(v->exits_reason, sizeof(v->exits_reason), "%s", v->reason[STAGE_EXIT]);
	v->reasons = v->exits;
	snprintf(v->reasons_reason, sizeof(v->reasons_reason), "%s", v->exits_reason);
	if (v->exits != EVIDENCE_ABSENT && !f->attached[PROGRAM_EXIT_REASON]) {
		v->reasons = EVIDENCE_ABSENT;
		snprintf(v->reasons_reason, sizeof(v->reasons_reason), "%s",
			 why && why[0] ? why : "not attached");
	} else if (v->exits != EVIDENCE_ABSENT && !f->reasons) {
		v->reasons = EVIDENCE_ABSENT;
		snprintf(v->reasons_reason, sizeof(v->reasons_reason),
			 "this kernel's BTF does not say where %s keeps it", f->kvm);
	}
	v->mmio = f->attached[PROGRAM_MMIO] ? EVIDENCE_EXACT : EVIDENCE_ABSENT;
	v->pio = f->attached[PROGRAM_PIO] ? EVIDENCE_EXACT : EVIDENCE_ABSENT;
	v->user_exits = f->attached[PROGRAM_USER_EXIT] ? EVIDENCE_EXACT : EVIDENCE_ABSENT;
}

/* The account of a VMM that tells nothing rests on what its threads did on their CPUs: loop by
 * loop, evidence_account. */
static void decide_account(const struct judge *j)
{
	struct evidence_verdict *v = j->verdict;
	bool armed = j->facts->attached[PROGRAM_ARMED];

	if (!j->facts->foreign) {
		v->account = armed ? EVIDENCE_EXACT : EVIDENCE_ABSENT;
		if (!armed)
			snprintf(v->account_reason, sizeof(v->account_reason), "%s",
				 v->reason[STAGE_SERVICE]);
		return;
	}
	if (j->facts->attached[PROGRAM_SWITCH] && j->facts->consume) {
		v->account = EVIDENCE_INFERRED;
		return;
	}
	snprintf(v->account_reason, sizeof(v->account_reason), "%s",
		 v->reason[STAGE_DISPATCH][0] ? v->reason[STAGE_DISPATCH] : "not attached");
}

static void decide_rest(const struct judge *j)
{
	const struct evidence_facts *f = j->facts;
	struct evidence_verdict *v = j->verdict;
	bool consumer = f->foreign ? f->consume : f->attached[PROGRAM_NOTIFIED];

	v->kicks = f->attached[PROGRAM_MMIO] ? EVIDENCE_EXACT
		   : f->foreign		     ? EVIDENCE_ABSENT
					     : EVIDENCE_INFERRED;
	if (f->attached[PROGRAM_MMIO] && f->attached[PROGRAM_WAKING] && consumer)
		v->outcomes = EVIDENCE_EXACT;
	v->met = v->outcomes;
	v->left_untold = f->foreign ? EVIDENCE_ABSENT : EVIDENCE_INFERRED;
	v->runq = f->attached[PROGRAM_WAKEUP] && f->attached[PROGRAM_SWITCH] ? EVIDENCE_EXACT
									     : EVIDENCE_ABSENT;
	decide_account(j);
}

void evidence_decide(const struct evidence_facts *facts, struct evidence_verdict *verdict)
{
	struct judge j = { .facts = facts, .verdict = verdict };
	enum stage s;

	memset(verdict, 0, sizeof(*verdict));
	if (facts->no_bpf) {
		for (s = 0; s < STAGES; s++)
			rule(&j, s, EVIDENCE_ABSENT, "%s", facts->no_bpf);
		verdict->kicks = facts->foreign ? EVIDENCE_ABSENT : EVIDENCE_INFERRED;
		verdict->left_untold = verdict->kicks;
		snprintf(verdict->exits_reason, sizeof(verdict->exits_reason), "%s", facts->no_bpf);
		snprintf(verdict->reasons_reason, sizeof(verdict->reasons_reason), "%s",
			 facts->no_bpf);
		snprintf(verdict->account_reason, sizeof(verdict->account_reason), "%s",
			 facts->no_bpf);
		return;
	}
	decide_kick(&j);
	decide_request(&j);
	decide_return(&j);
	decide_vcpu(&j);
	decide_rest(&j);
}
