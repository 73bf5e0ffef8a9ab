// SPDX-License-Identifier: BSD-2-Clause
/* Advice as a JSON document, schema handoff.tune/1: the same keys always, null for what nobody
 * knows. Main thread. */
#include <handoff/advisor.h>

#include <handoff/out_file.h>
#include <handoff/report.h>
#include "json.h"

static json_t *known(bool is, double value)
{
	return is ? json_real(value) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

json_t *json_of_point(const struct advice_point *p)
{
	return json_pack("{sI sf sf sf sf sf sf sf sf}", "max_ns", (json_int_t)p->max_ns,
			 "hit_share", p->hit_share, "hit_share_most", p->hit_most, "spun_ns",
			 p->spun_ns, "late_ns", p->late_ns, "cost_ns", p->cost_ns, "cpu_share",
			 p->cpu, "kicks_per_s", p->kicks, "kicks_per_s_most", p->kicks_most);
}

static json_t *curve_json(const struct advice *a)
{
	json_t *out = json_array();
	uint32_t i;

	for (i = 0; i < a->n; i++)
		json_array_append_new(out, json_of_point(&a->point[i]));
	return out;
}

json_t *json_of_observed(const struct advice_observed *o)
{
	json_t *out;

	if (!o->known)
		return json_pack("{sb ss}", "known", 0, "reason", o->reason);
	out = json_pack("{sb ss sI sI sf sf sf sf sf sf}", "known", 1, "reason", o->reason,
			"max_ns", (json_int_t)o->max_ns, "waits", (json_int_t)o->waits, "hit_share",
			o->hit_share, "late_ns", o->late_ns, "loop_cpu_share", o->loop_cpu,
			"waits_per_s", o->rate, "cost_ns", o->cost_ns, "kicks_per_s", o->kicks);
	json_object_set_new(out, "requests_per_s", known(o->requests >= 0, o->requests));
	json_object_set_new(out, "cpu_per_request_ns", known(o->request_ns >= 0, o->request_ns));
	return out;
}

static json_t *trial_json(const struct advice *a)
{
	if (a->trial == TRIAL_NONE)
		return json_null();
	return json_pack("{ss ss so so so}", "outcome",
			 a->trial == TRIAL_KEPT ? "kept" : "rolled back", "why", a->trial_why,
			 "before", json_of_observed(&a->before), "predicted",
			 json_of_point(&a->point[a->best]), "observed",
			 json_of_observed(&a->after));
}

static json_t *commands_json(const struct advice_report *r, const struct advice *a)
{
	char monitor[400], iothread[200], qmp[200];

	if (!advice_can_be_set(a))
		return json_null();
	advice_qmp_command(a, qmp, sizeof(qmp));
	advice_virsh_monitor(r, a, monitor, sizeof(monitor));
	advice_virsh_iothread(r, a, iothread, sizeof(iothread));
	return json_pack("{ss ss so}", "qmp", qmp, "virsh_monitor", monitor, "virsh_iothreadset",
			 text_or_null(iothread));
}

static json_t *gaps_json(const struct advice *a)
{
	bool any = a->gaps_evidence != EVIDENCE_ABSENT;

	return json_pack("{ss so sb so so so so so}", "evidence", evidence_name(a->gaps_evidence),
			 "reason", text_or_null(a->gaps_reason), "spins_hidden", a->gaps_hidden,
			 "count", any ? json_integer((json_int_t)a->gaps) : json_null(), "p50_ns",
			 known(any && a->gaps, a->gap_p50_ns), "p90_ns",
			 known(any && a->gaps, a->gap_p90_ns), "wakes",
			 any ? json_integer((json_int_t)a->wakes) : json_null(), "wake_mean_ns",
			 known(any && a->wakes, a->wake_ns));
}

static json_t *advised_json(const struct advice *a)
{
	static const char *const actions[] = {
		[ADVICE_NONE] = "none", [ADVICE_KEEP] = "keep", [ADVICE_SET] = "set"
	};
	bool any = a->action != ADVICE_NONE;

	return json_pack("{ss so so so}", "action", actions[a->action], "max_ns",
			 any ? json_integer((json_int_t)a->point[a->best].max_ns) : json_null(),
			 "why", text_or_null(a->why), "sure", text_or_null(a->sure));
}

static json_t *today_json(const struct advice_report *r, const struct advice *a)
{
	bool is = a->today_evidence != EVIDENCE_ABSENT;

	return json_pack("{ss so so ss}", "evidence", evidence_name(a->today_evidence), "max_ns",
			 is ? json_integer((json_int_t)a->today_ns) : json_null(), "reason",
			 is ? json_null() : text_or_null(r->qmp_reason), "policy", a->policy);
}

static json_t *loop_json(const struct advice_report *r, const struct advice *a)
{
	static const char *const arrivals[] = { [ARRIVALS_UNKNOWN] = "unknown",
						[ARRIVALS_OPEN] = "open",
						[ARRIVALS_CLOSED] = "closed" };
	json_t *out = json_pack("{ss sI so so so ss so}", "id", a->loop, "tid", (json_int_t)a->tid,
				"today", today_json(r, a), "gaps", gaps_json(a), "block_cost_ns",
				known(a->n, a->block_cost_ns), "arrivals", arrivals[a->arrivals],
				"curve", curve_json(a));

	json_object_set_new(out, "knee_ns",
			    a->n ? json_integer((json_int_t)a->point[a->knee].max_ns)
				 : json_null());
	json_object_set_new(out, "advice", advised_json(a));
	json_object_set_new(out, "commands", commands_json(r, a));
	json_object_set_new(out, "trial", trial_json(a));
	return out;
}

static json_t *document(const struct advice_report *r)
{
	json_t *loops = json_array(), *goal;
	uint32_t i;

	for (i = 0; i < r->n; i++)
		json_array_append_new(loops, loop_json(r, &r->loop[i]));
	goal = json_pack("{sf so so}", "latency_weight", r->goal.latency_weight, "budget_share",
			 known(r->goal.budget > 0, r->goal.budget), "most_ns",
			 r->goal.most_ns ? json_integer(r->goal.most_ns) : json_null());
	return json_pack("{ss s{ss} s{sI ss ss} sf so sb sb so so}", "schema", ADVICE_SCHEMA,
			 "handoff", "version", HANDOFF_VERSION, "vmm", "pid", (json_int_t)r->pid,
			 "comm", r->comm, "kind", r->vmm_kind, "seconds", r->seconds, "goal", goal,
			 "applied", r->applied, "kept", r->kept, "qmp_reason",
			 text_or_null(r->qmp_reason), "loops", loops);
}

int advice_json(const struct advice_report *r, FILE *to, struct error *err)
{
	return out_json(document(r), "advice", to, err);
}
