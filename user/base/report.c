// SPDX-License-Identifier: BSD-2-Clause
/*
 * The report as data: names, differences of two snapshots, the guest's own line. Pure functions;
 * here rather than in trace/ so that view/ and tune/ need nothing of the tracer.
 */
#include <handoff/report.h>

#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>

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

/* A counter that went back (a row handed out anew) counts as 0. */
static void take(uint64_t *now, uint64_t before)
{
	*now = *now > before ? *now - before : 0;
}

static void subtract_stages(struct report_stage *now, const struct report_stage *before)
{
	enum stage s;

	for (s = 0; s < STAGES; s++)
		hist_subtract(&now[s].hist, &before[s].hist);
}

static void subtract_queue(struct report_queue *now, const struct report_queue *before)
{
	unsigned int o;

	take(&now->arrivals, before->arrivals);
	for (o = 0; o < OUTCOMES; o++)
		take(&now->outcome[o], before->outcome[o]);
	take(&now->kicks, before->kicks);
	take(&now->wasted_kicks, before->wasted_kicks);
	take(&now->kicks_vmm, before->kicks_vmm);
	take(&now->kicks_left, before->kicks_left);
	take(&now->kicks_left_vmm, before->kicks_left_vmm);
	take(&now->injected, before->injected);
	take(&now->posted, before->posted);
	take(&now->requests, before->requests);
	take(&now->completions, before->completions);
	take(&now->interrupts, before->interrupts);
	take(&now->interrupts_suppressed, before->interrupts_suppressed);
	take(&now->errors, before->errors);
	take(&now->spurious, before->spurious);
	subtract_stages(now->stage, before->stage);
}

static void subtract_loop(struct report_loop *now, const struct report_loop *before)
{
	take(&now->polls, before->polls);
	take(&now->hits, before->hits);
	take(&now->iterations, before->iterations);
	take(&now->kicks_suppressed, before->kicks_suppressed);
	take(&now->spurious_wakes, before->spurious_wakes);
	take(&now->wakes, before->wakes);
	take(&now->preemptions, before->preemptions);
	take(&now->wall_ns, before->wall_ns);
	take(&now->handling_ns, before->handling_ns);
	take(&now->polling_hit_ns, before->polling_hit_ns);
	take(&now->polling_waste_ns, before->polling_waste_ns);
	take(&now->blocked_ns, before->blocked_ns);
	take(&now->runq_ns, before->runq_ns);
	take(&now->preempted_ns, before->preempted_ns);
	subtract_stages(now->stage, before->stage);
}

static void subtract_vcpu(struct report_vcpu *now, const struct report_vcpu *before)
{
	uint32_t i, k;

	take(&now->exits, before->exits);
	take(&now->entries, before->entries);
	take(&now->mmio_writes, before->mmio_writes);
	take(&now->mmio_reads, before->mmio_reads);
	take(&now->pio, before->pio);
	take(&now->pio_writes, before->pio_writes);
	take(&now->user_exits, before->user_exits);
	/* They stand in order of frequency, which may have changed. */
	for (i = 0; i < now->n_reasons; i++)
		for (k = 0; k < before->n_reasons; k++)
			if (!strcmp(now->reason[i].name, before->reason[k].name))
				take(&now->reason[i].count, before->reason[k].count);
}

static void subtract_io(struct report_io *now, const struct report_io *before)
{
	uint32_t i, k;

	take(&now->mmio_writes, before->mmio_writes);
	take(&now->mmio_reads, before->mmio_reads);
	take(&now->pio_writes, before->pio_writes);
	take(&now->pio_reads, before->pio_reads);
	take(&now->kicks, before->kicks);
	take(&now->untracked, before->untracked);
	for (i = 0; i < now->n_address; i++) {
		struct report_address *a = &now->address[i];

		for (k = 0; k < before->n_address; k++) {
			const struct report_address *b = &before->address[k];

			if (a->gpa != b->gpa || a->pio != b->pio || a->write != b->write)
				continue;
			take(&a->count, b->count);
			take(&a->left, b->left);
		}
	}
}

/* Those since `before`, with their time counted from there. */
static void subtract_handovers(struct report *out, const struct report *before)
{
	uint64_t fresh = out->handovers_total;
	int64_t shift = before->duration_ns;
	uint32_t drop, i;

	take(&fresh, before->handovers_total);
	out->handovers_total = fresh;
	drop = fresh < out->n_handovers ? out->n_handovers - fresh : 0;
	memmove(out->handover, out->handover + drop,
		(out->n_handovers - drop) * sizeof(out->handover[0]));
	out->n_handovers -= drop;
	for (i = 0; i < out->n_handovers; i++)
		out->handover[i].t_ns -= shift;
}

/* The row of `before` that is the same object: rows keep their order, but others may have come
 * between. */
#define FIND_BEFORE(found, list, n, same)                                                          \
	do {                                                                                       \
		uint32_t k_;                                                                       \
		(found) = NULL;                                                                    \
		for (k_ = 0; k_ < (n) && !(found); k_++) {                                         \
			const __typeof__((list)[0]) *b = &(list)[k_];                              \
			if (same)                                                                  \
				(found) = b;                                                       \
		}                                                                                  \
	} while (0)

void report_subtract(struct report *out, const struct report *now, const struct report *before)
{
	const struct report_queue *q;
	const struct report_loop *l;
	const struct report_vcpu *v;
	uint32_t i;

	*out = *now;
	out->start_realtime_ns += before->duration_ns;
	take(&out->duration_ns, before->duration_ns);
	take(&out->steal_ns, before->steal_ns);
	subtract_stages(out->stage, before->stage);
	for (i = 0; i < LOSSES; i++)
		take(&out->loss[i], before->loss[i]);
	for (i = 0; i < out->n_queues; i++) {
		FIND_BEFORE(q, before->queue, before->n_queues,
			    !strcmp(b->device, out->queue[i].device) &&
				    b->queue == out->queue[i].queue);
		if (q)
			subtract_queue(&out->queue[i], q);
	}
	for (i = 0; i < out->n_loops; i++) {
		FIND_BEFORE(l, before->loop, before->n_loops, !strcmp(b->id, out->loop[i].id));
		if (l)
			subtract_loop(&out->loop[i], l);
	}
	for (i = 0; i < out->n_vcpus; i++) {
		FIND_BEFORE(v, before->vcpu, before->n_vcpus, b->id == out->vcpu[i].id);
		if (v)
			subtract_vcpu(&out->vcpu[i], v);
	}
	subtract_io(&out->io, &before->io);
	subtract_handovers(out, before);
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
