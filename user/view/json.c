// SPDX-License-Identifier: BSD-2-Clause
/*
 * The report as one JSON document, schema handoff.report/1 (design.md). Every report has the same
 * keys: a figure without evidence is null, never 0. Main thread. Neighbour: json_file.c writes it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <jansson.h>

#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "json.h"
#include "rows.h"

static void put_uint(json_t *to, const char *key, uint64_t value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

/* null when nobody knows. */
static void put_known(json_t *to, const char *key, bool known, uint64_t value)
{
	json_object_set_new(to, key, known ? json_integer((json_int_t)value) : json_null());
}

static void put_share(json_t *to, const char *key, bool known, uint64_t part, uint64_t whole)
{
	json_object_set_new(to, key,
			    known && whole ? json_real((double)part / (double)whole) : json_null());
}

static void put_text(json_t *to, const char *key, const char *value)
{
	json_t *text = json_string(value);

	/* The guest or a file name may have given bytes that are no UTF-8. */
	json_object_set_new(to, key, text ? text : json_string("?"));
}

/* What there is to say, or null. */
static void put_reason(json_t *to, const char *key, const char *reason)
{
	if (*reason)
		put_text(to, key, reason);
	else
		json_object_set_new(to, key, json_null());
}

static json_t *hist_json(const struct hist *h)
{
	json_t *buckets = json_array();

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		uint64_t le = MIN(hist_upper(i), h->max_ns);

		if (h->bucket[i])
			json_array_append_new(buckets, json_pack("[I I]", (json_int_t)le,
								 (json_int_t)h->bucket[i]));
	}
	return buckets;
}

static json_t *stage_json(enum stage s, const struct report_stage *stage, bool with_hist)
{
	json_t *out = json_pack("{ss ss}", "name", stage_name(s), "evidence",
				evidence_name(stage->evidence));
	const struct hist *h = &stage->hist;
	bool known = stage->evidence != EVIDENCE_ABSENT, any = known && h->count;

	put_reason(out, "reason", stage->reason);
	put_known(out, "count", known, h->count);
	put_known(out, "min_ns", any, h->min_ns);
	put_known(out, "p50_ns", any, any ? hist_quantile_ns(h, 500) : 0);
	put_known(out, "p90_ns", any, any ? hist_quantile_ns(h, 900) : 0);
	put_known(out, "p99_ns", any, any ? hist_quantile_ns(h, 990) : 0);
	put_known(out, "max_ns", any, h->max_ns);
	put_known(out, "sum_ns", any, h->sum_ns);
	if (with_hist)
		json_object_set_new(out, "hist", known ? hist_json(h) : json_null());
	return out;
}

static json_t *stages_json(const struct report_stage *stages, bool with_hist)
{
	json_t *out = json_array();

	for (enum stage s = 0; s < STAGES; s++)
		json_array_append_new(out, stage_json(s, &stages[s], with_hist));
	return out;
}

static json_t *outcomes_json(const struct report_queue *q)
{
	json_t *out = json_object();

	for (enum outcome o = 0; o < OUTCOMES; o++)
		put_known(out, outcome_name(o), view_outcome_known(q, o), q->outcome[o]);
	return out;
}

static json_t *queue_json(const struct report_queue *q)
{
	bool kicks_known = q->kicks_evidence != EVIDENCE_ABSENT;
	bool injects_known = q->stage[STAGE_INJECT].evidence != EVIDENCE_ABSENT;
	json_t *out = json_object();

	put_text(out, "device", q->device);
	put_uint(out, "queue", q->queue);
	put_uint(out, "gpa", q->gpa);
	put_text(out, "loop", q->loop);
	json_object_set_new(out, "ioeventfd", json_boolean(q->ioeventfd));
	put_uint(out, "arrivals", q->arrivals);
	put_text(out, "outcomes_evidence", evidence_name(q->outcome_evidence));
	json_object_set_new(out, "outcomes", outcomes_json(q));
	put_text(out, "kicks_evidence", evidence_name(q->kicks_evidence));
	put_known(out, "kicks", kicks_known, q->kicks);
	put_known(out, "wasted_kicks", view_wasted_known(q), q->wasted_kicks);
	put_share(out, "kicks_per_request", kicks_known, q->kicks, q->requests);
	put_uint(out, "kicks_vmm", q->kicks_vmm);
	put_text(out, "left_evidence", evidence_name(q->left_evidence));
	put_known(out, "kicks_left", q->left_evidence != EVIDENCE_ABSENT, q->kicks_left);
	put_uint(out, "kicks_left_vmm", q->kicks_left_vmm);
	put_uint(out, "requests", q->requests);
	put_uint(out, "completions", q->completions);
	put_uint(out, "interrupts", q->interrupts);
	put_known(out, "injected", injects_known, q->injected);
	put_known(out, "posted", injects_known, q->posted);
	put_uint(out, "interrupts_suppressed", q->interrupts_suppressed);
	put_uint(out, "spurious", q->spurious);
	put_uint(out, "errors", q->errors);
	json_object_set_new(out, "stages", stages_json(q->stage, false));
	return out;
}

/* Shares of wall time, 0 .. 1, which add up to 1. */
static json_t *account_json(const struct report_loop *l)
{
	json_t *out = json_pack("{ss}", "evidence", evidence_name(l->account_evidence));
	bool known = l->account_evidence != EVIDENCE_ABSENT;
	bool runq_known = known && l->runq_evidence != EVIDENCE_ABSENT;

	put_reason(out, "reason", l->account_reason);
	put_share(out, "handling", known, l->handling_ns, l->wall_ns);
	put_share(out, "polling_hit", known, l->polling_hit_ns, l->wall_ns);
	put_share(out, "polling_waste", known, l->polling_waste_ns, l->wall_ns);
	put_share(out, "blocked", known, l->blocked_ns, l->wall_ns);
	put_share(out, "runq", runq_known, l->runq_ns, l->wall_ns);
	put_known(out, "preempted_ns", runq_known, l->preempted_ns);
	put_known(out, "wall_ns", known, l->wall_ns);
	return out;
}

static json_t *loop_json(const struct report_loop *l)
{
	bool runq_known = l->runq_evidence != EVIDENCE_ABSENT;
	json_t *out = json_object(), *poll = json_object();

	put_uint(out, "tid", l->tid);
	put_text(out, "comm", l->comm);
	put_text(out, "id", l->id);
	put_text(out, "kind", l->kind == STATS_LOOP_MAIN ? "main" : "iothread");
	put_known(out, "cpu", l->cpu >= 0, (uint64_t)l->cpu);
	put_uint(poll, "max_ns", l->poll_max_ns);
	put_uint(poll, "ns", l->poll_ns);
	put_uint(poll, "grow", l->poll_grow);
	put_uint(poll, "shrink", l->poll_shrink);
	put_uint(poll, "weight", l->poll_weight);
	json_object_set_new(out, "poll", poll);
	put_uint(out, "polls", l->polls);
	put_uint(out, "hits", l->hits);
	put_uint(out, "iterations", l->iterations);
	put_uint(out, "kicks_suppressed", l->kicks_suppressed);
	json_object_set_new(out, "account", account_json(l));
	put_uint(out, "spurious_wakes", l->spurious_wakes);
	put_known(out, "wakes", runq_known, l->wakes);
	put_known(out, "preemptions", runq_known, l->preemptions);
	json_object_set_new(out, "stages", stages_json(l->stage, false));
	return out;
}

static json_t *reasons_json(const struct report_vcpu *v)
{
	json_t *out = json_object();

	for (uint32_t i = 0; i < v->n_reasons; i++)
		put_uint(out, v->reason[i].name, v->reason[i].count);
	return out;
}

static json_t *vcpu_json(const struct report_vcpu *v)
{
	bool exits = v->exits_evidence != EVIDENCE_ABSENT;
	bool reasons = v->reasons_evidence != EVIDENCE_ABSENT;
	bool mmio = v->mmio_evidence != EVIDENCE_ABSENT, pio = v->pio_evidence != EVIDENCE_ABSENT;
	json_t *out = json_object();

	put_uint(out, "tid", v->tid);
	put_uint(out, "id", v->id);
	put_text(out, "exits_evidence", evidence_name(v->exits_evidence));
	put_reason(out, "exits_reason", v->exits_reason);
	put_known(out, "exits", exits, v->exits);
	put_known(out, "entries", exits, v->entries);
	put_text(out, "reasons_evidence", evidence_name(v->reasons_evidence));
	put_reason(out, "reasons_reason", v->reasons_reason);
	json_object_set_new(out, "exits_by_reason", reasons ? reasons_json(v) : json_null());
	put_text(out, "mmio_evidence", evidence_name(v->mmio_evidence));
	put_known(out, "mmio_writes", mmio, v->mmio_writes);
	put_known(out, "mmio_reads", mmio, v->mmio_reads);
	put_text(out, "pio_evidence", evidence_name(v->pio_evidence));
	put_known(out, "pio", pio, v->pio);
	put_known(out, "pio_writes", pio, v->pio_writes);
	put_text(out, "user_exits_evidence", evidence_name(v->user_exits_evidence));
	put_known(out, "user_exits", v->user_exits_evidence != EVIDENCE_ABSENT, v->user_exits);
	return out;
}

static json_t *addresses_json(const struct report_io *io)
{
	json_t *out = json_array();

	for (uint32_t i = 0; i < io->n_address; i++) {
		const struct report_address *a = &io->address[i];

		json_t *row = json_pack("{sI ss ss sI}", "gpa", (json_int_t)a->gpa, "space",
					a->pio ? "pio" : "mmio", "access",
					a->write ? "write" : "read", "count", (json_int_t)a->count);

		put_known(row, "left", a->write && io->left_evidence != EVIDENCE_ABSENT, a->left);
		json_array_append_new(out, row);
	}
	return out;
}

/* What all vCPUs touched outside guest memory; addresses are those that are no queue's. */
static json_t *io_json(const struct report_io *io)
{
	bool mmio = io->mmio_evidence != EVIDENCE_ABSENT, pio = io->pio_evidence != EVIDENCE_ABSENT;
	bool any = mmio || pio;
	json_t *out = json_object();

	put_text(out, "mmio_evidence", evidence_name(io->mmio_evidence));
	put_known(out, "mmio_writes", mmio, io->mmio_writes);
	put_known(out, "mmio_reads", mmio, io->mmio_reads);
	put_text(out, "pio_evidence", evidence_name(io->pio_evidence));
	put_known(out, "pio_writes", pio, io->pio_writes);
	put_known(out, "pio_reads", pio, io->pio_reads);
	put_known(out, "kicks", mmio, io->kicks);
	put_known(out, "untracked", any, io->untracked);
	put_known(out, "addresses", any, io->addresses);
	json_object_set_new(out, "by_address", any ? addresses_json(io) : json_null());
	return out;
}

static json_t *handovers_json(const struct report *r)
{
	json_t *out = json_array();

	for (uint32_t i = 0; i < r->n_handovers; i++) {
		const struct report_handover *h = &r->handover[i];

		json_array_append_new(out, json_pack("{ss ss ss sI sI}", "device", h->device,
						     "from", h->from, "to", h->to, "duration_ns",
						     (json_int_t)h->duration_ns, "t_ns",
						     (json_int_t)h->t_ns));
	}
	return out;
}

/* Whole decimal numbers become numbers, the rest stays text. */
static json_t *guest_value(const char *text)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	return *text && !*end && !errno ? json_integer(n) : json_string(text);
}

static json_t *guest_json(const struct report *r)
{
	json_t *out = json_object();

	put_reason(out, "absent", r->n_guest ? "" : r->guest_reason);
	for (uint32_t i = 0; i < r->n_guest; i++)
		json_object_set_new(out, r->guest[i].key, guest_value(r->guest[i].value));
	return out;
}

static json_t *losses_json(const struct report *r)
{
	bool known = view_watched(r);
	json_t *out = json_object();

	put_known(out, "records", known, r->loss[LOSS_RECORDS]);
	put_known(out, "lookups", known, r->loss[LOSS_LOOKUPS]);
	put_known(out, "maps", known, r->loss[LOSS_MAPS]);
	put_known(out, "clock", known, r->loss[LOSS_CLOCK]);
	return out;
}

static json_t *host_json(const struct report *r)
{
	json_t *out = json_object(), *evidence = json_object();

	put_text(out, "kernel", r->kernel);
	put_text(out, "kvm", r->kvm);
	put_text(out, "cpu", r->cpu);
	json_object_set_new(out, "hypervisor", json_boolean(r->hypervisor));
	put_uint(out, "steal_ns", r->steal_ns);
	for (enum stage s = 0; s < STAGES; s++)
		put_text(evidence, stage_name(s), evidence_name(r->stage[s].evidence));
	put_text(evidence, "hooks", r->hooks);
	json_object_set_new(out, "evidence", evidence);
	return out;
}

static json_t *interval_json(const struct report *r)
{
	time_t seconds = (time_t)(r->start_realtime_ns / 1000000000);
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{ss sI}", "start", text, "duration_ns", (json_int_t)r->duration_ns);
}

#define ROWS(key, n, array, fn)                                                                    \
	do {                                                                                       \
		json_t *rows = json_array();                                                       \
		for (uint32_t row = 0; row < (n); row++)                                           \
			json_array_append_new(rows, fn(&(array)[row]));                            \
		json_object_set_new(root, key, rows);                                              \
	} while (0)

json_t *view_json_document(const struct report *r)
{
	json_t *root = json_pack("{ss s{ss}}", "schema", REPORT_SCHEMA, "handoff", "version",
				 HANDOFF_VERSION);
	json_t *vmm = json_object();

	if (!root)
		return NULL;
	json_object_set_new(root, "host", host_json(r));
	put_uint(vmm, "pid", r->pid);
	put_text(vmm, "comm", r->comm);
	put_text(vmm, "kind", r->vmm_kind);
	json_object_set_new(root, "vmm", vmm);
	json_object_set_new(root, "interval", interval_json(r));
	json_object_set_new(root, "stages", stages_json(r->stage, true));
	ROWS("queues", r->n_queues, r->queue, queue_json);
	ROWS("loops", r->n_loops, r->loop, loop_json);
	ROWS("vcpus", r->n_vcpus, r->vcpu, vcpu_json);
	json_object_set_new(root, "io", io_json(&r->io));
	json_object_set_new(root, "handovers", handovers_json(r));
	put_uint(root, "handovers_total", r->handovers_total);
	json_object_set_new(root, "losses", losses_json(r));
	json_object_set_new(root, "guest", guest_json(r));
	return root;
}
