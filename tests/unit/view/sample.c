// SPDX-License-Identifier: BSD-2-Clause
/* See sample.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/report.h>

#include "sample.h"

static void fill_stages(struct report *r)
{
	for (enum stage s = 0; s < STAGES; s++) {
		struct report_stage *stage = &r->stage[s];

		if (s == STAGE_EXIT || s == STAGE_ENTER) {
			stage->evidence = EVIDENCE_ABSENT;
			snprintf(stage->reason, sizeof(stage->reason), "never fired here");
			continue;
		}
		stage->evidence = s == STAGE_SIGNAL ? EVIDENCE_INFERRED : EVIDENCE_EXACT;
		for (unsigned int i = 0; i < 100; i++)
			hist_add(&stage->hist, 1000 * (i + 1));
	}
}

static void fill_queue(struct report *r)
{
	struct report_queue *q = &r->queue[r->n_queues++];

	snprintf(q->device, sizeof(q->device), "disk0");
	snprintf(q->loop, sizeof(q->loop), "io0");
	q->ioeventfd = true;
	q->arrivals = 1000;
	q->outcome[OUTCOME_POLLED] = 900;
	q->outcome[OUTCOME_NOTIFIED] = 80;
	q->outcome[OUTCOME_BUSY] = 20;
	q->outcome_evidence = q->kicks_evidence = EVIDENCE_EXACT;
	q->name_evidence = q->arrivals_evidence = q->requests_evidence = EVIDENCE_EXACT;
	q->interrupts_evidence = q->vmm_evidence = q->met_evidence = q->left_evidence =
		EVIDENCE_EXACT;
	q->kicks = q->kicks_vmm = 100;
	q->kicks_asleep = 60;
	q->kicks_awake = 30;
	q->kicks_coalesced = 8;
	q->kicks_left = q->kicks_left_vmm = 1;
	q->kicks_open = 1;
	q->wasted_kicks = 20;
	q->requests = q->completions = 1000;
	memcpy(q->stage, r->stage, sizeof(q->stage));
}

static void fill_loop(struct report *r, const char *id, enum stats_loop_kind kind)
{
	struct report_loop *l = &r->loop[r->n_loops++];

	snprintf(l->id, sizeof(l->id), "%s", id);
	snprintf(l->comm, sizeof(l->comm), "%s", id);
	l->kind = kind;
	l->tid = 100 + r->n_loops;
	l->cpu = 1;
	l->polls = 50;
	l->hits = 40;
	l->account_evidence = l->runq_evidence = EVIDENCE_EXACT;
	l->settings_evidence = l->polls_evidence = l->counters_evidence = EVIDENCE_EXACT;
	snprintf(l->how, sizeof(l->how), "ppoll");
	l->wall_ns = 1000000;
	l->handling_ns = 400000;
	l->polling_hit_ns = 300000;
	l->polling_waste_ns = 100000;
	l->blocked_ns = 150000;
	l->runq_ns = 50000;
	memcpy(l->stage, r->stage, sizeof(l->stage));
}

void sample_set_evidence(struct report *r, enum evidence evidence)
{
	bool absent = evidence == EVIDENCE_ABSENT;
	const char *reason = absent ? "nobody saw it" : "";
	struct report_queue *q = &r->queue[0];
	struct report_vcpu *v = &r->vcpu[0];

	snprintf(r->hooks, sizeof(r->hooks), "%s",
		 absent ? "" : "kvm_exit kvm_mmio kvm_pio kvm_userspace_exit");
	for (enum stage s = 0; s < STAGES; s++) {
		r->stage[s].evidence = q->stage[s].evidence = evidence;
		snprintf(r->stage[s].reason, sizeof(r->stage[s].reason), "%s", reason);
	}
	q->outcome_evidence = q->kicks_evidence = evidence;
	q->name_evidence = q->arrivals_evidence = q->requests_evidence = evidence;
	q->vmm_evidence = q->met_evidence = evidence;
	snprintf(q->name_reason, sizeof(q->name_reason), "%s", reason);
	snprintf(q->arrivals_reason, sizeof(q->arrivals_reason), "%s", reason);
	for (uint32_t i = 0; i < r->n_loops; i++) {
		struct report_loop *l = &r->loop[i];

		l->account_evidence = l->runq_evidence = evidence;
		l->settings_evidence = l->polls_evidence = l->counters_evidence = evidence;
		snprintf(l->polls_reason, sizeof(l->polls_reason), "%s", reason);
		snprintf(l->how, sizeof(l->how), "%s", absent ? "" : "ppoll");
		l->cpu = absent ? -1 : 1;
		snprintf(l->account_reason, sizeof(l->account_reason), "%s", reason);
	}
	v->exits_evidence = v->reasons_evidence = evidence;
	v->mmio_evidence = v->pio_evidence = v->user_exits_evidence = evidence;
	r->io.mmio_evidence = r->io.pio_evidence = r->io.left_evidence = evidence;
	q->left_evidence = evidence;
	r->tracer_cpu = absent ? -1 : 0.012;
	r->tracer_kick_ns = absent ? -1 : 410;
	r->tracer_clock_ns = absent ? 0 : 40;
	v->exits = absent ? 0 : 300;
	v->n_reasons = absent ? 0 : 1;
	snprintf(v->reason[0].name, sizeof(v->reason[0].name), "npf");
	v->reason[0].count = 300;
	snprintf(v->exits_reason, sizeof(v->exits_reason), "%s", reason);
}

struct report *sample_report(void)
{
	struct report *r = report_new();

	if (!r)
		abort();
	snprintf(r->kernel, sizeof(r->kernel), "6.1.0");
	snprintf(r->kvm, sizeof(r->kvm), "KVM");
	snprintf(r->hooks, sizeof(r->hooks), "kvm_mmio kvm_pio kvm_userspace_exit sched_switch");
	r->io = (struct report_io){
		.mmio_evidence = EVIDENCE_EXACT,
		.mmio_writes = 130,
		.kicks = 100,
		.addresses = 2,
		.n_address = 2,
		.address = { { .gpa = 0xfee000b0, .write = true, .count = 30 },
			     { .gpa = 0x3f8, .pio = true, .write = true, .count = 20 } },
	};
	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "handoff");
	snprintf(r->comm, sizeof(r->comm), "vmm");
	r->pid = 42;
	r->vmm_alive = true;
	r->tracer_cpu = 0.012;
	r->tracer_kick_ns = 410;
	r->tracer_clock_ns = 40;
	r->duration_ns = 2000000000;
	fill_stages(r);
	fill_queue(r);
	fill_loop(r, "main", STATS_LOOP_MAIN);
	fill_loop(r, "io0", STATS_LOOP_IOTHREAD);
	r->vcpu[r->n_vcpus++] = (struct report_vcpu){ .tid = 200,
						      .mmio_evidence = EVIDENCE_EXACT,
						      .mmio_writes = 100,
						      .exits_reason = "never fired" };
	r->handover[r->n_handovers++] =
		(struct report_handover){ "disk0", "main", "io0", 5000, 1000 };
	r->handovers_total = 1;
	return r;
}

void sample_make_foreign(struct report *r)
{
	struct report_queue *q = &r->queue[0];

	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "qemu");
	snprintf(q->device, sizeof(q->device), "0xfe003000");
	q->name_evidence = q->arrivals_evidence = EVIDENCE_INFERRED;
	snprintf(q->name_reason, sizeof(q->name_reason), "its notify page");
	snprintf(q->arrivals_reason, sizeof(q->arrivals_reason), "interrupts without kicks");
	q->requests_evidence = q->vmm_evidence = q->interrupts_evidence = EVIDENCE_ABSENT;
	q->requests = q->completions = q->kicks_vmm = q->kicks_left_vmm = 0;
	for (uint32_t i = 0; i < r->n_loops; i++) {
		struct report_loop *l = &r->loop[i];

		l->settings_evidence = l->counters_evidence = EVIDENCE_ABSENT;
		l->polls_evidence = l->account_evidence = EVIDENCE_INFERRED;
		snprintf(l->how, sizeof(l->how), "io_uring");
		snprintf(l->polls_reason, sizeof(l->polls_reason), "spins that sent interrupts");
	}
}

void sample_add_alarms(struct report *r)
{
	r->alarms_total = 3;
	r->alarm[r->n_alarms++] = (struct report_alarm){
		.kind = ALARM_STUCK,
		.t_ns = 1000,
		.age_ns = 1230000000,
		.tid = 77,
		.comm = "io0",
		.device = "disk0",
		.queue = 1,
		.fd = 12,
		.eventfd_id = 7,
		.count = 3,
		.state = 'T',
		.n_kernel = 2,
		.kernel = { "do_signal_stop", "ppoll" },
		.user_why = "its stack cannot be read",
	};
	r->alarm[r->n_alarms++] = (struct report_alarm){
		.kind = ALARM_SPINNING,
		.over = true,
		.age_ns = 3000000000,
		.tid = 78,
		.comm = "io1",
		.fd = -1,
		.eventfd_id = 8,
		.count = 1,
		.cpu_share = 0.98,
		.state = '?',
	};
}
