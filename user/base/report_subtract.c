// SPDX-License-Identifier: BSD-2-Clause
/* The difference of two snapshots. Pure. What is no counter (settings, names, kicks_open, alarms)
 * is as it is now. */
#include <handoff/report.h>

#include <string.h>
#include <handoff/hist.h>

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
	take(&now->kicks_asleep, before->kicks_asleep);
	take(&now->kicks_awake, before->kicks_awake);
	take(&now->kicks_coalesced, before->kicks_coalesced);
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
	hist_subtract(&now->gap_hist, &before->gap_hist);
	hist_subtract(&now->wake_hist, &before->wake_hist);
}

/*
 * Lists of the most frequent forget the others. Of one that was not on a list that was full, all
 * that is known is that it had no more than the last on it (`hidden`): so many are taken off, and
 * what is shown did happen in the interval.
 */
static void subtract_vcpu(struct report_vcpu *now, const struct report_vcpu *before)
{
	uint64_t hidden = 0;
	uint32_t i, k;

	take(&now->exits, before->exits);
	take(&now->entries, before->entries);
	take(&now->mmio_writes, before->mmio_writes);
	take(&now->mmio_reads, before->mmio_reads);
	take(&now->pio, before->pio);
	take(&now->pio_writes, before->pio_writes);
	take(&now->user_exits, before->user_exits);
	/* They stand in order of frequency, which may have changed; the last is all the others. */
	if (before->n_reasons == REPORT_EXIT_REASONS)
		hidden = before->reason[REPORT_EXIT_REASONS - 2].count;
	for (i = 0; i < now->n_reasons; i++) {
		for (k = 0; k < before->n_reasons; k++)
			if (!strcmp(now->reason[i].name, before->reason[k].name))
				break;
		take(&now->reason[i].count,
		     k < before->n_reasons ? before->reason[k].count : hidden);
	}
}

static bool same_address(const struct report_address *a, const struct report_address *b)
{
	return a->gpa == b->gpa && a->pio == b->pio && a->write == b->write;
}

static void subtract_io(struct report_io *now, const struct report_io *before)
{
	uint64_t hidden = 0;
	uint32_t i, k;

	take(&now->mmio_writes, before->mmio_writes);
	take(&now->mmio_reads, before->mmio_reads);
	take(&now->pio_writes, before->pio_writes);
	take(&now->pio_reads, before->pio_reads);
	take(&now->kicks, before->kicks);
	take(&now->untracked, before->untracked);
	if (before->n_address == REPORT_ADDRESSES)
		hidden = before->address[REPORT_ADDRESSES - 1].count;
	for (i = 0; i < now->n_address; i++) {
		struct report_address *a = &now->address[i];

		for (k = 0; k < before->n_address; k++)
			if (same_address(a, &before->address[k]))
				break;
		take(&a->count, k < before->n_address ? before->address[k].count : hidden);
		take(&a->left, k < before->n_address ? before->address[k].left : hidden);
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

/* The newest stay. */
static void subtract_waits(struct report *out, const struct report *before)
{
	uint32_t gone = 0;

	take(&out->waits_total, before->waits_total);
	if (out->n_waits > out->waits_total)
		gone = out->n_waits - (uint32_t)out->waits_total;
	out->n_waits -= gone;
	memmove(out->wait, out->wait + gone, out->n_waits * sizeof(out->wait[0]));
}

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
		/* A name may be told later than the queue is seen. */
		if (!q && out->queue[i].gpa)
			FIND_BEFORE(q, before->queue, before->n_queues,
				    b->gpa == out->queue[i].gpa && b->queue == out->queue[i].queue);
		if (q)
			subtract_queue(&out->queue[i], q);
	}
	for (i = 0; i < out->n_loops; i++) {
		FIND_BEFORE(l, before->loop, before->n_loops, !strcmp(b->id, out->loop[i].id));
		if (!l && out->loop[i].tid)
			FIND_BEFORE(l, before->loop, before->n_loops, b->tid == out->loop[i].tid);
		if (l)
			subtract_loop(&out->loop[i], l);
	}
	for (i = 0; i < out->n_vcpus; i++) {
		FIND_BEFORE(v, before->vcpu, before->n_vcpus, b->id == out->vcpu[i].id);
		if (v)
			subtract_vcpu(&out->vcpu[i], v);
	}
	subtract_waits(out, before);
	take(&out->alarms_total, before->alarms_total);
	subtract_io(&out->io, &before->io);
	subtract_handovers(out, before);
}
