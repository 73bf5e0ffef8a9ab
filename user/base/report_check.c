// SPDX-License-Identifier: BSD-2-Clause
/* "Truth is checked, not hoped for": the equalities that a report must fulfil, whoever made it.
 * Pure. */
#include <handoff/report.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>

struct check {
	void (*tell)(void *opaque, const char *line);
	void *opaque;
	unsigned int violations;
};

static void PRINTF_LIKE(2, 3) violated(struct check *c, const char *fmt, ...)
{
	char line[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	c->violations++;
	if (c->tell)
		c->tell(c->opaque, line);
}

/* A number the guest reported. False if it said nothing of that name, or no number. */
static bool guest_number(const struct report *r, const char *key, uint64_t *value)
{
	uint32_t i;
	char *end;

	for (i = 0; i < r->n_guest; i++) {
		if (strcmp(r->guest[i].key, key))
			continue;
		errno = 0;
		*value = strtoull(r->guest[i].value, &end, 10);
		return !errno && end != r->guest[i].value && !*end;
	}
	return false;
}

/*
 * A guest that reported has ended by itself and nothing was under way. One that was stopped or
 * killed may have kicked last without being served: then BPF may have seen more than the VMM, never
 * less, but for what was under way when it came.
 */
static void check_told(struct check *c, const struct report *r, const struct report_queue *q)
{
	uint64_t late = r->late ? REPORT_LATE : 0;

	if (q->kicks_evidence != EVIDENCE_EXACT || q->vmm_evidence == EVIDENCE_ABSENT)
		return;
	if (r->n_guest ? q->kicks != q->kicks_vmm : q->kicks + late < q->kicks_vmm)
		violated(c,
			 "%s queue %u: %" PRIu64 " kicks seen by BPF, %" PRIu64
			 " counted by the VMM",
			 q->device, q->queue, q->kicks, q->kicks_vmm);
	if (q->left_evidence == EVIDENCE_EXACT &&
	    (r->n_guest ? q->kicks_left != q->kicks_left_vmm
			: q->kicks_left + late < q->kicks_left_vmm))
		violated(c,
			 "%s queue %u: %" PRIu64 " kicks left to user space as BPF saw it, %" PRIu64
			 " by the VMM's count",
			 q->device, q->queue, q->kicks_left, q->kicks_left_vmm);
}

/*
 * What the kicks met. A VM that runs goes on while its counters are copied: each vCPU may be
 * between a kick and what it met, the loop between a window and the next, and the copy itself may
 * be interrupted, for which one in 10000 is allowed.
 */
static void check_met(struct check *c, const struct report *r, const struct report_queue *q)
{
	uint64_t sum = q->kicks_asleep + q->kicks_awake + q->kicks_coalesced + q->kicks_open;
	uint64_t room = r->vmm_alive ? r->n_vcpus + 1 + q->kicks / 10000 : 0;

	if (q->met_evidence != EVIDENCE_EXACT || q->kicks_evidence != EVIDENCE_EXACT ||
	    q->left_evidence != EVIDENCE_EXACT)
		return;
	sum += q->kicks_left;
	if ((sum > q->kicks ? sum - q->kicks : q->kicks - sum) > room)
		violated(c,
			 "%s queue %u: what kicks met adds up to %" PRIu64 ", kicks are %" PRIu64,
			 q->device, q->queue, sum, q->kicks);
}

static void check_queue(struct check *c, const struct report *r, const struct report_queue *q)
{
	uint64_t sum = 0;
	unsigned int o;

	for (o = 0; o < OUTCOMES; o++)
		sum += q->outcome[o];
	if (sum != q->arrivals)
		violated(c, "%s queue %u: outcomes add up to %" PRIu64 ", arrivals are %" PRIu64,
			 q->device, q->queue, sum, q->arrivals);
	if (q->requests_evidence != EVIDENCE_ABSENT &&
	    q->completions > q->requests + (r->late ? REPORT_LATE : 0))
		violated(c, "%s queue %u: %" PRIu64 " completions of %" PRIu64 " requests",
			 q->device, q->queue, q->completions, q->requests);
	check_told(c, r, q);
	check_met(c, r, q);
}

static void check_guest(struct check *c, const struct report *r)
{
	uint64_t kicks = 0, requests = 0, said;
	bool kicks_known = true, requests_known = true;
	uint32_t i;

	for (i = 0; i < r->n_queues; i++) {
		kicks += r->queue[i].kicks;
		requests += r->queue[i].requests;
		kicks_known &= r->queue[i].kicks_evidence != EVIDENCE_ABSENT;
		requests_known &= r->queue[i].requests_evidence != EVIDENCE_ABSENT;
	}
	if (kicks_known && guest_number(r, "kicks", &said) && said != kicks)
		violated(c, "%" PRIu64 " kicks seen, the guest sent %" PRIu64, kicks, said);
	if (requests_known && guest_number(r, "requests", &said) && said != requests)
		violated(c, "%" PRIu64 " requests seen, the guest made %" PRIu64, requests, said);
}

static void check_loop(struct check *c, const struct report_loop *l)
{
	uint64_t sum = l->handling_ns + l->polling_hit_ns + l->polling_waste_ns + l->blocked_ns +
		       l->runq_ns;
	uint64_t apart = sum > l->wall_ns ? sum - l->wall_ns : l->wall_ns - sum;

	if (l->account_evidence != EVIDENCE_ABSENT && apart > l->wall_ns / 100)
		violated(c, "loop %s: its account adds up to %" PRIu64 " ns of %" PRIu64 " ns",
			 l->id, sum, l->wall_ns);
}

unsigned int report_check(const struct report *r, void (*tell)(void *opaque, const char *line),
			  void *opaque)
{
	static const char *const losses[LOSSES] = {
		[LOSS_RECORDS] = "records dropped",
		[LOSS_LOOKUPS] = "states not found",
		[LOSS_MAPS] = "map entries refused",
		/* Not LOSS_CLOCK: the kernel's fast clock may step by ns between CPUs, which is
		 * shown among the losses and contradicts nothing. */
	};
	struct check c = { .tell = tell, .opaque = opaque };
	uint32_t i;

	for (i = 0; i < r->n_queues; i++)
		check_queue(&c, r, &r->queue[i]);
	check_guest(&c, r);
	for (i = 0; i < r->n_loops; i++)
		check_loop(&c, &r->loop[i]);
	for (i = 0; i < LOSSES; i++)
		if (r->loss[i] && losses[i])
			violated(&c, "the tracer lost something: %" PRIu64 " %s", r->loss[i],
				 losses[i]);
	return c.violations;
}
