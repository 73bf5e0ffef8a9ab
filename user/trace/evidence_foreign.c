// SPDX-License-Identifier: BSD-2-Clause
/* The rules of evidence for single queues and loops of a VMM that is not ours: what it does without
 * a syscall is judged from outside. Pure. */
#include "evidence.h"

#include <stdio.h>

enum evidence evidence_arrivals(const struct evidence_queue_facts *f, char reason[EVIDENCE_TEXT])
{
	const char *why = NULL;

	if (f->handler) {
		snprintf(reason, EVIDENCE_TEXT, "each entry of the queue's handler, by uprobe");
		return EVIDENCE_EXACT;
	}
	if (!f->consume)
		why = "reads of eventfds cannot be seen";
	else if (f->kicked && !f->interrupts && !f->loop_irqs)
		why = "the guest takes no interrupts: what a spin finds leaves no trace; "
		      "--uprobes sees it";
	else if (f->msi == EVIDENCE_ABSENT)
		why = "it is not known yet which interrupts are this queue's";
	else if (f->kicked && !f->interrupts)
		why = "the guest takes no interrupts of this queue: what a spin finds leaves no "
		      "trace; --uprobes sees it";
	if (why) {
		snprintf(reason, EVIDENCE_TEXT, "%s", why);
		return EVIDENCE_ABSENT;
	}
	snprintf(reason, EVIDENCE_TEXT,
		 "polled: interrupts sent with no kick consumed since the one before; several "
		 "that end in one interrupt count once%s",
		 f->msi == EVIDENCE_INFERRED ? "; its interrupts: a guess" : "");
	return EVIDENCE_INFERRED;
}

enum evidence evidence_polls(const struct evidence_loop_facts *f, char reason[EVIDENCE_TEXT])
{
	if (f->spins_known && !f->poll_max_ns) {
		snprintf(reason, EVIDENCE_TEXT, "it never spins, by its settings");
		return EVIDENCE_EXACT;
	}
	if (!f->seen) {
		snprintf(reason, EVIDENCE_TEXT, "the thread was not seen on a CPU");
		return EVIDENCE_ABSENT;
	}
	if (f->blind) {
		snprintf(reason, EVIDENCE_TEXT,
			 "a guest that takes no interrupts: what a spin finds leaves no trace");
		return EVIDENCE_ABSENT;
	}
	snprintf(reason, EVIDENCE_TEXT,
		 "hits: interrupts with no kick consumed before; a spin without one: each sleep%s",
		 f->spins_known ? "" : ", if it spins at all");
	return EVIDENCE_INFERRED;
}
