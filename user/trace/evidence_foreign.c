// SPDX-License-Identifier: BSD-2-Clause
/* The rules of evidence for single queues and loops of a VMM that is not ours: what it does without
 * a syscall is judged from outside. Pure. */
#include "evidence.h"

#include <stdio.h>

bool evidence_is_dim(uint64_t kicks, uint64_t interrupts)
{
	return interrupts < kicks / 2;
}

/* Why nothing can be said of what a spin finds; NULL = something can. */
static const char *why_untold(const struct evidence_queue_facts *f)
{
	if (!f->consume)
		return "reads of eventfds cannot be seen";
	if (f->no_eventfd)
		return "its eventfd is not known: only its address was given";
	if (f->unwatched)
		return "who serves it is no thread of the VMM's, and not known";
	if (f->never_spins || (f->spins && f->kicks))
		return NULL;
	if (f->kicks && !f->interrupts && !f->loop_irqs)
		return "no MSI was sent: what a spin finds leaves no trace; --uprobes sees it";
	if (f->msi == EVIDENCE_ABSENT)
		return "it is not known yet which interrupts are this queue's";
	if (f->kicks && !f->interrupts)
		return "no MSI of this queue was sent: what a spin finds leaves no trace; "
		       "--uprobes sees it";
	return NULL;
}

enum evidence evidence_arrivals(const struct evidence_queue_facts *f, char reason[EVIDENCE_TEXT])
{
	const char *guess = f->msi == EVIDENCE_INFERRED ? "; whose: a guess" : "";
	const char *why = why_untold(f);

	if (f->handler && f->unowned) {
		snprintf(reason, EVIDENCE_TEXT,
			 "each entry of the queue's handler that found a request, by uprobe; but "
			 "for %llu of queues not known yet",
			 (unsigned long long)f->unowned);
		return EVIDENCE_INFERRED;
	}
	if (f->handler) {
		snprintf(reason, EVIDENCE_TEXT,
			 "each entry of the queue's handler that found a request, by uprobe");
		return EVIDENCE_EXACT;
	}
	if (why) {
		snprintf(reason, EVIDENCE_TEXT, "%s", why);
		return EVIDENCE_ABSENT;
	}
	if (f->never_spins)
		snprintf(reason, EVIDENCE_TEXT,
			 "its loop never spins, by its settings: none is polled; arrivals that "
			 "share a kick count once");
	else if (f->spins)
		snprintf(reason, EVIDENCE_TEXT,
			 "polled: kicks that met the loop awake or a signal waiting, or, if more, "
			 "interrupts without a kick; within 2 points at depth 1%s",
			 guess);
	else if (evidence_is_dim(f->kicks, f->interrupts))
		snprintf(reason, EVIDENCE_TEXT,
			 "polled: at least; interrupts with no kick consumed before, but the guest "
			 "takes %llu for %llu kicks%s",
			 (unsigned long long)f->interrupts, (unsigned long long)f->kicks, guess);
	else
		snprintf(reason, EVIDENCE_TEXT,
			 "polled: interrupts with neither a kick consumed nor a sleep since the "
			 "last; at least: not if the disk is slower than the spin%s",
			 guess);
	return EVIDENCE_INFERRED;
}

static bool never_spins(const struct evidence_loop_facts *f)
{
	return f->spins_known && !f->poll_max_ns;
}

enum evidence evidence_polls(const struct evidence_loop_facts *f, char reason[EVIDENCE_TEXT])
{
	if (never_spins(f)) {
		snprintf(reason, EVIDENCE_TEXT, "it never spins, by its settings");
		return EVIDENCE_EXACT;
	}
	if (!f->seen) {
		snprintf(reason, EVIDENCE_TEXT, "the thread was not seen on a CPU");
		return EVIDENCE_ABSENT;
	}
	if (f->blind) {
		snprintf(reason, EVIDENCE_TEXT,
			 "the guest takes no interrupts: what a spin finds leaves no trace");
		return EVIDENCE_ABSENT;
	}
	snprintf(reason, EVIDENCE_TEXT, "hits: %s; a spin without one: each sleep%s",
		 f->dim ? "at least, the guest takes few interrupts"
			: "interrupts sent with no kick consumed before",
		 f->spins_known ? "" : ", if it spins at all");
	return EVIDENCE_INFERRED;
}

void evidence_account(const struct evidence_loop_facts *f, char reason[EVIDENCE_TEXT])
{
	if (never_spins(f))
		snprintf(reason, EVIDENCE_TEXT,
			 "it never spins, by its settings: on a CPU it handles something");
	else if (f->blind || f->dim)
		snprintf(reason, EVIDENCE_TEXT,
			 "the guest takes %s interrupts: a spin after a kick was consumed counts "
			 "as handling until the next event",
			 f->blind ? "no" : "few");
	else
		snprintf(reason, EVIDENCE_TEXT,
			 "by what ends a stretch on the CPU: an irq after a kick: handling; one "
			 "without: hit, less a kick's mean; sleep: waste, too much by work after "
			 "the last irq");
}

enum evidence evidence_gaps(const struct evidence_loop_facts *f, bool *hidden,
			    char reason[EVIDENCE_TEXT])
{
	*hidden = !never_spins(f) && (f->blind || f->dim);
	if (!f->consume) {
		snprintf(reason, EVIDENCE_TEXT, "reads of eventfds cannot be seen");
		return EVIDENCE_ABSENT;
	}
	if (!f->seen) {
		snprintf(reason, EVIDENCE_TEXT, "the thread was not seen on a CPU");
		return EVIDENCE_ABSENT;
	}
	if (*hidden)
		snprintf(reason, EVIDENCE_TEXT,
			 "of sleeps alone: the guest takes %s interrupts, so what a spin finds "
			 "leaves no trace%s",
			 f->blind ? "no" : "few", f->spins_known ? "" : ", if the loop spins");
	else
		snprintf(reason, EVIDENCE_TEXT,
			 "from its last interrupt, or its going to sleep, to the kick%s",
			 never_spins(f) ? ""
					: "; of a spin to its interrupt, less what serving takes");
	return EVIDENCE_INFERRED;
}
