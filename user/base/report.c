// SPDX-License-Identifier: BSD-2-Clause
/*
 * The report as data: names, and the guest's own line. Pure functions; here rather than in trace/
 * so that view/ and tune/ need nothing of the tracer. Neighbours: report_subtract.c (differences of
 * two snapshots), report_check.c (equalities).
 */
#include <handoff/report.h>

#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>

#define GUEST_PREFIX "handoff-guest: result "

struct report *report_new(void)
{
	return calloc(1, sizeof(struct report));
}

void report_free(struct report *r)
{
	free(r);
}

static const struct {
	const char *name, *from, *to;
} stages[STAGES] = {
	[STAGE_EXIT] = { "exit", "guest exit (kvm_exit)", "kick decoded (kvm_mmio)" },
	[STAGE_SIGNAL] = { "signal", "kick decoded (kvm_mmio)", "eventfd signalled" },
	[STAGE_WAKE] = { "wake", "eventfd signalled", "loop runnable (sched_wakeup)" },
	[STAGE_RUNQ] = { "runq", "loop runnable (sched_wakeup)", "loop on a CPU (sched_switch)" },
	[STAGE_DISPATCH] = { "dispatch", "loop on a CPU, or signalled while awake",
			     "queue handler entered" },
	[STAGE_SERVICE] = { "service", "queue handler entered", "queue handler left" },
	[STAGE_IO] = { "io", "request submitted to the backend", "completion seen" },
	[STAGE_IRQ] = { "irq", "completion seen", "irqfd signalled" },
	[STAGE_INJECT] = { "inject", "irqfd signalled",
			   "interrupt accepted (kvm_apic_accept_irq)" },
	[STAGE_ENTER] = { "enter", "interrupt accepted (kvm_apic_accept_irq)",
			  "guest entered (kvm_entry)" },
};

const char *stage_name(enum stage s)
{
	return s < STAGES ? stages[s].name : "?";
}

const char *stage_from(enum stage s)
{
	return s < STAGES ? stages[s].from : "?";
}

const char *stage_to(enum stage s)
{
	return s < STAGES ? stages[s].to : "?";
}

const char *outcome_name(enum outcome o)
{
	static const char *const names[OUTCOMES] = {
		[OUTCOME_POLLED] = "polled", [OUTCOME_NOTIFIED] = "notified",
		[OUTCOME_BUSY] = "busy",     [OUTCOME_USERSPACE] = "userspace",
		[OUTCOME_LOST] = "lost",
	};

	return o < OUTCOMES ? names[o] : "?";
}

const char *evidence_name(enum evidence e)
{
	return e == EVIDENCE_EXACT ? "exact" : e == EVIDENCE_INFERRED ? "inferred" : "absent";
}

const char *alarm_kind_name(enum report_alarm_kind kind)
{
	return kind == ALARM_SPINNING ? "spinning" : kind == ALARM_STUCK ? "stuck" : "?";
}

/* Copies a word of the guest's, which may hold anything: what is not printable ASCII becomes '?'.
 */
static void copy_word(char *to, size_t room, const char *from, size_t len)
{
	size_t i;

	len = MIN(len, room - 1);
	for (i = 0; i < len; i++)
		to[i] = from[i] >= ' ' && from[i] < 0x7f ? from[i] : '?';
	to[len] = '\0';
}

bool report_set_guest(struct report *r, const char *line)
{
	const char *word, *eq;
	size_t len;

	if (strncmp(line, GUEST_PREFIX, strlen(GUEST_PREFIX)))
		return false;
	r->n_guest = 0;
	r->guest_reason[0] = '\0';
	for (word = line + strlen(GUEST_PREFIX); *word; word += len) {
		word += strspn(word, " \t\r\n");
		len = strcspn(word, " \t\r\n");
		eq = memchr(word, '=', len);
		if (!eq || r->n_guest >= REPORT_GUEST_KEYS)
			continue;
		copy_word(r->guest[r->n_guest].key, sizeof(r->guest[0].key), word, eq - word);
		copy_word(r->guest[r->n_guest].value, sizeof(r->guest[0].value), eq + 1,
			  word + len - eq - 1);
		r->n_guest++;
	}
	return true;
}
