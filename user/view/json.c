// SPDX-License-Identifier: BSD-2-Clause
/*
 * The report as one JSON document, schema handoff.report/1 (design.md). Every report has the same
 * keys: a figure without evidence is null, never 0. Main thread. Neighbours:
 * json_rows.c, json_file.c, which writes it.
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
#include "json_put.h"
#include "json_rows.h"
#include "rows.h"

json_t *json_hist(const struct hist *h)
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

	json_put_reason(out, "reason", stage->reason);
	json_put_known(out, "count", known, h->count);
	json_put_known(out, "min_ns", any, h->min_ns);
	json_put_known(out, "p50_ns", any, any ? hist_quantile_ns(h, 500) : 0);
	json_put_known(out, "p90_ns", any, any ? hist_quantile_ns(h, 900) : 0);
	json_put_known(out, "p99_ns", any, any ? hist_quantile_ns(h, 990) : 0);
	json_put_known(out, "max_ns", any, h->max_ns);
	json_put_known(out, "sum_ns", any, h->sum_ns);
	if (with_hist)
		json_object_set_new(out, "hist", known ? json_hist(h) : json_null());
	return out;
}

json_t *json_stages(const struct report_stage *stages, bool with_hist)
{
	json_t *out = json_array();

	for (enum stage s = 0; s < STAGES; s++)
		json_array_append_new(out, stage_json(s, &stages[s], with_hist));
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

		json_put_known(row, "left", a->write && io->left_evidence != EVIDENCE_ABSENT,
			       a->left);
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

	json_put_text(out, "mmio_evidence", evidence_name(io->mmio_evidence));
	json_put_known(out, "mmio_writes", mmio, io->mmio_writes);
	json_put_known(out, "mmio_reads", mmio, io->mmio_reads);
	json_put_text(out, "pio_evidence", evidence_name(io->pio_evidence));
	json_put_known(out, "pio_writes", pio, io->pio_writes);
	json_put_known(out, "pio_reads", pio, io->pio_reads);
	json_put_known(out, "kicks", mmio, io->kicks);
	json_put_known(out, "untracked", any, io->untracked);
	json_put_known(out, "addresses", any, io->addresses);
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

	json_put_reason(out, "absent", r->n_guest ? "" : r->guest_reason);
	for (uint32_t i = 0; i < r->n_guest; i++)
		json_object_set_new(out, r->guest[i].key, guest_value(r->guest[i].value));
	return out;
}

static json_t *losses_json(const struct report *r)
{
	bool known = view_watched(r);
	json_t *out = json_object();

	json_put_known(out, "records", known, r->loss[LOSS_RECORDS]);
	json_put_known(out, "lookups", known, r->loss[LOSS_LOOKUPS]);
	json_put_known(out, "maps", known, r->loss[LOSS_MAPS]);
	json_put_known(out, "clock", known, r->loss[LOSS_CLOCK]);
	return out;
}

static json_t *real_or_null(double value)
{
	return value >= 0 ? json_real(value) : json_null();
}

/* What the tracing itself cost: CPU time in cores, and for each kick. */
static json_t *tracer_json(const struct report *r)
{
	bool known = view_watched(r);

	json_t *out = json_pack("{so so}", "cpu", real_or_null(known ? r->tracer_cpu : -1),
				"kick_ns", real_or_null(known ? r->tracer_kick_ns : -1));

	json_put_known(out, "run_clock_ns", known && r->tracer_clock_ns, r->tracer_clock_ns);
	return out;
}

static json_t *host_json(const struct report *r)
{
	json_t *out = json_object(), *evidence = json_object();

	json_put_text(out, "kernel", r->kernel);
	json_put_text(out, "kvm", r->kvm);
	json_put_text(out, "cpu", r->cpu);
	json_object_set_new(out, "hypervisor", json_boolean(r->hypervisor));
	json_put_uint(out, "steal_ns", r->steal_ns);
	for (enum stage s = 0; s < STAGES; s++)
		json_put_text(evidence, stage_name(s), evidence_name(r->stage[s].evidence));
	json_put_text(evidence, "hooks", r->hooks);
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
	json_put_uint(vmm, "pid", r->pid);
	json_put_text(vmm, "comm", r->comm);
	json_put_text(vmm, "kind", r->vmm_kind);
	json_object_set_new(vmm, "alive", json_boolean(r->vmm_alive));
	json_object_set_new(root, "vmm", vmm);
	json_object_set_new(root, "interval", interval_json(r));
	json_object_set_new(root, "stages", json_stages(r->stage, true));
	ROWS("queues", r->n_queues, r->queue, json_queue);
	ROWS("loops", r->n_loops, r->loop, json_loop);
	ROWS("vcpus", r->n_vcpus, r->vcpu, json_vcpu);
	ROWS("alarms", r->n_alarms, r->alarm, json_alarm);
	json_put_uint(root, "alarms_total", r->alarms_total);
	json_object_set_new(root, "io", io_json(&r->io));
	json_object_set_new(root, "handovers", handovers_json(r));
	json_put_uint(root, "handovers_total", r->handovers_total);
	json_object_set_new(root, "losses", losses_json(r));
	json_object_set_new(root, "tracer", tracer_json(r));
	json_object_set_new(root, "guest", guest_json(r));
	return root;
}
