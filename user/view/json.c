// SPDX-License-Identifier: BSD-2-Clause
/*
 * The report as one JSON document, schema handoff.report/1 (design.md). A figure without evidence
 * is left out: it is never printed as 0. Main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
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

static void put_text(json_t *to, const char *key, const char *value)
{
	json_t *text = json_string(value);

	/* The guest or a file name may have given bytes that are no UTF-8. */
	json_object_set_new(to, key, text ? text : json_string("?"));
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

	if (stage->reason[0])
		put_text(out, "reason", stage->reason);
	if (stage->evidence == EVIDENCE_ABSENT)
		return out;
	put_uint(out, "count", h->count);
	if (h->count) {
		put_uint(out, "min_ns", h->min_ns);
		put_uint(out, "p50_ns", hist_quantile_ns(h, 500));
		put_uint(out, "p90_ns", hist_quantile_ns(h, 900));
		put_uint(out, "p99_ns", hist_quantile_ns(h, 990));
		put_uint(out, "max_ns", h->max_ns);
		put_uint(out, "sum_ns", h->sum_ns);
	}
	if (with_hist)
		json_object_set_new(out, "hist", hist_json(h));
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
		if (view_outcome_known(q, o))
			put_uint(out, outcome_name(o), q->outcome[o]);
	return out;
}

static json_t *queue_json(const struct report_queue *q)
{
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
	if (q->kicks_evidence != EVIDENCE_ABSENT) {
		put_uint(out, "kicks", q->kicks);
		if (view_wasted_known(q))
			put_uint(out, "wasted_kicks", q->wasted_kicks);
		if (q->requests)
			json_object_set_new(out, "kicks_per_request",
					    json_real((double)q->kicks / (double)q->requests));
	}
	put_uint(out, "kicks_vmm", q->kicks_vmm);
	put_uint(out, "requests", q->requests);
	put_uint(out, "completions", q->completions);
	put_uint(out, "interrupts", q->interrupts);
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
	double wall = (double)l->wall_ns;

	if (l->account_reason[0])
		put_text(out, "reason", l->account_reason);
	if (l->account_evidence == EVIDENCE_ABSENT || !l->wall_ns)
		return out;
	json_object_set_new(out, "handling", json_real((double)l->handling_ns / wall));
	json_object_set_new(out, "polling_hit", json_real((double)l->polling_hit_ns / wall));
	json_object_set_new(out, "polling_waste", json_real((double)l->polling_waste_ns / wall));
	json_object_set_new(out, "blocked", json_real((double)l->blocked_ns / wall));
	if (l->runq_evidence != EVIDENCE_ABSENT) {
		json_object_set_new(out, "runq", json_real((double)l->runq_ns / wall));
		put_uint(out, "preempted_ns", l->preempted_ns);
	}
	put_uint(out, "wall_ns", l->wall_ns);
	return out;
}

static json_t *loop_json(const struct report_loop *l)
{
	json_t *out = json_object(), *poll = json_object();

	put_uint(out, "tid", l->tid);
	put_text(out, "comm", l->comm);
	put_text(out, "id", l->id);
	put_text(out, "kind", l->kind == STATS_LOOP_MAIN ? "main" : "iothread");
	if (l->cpu >= 0)
		put_uint(out, "cpu", (uint64_t)l->cpu);
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
	if (l->runq_evidence != EVIDENCE_ABSENT) {
		put_uint(out, "wakes", l->wakes);
		put_uint(out, "preemptions", l->preemptions);
	}
	json_object_set_new(out, "stages", stages_json(l->stage, false));
	return out;
}

static json_t *vcpu_json(const struct report_vcpu *v)
{
	json_t *out = json_object(), *reasons;

	put_uint(out, "tid", v->tid);
	put_uint(out, "id", v->id);
	put_text(out, "exits_evidence", evidence_name(v->exits_evidence));
	if (v->exits_reason[0])
		put_text(out, "exits_reason", v->exits_reason);
	if (v->exits_evidence == EVIDENCE_ABSENT)
		return out;
	reasons = json_object();
	for (uint32_t i = 0; i < v->n_reasons; i++)
		put_uint(reasons, v->reason[i].name, v->reason[i].count);
	put_uint(out, "exits", v->exits);
	json_object_set_new(out, "exits_by_reason", reasons);
	return out;
}

/* These have tracepoints of their own, which also fire where kvm_exit does not. */
static json_t *vcpus_json(const struct report *r)
{
	json_t *out = json_array();

	for (uint32_t i = 0; i < r->n_vcpus; i++) {
		const struct report_vcpu *v = &r->vcpu[i];
		json_t *row = vcpu_json(v);

		if (strstr(r->hooks, "kvm_mmio"))
			put_uint(row, "mmio_writes", v->mmio_writes);
		if (strstr(r->hooks, "kvm_pio"))
			put_uint(row, "pio", v->pio);
		if (strstr(r->hooks, "kvm_userspace_exit"))
			put_uint(row, "user_exits", v->user_exits);
		json_array_append_new(out, row);
	}
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

	for (uint32_t i = 0; i < r->n_guest; i++)
		json_object_set_new(out, r->guest[i].key, guest_value(r->guest[i].value));
	if (!r->n_guest)
		json_object_set_new(out, "absent", json_string(r->guest_reason));
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
	json_object_set_new(root, "vcpus", vcpus_json(r));
	json_object_set_new(root, "handovers", handovers_json(r));
	put_uint(root, "handovers_total", r->handovers_total);
	json_object_set_new(root, "losses",
			    json_pack("{sI sI sI sI}", "records", (json_int_t)r->loss[LOSS_RECORDS],
				      "lookups", (json_int_t)r->loss[LOSS_LOOKUPS], "maps",
				      (json_int_t)r->loss[LOSS_MAPS], "clock",
				      (json_int_t)r->loss[LOSS_CLOCK]));
	json_object_set_new(root, "guest", guest_json(r));
	return root;
}

int view_json(const struct report *r, FILE *to, struct error *err)
{
	json_t *root = view_json_document(r);
	int ret = 0;

	if (!root)
		return error_set(err, -ENOMEM, "out of memory");
	errno = 0;
	if (json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) ||
	    fputc('\n', to) == EOF || fflush(to))
		ret = error_set(err, errno ? -errno : -EIO, "cannot write the report: %s",
				strerror(errno ? errno : EIO));
	json_decref(root);
	return ret;
}

/* Devices and pipes cannot be renamed over: /dev/stderr, /dev/null, a fifo. */
static bool is_written_in_place(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

/* The file behind `path`, whose links stay links, and the temporary beside it; both to be freed. */
static int json_names(const char *path, char **target, char **tmp, struct error *err)
{
	*tmp = NULL;
	*target = realpath(path, NULL);
	if (!*target)
		*target = strdup(path);
	if (*target && asprintf(tmp, "%s.%d", *target, (int)getpid()) >= 0)
		return 0;
	free(*target);
	return error_set(err, -ENOMEM, "out of memory");
}

int view_json_check(const char *path, struct error *err)
{
	char *target, *tmp;
	int fd, ret;

	if (!strcmp(path, "-"))
		return 0;
	if (is_written_in_place(path)) {
		struct stat st;

		if (!stat(path, &st) && S_ISDIR(st.st_mode))
			return error_set(err, -EISDIR, "%s: %s", path, strerror(EISDIR));
		return access(path, W_OK) ? error_set(err, -errno, "%s: %s", path, strerror(errno))
					  : 0;
	}
	ret = json_names(path, &target, &tmp, err);
	if (ret)
		return ret;
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	} else {
		close(fd);
		unlink(tmp);
	}
	free(target);
	free(tmp);
	return ret;
}

static int json_in_place(const struct report *r, const char *path, struct error *err)
{
	FILE *f = fopen(path, "w");
	int ret =
		f ? view_json(r, f, err) : error_set(err, -errno, "%s: %s", path, strerror(errno));

	if (f && fclose(f) && !ret)
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	return ret;
}

int view_json_file(const struct report *r, const char *path, struct error *err)
{
	char *target, *tmp;
	int ret;

	if (!strcmp(path, "-"))
		return view_json(r, stdout, err);
	if (is_written_in_place(path))
		return json_in_place(r, path, err);
	ret = json_names(path, &target, &tmp, err);
	if (ret)
		return ret;
	ret = json_in_place(r, tmp, err);
	if (!ret && rename(tmp, target))
		ret = error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (ret)
		unlink(tmp);
	free(target);
	free(tmp);
	return ret;
}
