// SPDX-License-Identifier: BSD-2-Clause
/* Queues, loops, vCPUs and alarms as JSON: see json_rows.h. Neighbour: json.c, the document. */
#include <stdio.h>

#include <handoff/hist.h>
#include <handoff/report.h>

#include "json_put.h"
#include "json_rows.h"
#include "rows.h"

static json_t *outcomes_json(const struct report_queue *q)
{
	json_t *out = json_object();

	for (enum outcome o = 0; o < OUTCOMES; o++)
		json_put_known(out, outcome_name(o), view_outcome_known(q, o), q->outcome[o]);
	return out;
}

/* What the kicks met; left ones are told again beside the VMM's own count of them. */
static json_t *met_json(const struct report_queue *q)
{
	bool known = q->met_evidence != EVIDENCE_ABSENT;
	bool left = known && q->left_evidence != EVIDENCE_ABSENT;
	json_t *out = json_pack("{ss}", "evidence", evidence_name(q->met_evidence));

	json_put_known(out, "asleep", known, q->kicks_asleep);
	json_put_known(out, "awake", known, q->kicks_awake);
	json_put_known(out, "coalesced", known, q->kicks_coalesced);
	json_put_known(out, "left", left, q->kicks_left);
	json_put_known(out, "open", known, q->kicks_open);
	return out;
}

static void put_arrivals(json_t *out, const struct report_queue *q)
{
	json_put_evidence(out, "arrivals", q->arrivals_evidence, q->arrivals_reason);
	json_put_known(out, "arrivals", q->arrivals_evidence != EVIDENCE_ABSENT, q->arrivals);
	json_put_evidence(out, "outcomes", q->outcome_evidence, NULL);
	json_object_set_new(out, "outcomes", outcomes_json(q));
}

static void put_kicks(json_t *out, const struct report_queue *q)
{
	bool known = q->kicks_evidence != EVIDENCE_ABSENT;
	bool vmm = q->vmm_evidence != EVIDENCE_ABSENT;
	bool requests = q->requests_evidence != EVIDENCE_ABSENT;

	json_put_evidence(out, "kicks", q->kicks_evidence, NULL);
	json_put_known(out, "kicks", known, q->kicks);
	json_object_set_new(out, "kick_classes", met_json(q));
	json_put_known(out, "wasted_kicks", view_wasted_known(q), q->wasted_kicks);
	json_put_share(out, "kicks_per_request", known && requests, q->kicks, q->requests);
	json_put_known(out, "kicks_vmm", vmm, q->kicks_vmm);
	json_put_evidence(out, "left", q->left_evidence, NULL);
	json_put_known(out, "kicks_left", q->left_evidence != EVIDENCE_ABSENT, q->kicks_left);
	json_put_known(out, "kicks_left_vmm", vmm, q->kicks_left_vmm);
}

json_t *json_queue(const struct report_queue *q)
{
	bool injects_known = q->stage[STAGE_INJECT].evidence != EVIDENCE_ABSENT;
	bool vmm = q->vmm_evidence != EVIDENCE_ABSENT;
	bool requests = q->requests_evidence != EVIDENCE_ABSENT;
	json_t *out = json_object();

	json_put_text(out, "device", q->device);
	json_put_uint(out, "queue", q->queue);
	json_put_evidence(out, "name", q->name_evidence, q->name_reason);
	json_put_uint(out, "gpa", q->gpa);
	json_put_reason(out, "loop", q->loop);
	json_object_set_new(out, "ioeventfd", json_boolean(q->ioeventfd));
	put_arrivals(out, q);
	put_kicks(out, q);
	json_put_evidence(out, "requests", q->requests_evidence, NULL);
	json_put_known(out, "requests", requests, q->requests);
	json_put_known(out, "completions", requests, q->completions);
	json_put_known(out, "interrupts", q->interrupts_evidence != EVIDENCE_ABSENT, q->interrupts);
	json_put_known(out, "injected", injects_known, q->injected);
	json_put_known(out, "posted", injects_known, q->posted);
	json_put_evidence(out, "vmm", q->vmm_evidence, NULL);
	json_put_known(out, "interrupts_suppressed", vmm, q->interrupts_suppressed);
	json_put_known(out, "spurious", vmm, q->spurious);
	json_put_known(out, "errors", vmm, q->errors);
	json_object_set_new(out, "stages", json_stages(q->stage, false));
	return out;
}

/* Shares of wall time, 0 .. 1, which add up to 1. */
static json_t *account_json(const struct report_loop *l)
{
	json_t *out = json_pack("{ss}", "evidence", evidence_name(l->account_evidence));
	bool known = l->account_evidence != EVIDENCE_ABSENT;
	bool runq_known = known && l->runq_evidence != EVIDENCE_ABSENT;

	json_put_reason(out, "reason", l->account_reason);
	json_put_share(out, "handling", known, l->handling_ns, l->wall_ns);
	json_put_share(out, "polling_hit", known, l->polling_hit_ns, l->wall_ns);
	json_put_share(out, "polling_waste", known, l->polling_waste_ns, l->wall_ns);
	json_put_share(out, "blocked", known, l->blocked_ns, l->wall_ns);
	json_put_share(out, "runq", runq_known, l->runq_ns, l->wall_ns);
	json_put_known(out, "preempted_ns", runq_known, l->preempted_ns);
	json_put_known(out, "wall_ns", known, l->wall_ns);
	return out;
}

static json_t *settings_json(const struct report_loop *l)
{
	bool known = l->settings_evidence != EVIDENCE_ABSENT;
	json_t *out = json_pack("{ss}", "evidence", evidence_name(l->settings_evidence));

	json_put_known(out, "max_ns", known, l->poll_max_ns);
	json_put_known(out, "ns", l->counters_evidence != EVIDENCE_ABSENT, l->poll_ns);
	json_put_known(out, "grow", known, l->poll_grow);
	json_put_known(out, "shrink", known, l->poll_shrink);
	json_put_known(out, "weight", known, l->poll_weight);
	json_put_reason(out, "policy", l->poll_policy);
	return out;
}

/* From running dry to the arrival; and wakes, of the sleeps among them. */
static json_t *gaps_json(const struct report_loop *l)
{
	json_t *out = json_pack("{ss}", "evidence", evidence_name(l->gaps_evidence));
	bool known = l->gaps_evidence != EVIDENCE_ABSENT, any = known && l->gap_hist.count;

	json_put_reason(out, "reason", l->gaps_reason);
	json_object_set_new(out, "spins_hidden", json_boolean(l->gaps_hidden));
	json_put_known(out, "count", known, l->gap_hist.count);
	json_put_known(out, "p50_ns", any, any ? hist_quantile_ns(&l->gap_hist, 500) : 0);
	json_put_known(out, "p90_ns", any, any ? hist_quantile_ns(&l->gap_hist, 900) : 0);
	json_put_known(out, "wakes", known, l->wake_hist.count);
	json_put_known(out, "wake_sum_ns", known, l->wake_hist.sum_ns);
	json_object_set_new(out, "hist", known ? json_hist(&l->gap_hist) : json_null());
	return out;
}

json_t *json_loop(const struct report_loop *l)
{
	bool runq_known = l->runq_evidence != EVIDENCE_ABSENT;
	bool polls_known = l->polls_evidence != EVIDENCE_ABSENT;
	bool counters_known = l->counters_evidence != EVIDENCE_ABSENT;
	json_t *out = json_object();

	json_put_uint(out, "tid", l->tid);
	json_put_text(out, "comm", l->comm);
	json_put_text(out, "id", l->id);
	json_put_text(out, "kind", l->kind == STATS_LOOP_MAIN ? "main" : "iothread");
	json_put_reason(out, "how", l->how);
	json_put_known(out, "cpu", l->cpu >= 0, (uint64_t)l->cpu);
	json_object_set_new(out, "poll", settings_json(l));
	json_put_evidence(out, "polls", l->polls_evidence, l->polls_reason);
	json_put_known(out, "polls", polls_known, l->polls);
	json_put_known(out, "hits", polls_known, l->hits);
	json_put_evidence(out, "counters", l->counters_evidence, NULL);
	json_put_known(out, "iterations", counters_known, l->iterations);
	json_put_known(out, "kicks_suppressed", counters_known, l->kicks_suppressed);
	json_put_known(out, "spurious_wakes", counters_known, l->spurious_wakes);
	json_object_set_new(out, "account", account_json(l));
	json_put_known(out, "wakes", runq_known, l->wakes);
	json_put_known(out, "preemptions", runq_known, l->preemptions);
	json_object_set_new(out, "gaps", gaps_json(l));
	json_object_set_new(out, "stages", json_stages(l->stage, false));
	return out;
}

static json_t *reasons_json(const struct report_vcpu *v)
{
	json_t *out = json_object();

	for (uint32_t i = 0; i < v->n_reasons; i++)
		json_put_uint(out, v->reason[i].name, v->reason[i].count);
	return out;
}

json_t *json_vcpu(const struct report_vcpu *v)
{
	bool exits = v->exits_evidence != EVIDENCE_ABSENT;
	bool reasons = v->reasons_evidence != EVIDENCE_ABSENT;
	bool mmio = v->mmio_evidence != EVIDENCE_ABSENT, pio = v->pio_evidence != EVIDENCE_ABSENT;
	json_t *out = json_object();

	json_put_uint(out, "tid", v->tid);
	json_put_uint(out, "id", v->id);
	json_put_text(out, "exits_evidence", evidence_name(v->exits_evidence));
	json_put_reason(out, "exits_reason", v->exits_reason);
	json_put_known(out, "exits", exits, v->exits);
	json_put_known(out, "entries", exits, v->entries);
	json_put_text(out, "reasons_evidence", evidence_name(v->reasons_evidence));
	json_put_reason(out, "reasons_reason", v->reasons_reason);
	json_object_set_new(out, "exits_by_reason", reasons ? reasons_json(v) : json_null());
	json_put_text(out, "mmio_evidence", evidence_name(v->mmio_evidence));
	json_put_known(out, "mmio_writes", mmio, v->mmio_writes);
	json_put_known(out, "mmio_reads", mmio, v->mmio_reads);
	json_put_text(out, "pio_evidence", evidence_name(v->pio_evidence));
	json_put_known(out, "pio", pio, v->pio);
	json_put_known(out, "pio_writes", pio, v->pio_writes);
	json_put_text(out, "user_exits_evidence", evidence_name(v->user_exits_evidence));
	json_put_known(out, "user_exits", v->user_exits_evidence != EVIDENCE_ABSENT, v->user_exits);
	return out;
}

/* Innermost first; null with a reason where it could not be had. */
static void put_stack(json_t *out, const char *key, uint32_t n,
		      const char frame[REPORT_FRAMES][REPORT_FRAME], const char *why)
{
	json_t *frames = json_array();
	char reason[32];

	for (uint32_t i = 0; i < n; i++) {
		json_t *text = json_string(frame[i]);

		json_array_append_new(frames, text ? text : json_string("?"));
	}
	if (!n) {
		json_decref(frames);
		frames = json_null();
	}
	json_object_set_new(out, key, frames);
	snprintf(reason, sizeof(reason), "%s_reason", key);
	json_put_reason(out, reason, why);
}

json_t *json_alarm(const struct report_alarm *a)
{
	bool spinning = a->kind == ALARM_SPINNING;
	char state[2] = { a->state == '?' ? '\0' : a->state };
	json_t *out = json_object();

	json_put_text(out, "kind", alarm_kind_name(a->kind));
	json_object_set_new(out, "over", json_boolean(a->over));
	json_put_uint(out, "t_ns", a->t_ns);
	json_put_uint(out, "age_ns", a->age_ns);
	json_put_known(out, "tid", a->tid != 0, a->tid);
	json_put_reason(out, "comm", a->comm);
	json_put_reason(out, "device", a->device);
	json_put_known(out, "queue", a->device[0] != '\0', a->queue);
	json_put_known(out, "fd", a->fd >= 0, (uint64_t)a->fd);
	json_put_uint(out, "eventfd_id", a->eventfd_id);
	json_put_uint(out, "count", a->count);
	json_object_set_new(out, "cpu_share", spinning ? json_real(a->cpu_share) : json_null());
	json_put_reason(out, "state", state);
	put_stack(out, "kernel_stack", a->n_kernel, a->kernel, a->kernel_why);
	put_stack(out, "user_stack", a->n_user, a->user, a->user_why);
	return out;
}
