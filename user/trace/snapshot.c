// SPDX-License-Identifier: BSD-2-Clause
/* A snapshot: copies of the page and of the maps, in the order that keeps them honest, and the
 * joins (join.c, foreign_join.c, io.c, loops.c, exits.c) that make a report of them. */
#include "tracer.h"

#include <stdio.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>

/* Each stage needs both of its ends. */
static void uprobe_facts(struct evidence_facts *facts)
{
	const bool *on = facts->attached;

	facts->uprobe[STAGE_SERVICE] = on[PROGRAM_UP_HANDLE] && on[PROGRAM_UP_HANDLED];
	facts->uprobe[STAGE_IO] = on[PROGRAM_UP_HANDLE] && on[PROGRAM_UP_READ] &&
				  on[PROGRAM_UP_WRITE] && on[PROGRAM_UP_PUSH];
	facts->uprobe[STAGE_IRQ] = on[PROGRAM_UP_HANDLE] && on[PROGRAM_UP_PUSH] &&
				   (on[PROGRAM_UP_NOTIFY] || on[PROGRAM_UP_NOTIFY_FD]);
}

static void take_facts(const struct tracer *t, struct evidence_facts *facts)
{
	uint32_t i;
	enum program p;

	facts->kvm = t->host.kvm;
	facts->foreign = t->foreign;
	if (!t->kernel)
		facts->no_bpf = t->no_bpf_reason;
	for (p = 0; t->kernel && p < PROGRAMS; p++) {
		facts->attached[p] = kernel_program(t->kernel, p)->attached;
		facts->why[p] = kernel_program(t->kernel, p)->why;
	}
	for (i = 0; i < t->view.n_threads; i++) {
		facts->mmio_writes += t->view.thread[i].vcpu.mmio_writes;
		facts->exits += t->view.thread[i].vcpu.exits;
		facts->entries += t->view.thread[i].vcpu.entries;
	}
	facts->reasons = t->view.n_exits;
	facts->seen = t->view.seen;
	facts->consume = facts->attached[PROGRAM_READ] || facts->attached[PROGRAM_SYS_READ] ||
			 facts->attached[PROGRAM_SYS_EXIT];
	facts->consume_why = facts->why[PROGRAM_SYS_EXIT];
	uprobe_facts(facts);
}

static void put_queue_evidence(struct report *r, const struct evidence_verdict *v)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		struct report_queue *q = &r->queue[i];

		memcpy(q->stage, r->stage, sizeof(r->stage));
		q->outcome_evidence = v->outcomes;
		q->kicks_evidence = v->kicks;
		q->met_evidence = v->met;
		q->left_evidence = v->user_exits == EVIDENCE_EXACT ? v->kicks : v->left_untold;
	}
}

static void put_loop_evidence(struct report *r, const struct evidence_verdict *v)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		struct report_loop *l = &r->loop[i];

		memcpy(l->stage, r->stage, sizeof(r->stage));
		l->account_evidence = v->account;
		l->runq_evidence = v->account == EVIDENCE_ABSENT ? EVIDENCE_ABSENT : v->runq;
		memcpy(l->account_reason, v->account_reason, sizeof(l->account_reason));
	}
}

static void put_vcpu_evidence(struct report *r, const struct evidence_verdict *v)
{
	uint32_t i;

	for (i = 0; i < REPORT_VCPUS; i++) {
		struct report_vcpu *c = &r->vcpu[i];

		c->exits_evidence = v->exits;
		c->reasons_evidence = v->reasons;
		c->mmio_evidence = v->mmio;
		c->pio_evidence = v->pio;
		c->user_exits_evidence = v->user_exits;
		memcpy(c->exits_reason, v->exits_reason, sizeof(c->exits_reason));
		memcpy(c->reasons_reason, v->reasons_reason, sizeof(c->reasons_reason));
	}
	r->io.mmio_evidence = v->mmio;
	r->io.pio_evidence = v->pio;
	r->io.left_evidence = v->user_exits;
}

static void put_evidence(const struct tracer *t, struct report *r)
{
	struct evidence_facts facts = { 0 };
	struct evidence_verdict v;
	enum stage s;

	take_facts(t, &facts);
	evidence_decide(&facts, &v);
	for (s = 0; s < STAGES; s++) {
		r->stage[s].evidence = v.evidence[s];
		memcpy(r->stage[s].reason, v.reason[s], sizeof(r->stage[s].reason));
	}
	put_queue_evidence(r, &v);
	put_loop_evidence(r, &v);
	put_vcpu_evidence(r, &v);
}

static void put_host(const struct tracer *t, struct report *r)
{
	size_t used = 0;
	char hook[64];
	enum program p;

	memcpy(r->kernel, t->host.kernel, sizeof(r->kernel));
	memcpy(r->kvm, t->host.kvm, sizeof(r->kvm));
	memcpy(r->cpu, t->host.cpu, sizeof(r->cpu));
	r->hypervisor = t->host.hypervisor;
	r->steal_ns = host_steal_ns() - t->host.steal_ns;
	for (p = 0; t->kernel && p < PROGRAMS; p++) {
		/* One more at kvm_exit, named already. */
		if (!kernel_program(t->kernel, p)->attached || p == PROGRAM_EXIT_REASON ||
		    used >= sizeof(r->hooks))
			continue;
		program_hook(p, hook);
		used += snprintf(r->hooks + used, sizeof(r->hooks) - used, "%s%s", used ? " " : "",
				 hook);
	}
}

static void put_vmm(const struct tracer *t, struct report *r)
{
	r->pid = t->config.pid;
	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "%s",
		 t->foreign ? foreign_vm(t->foreign)->kind : "handoff");
	r->vmm_alive = !t->died_ns;
	memcpy(r->comm, t->comm, sizeof(r->comm));
}

/*
 * Order matters: seen dead before the last copy, so that nothing of it is missed; the page before
 * the maps (join_outcomes). When the page's copy was made, as far as the VMM lived.
 */
static int64_t copy_page(struct tracer *t)
{
	int64_t now_ns;

	look_if_alive(t);
	now_ns = t->died_ns ? t->died_ns : clock_ns();
	stats_map_copy(t->stats, t->now);
	remember_names(t, t->now);
	if (t->kernel && !kernel_program(t->kernel, PROGRAM_PLACED)->attached)
		place_queues(t->kernel, t->now);
	return t->died_ns ? now_ns : clock_ns();
}

static int read_kernel(struct tracer *t, struct error *err)
{
	int ret = t->kernel ? kernel_read(t->kernel, &t->view) : 0;

	return ret ? error_set(err, ret, "cannot read our BPF maps: %s", strerror(-ret)) : 0;
}

/* The other way about: the page is made of what the maps tell. */
static int make_page(struct tracer *t, int64_t *now_ns, struct error *err)
{
	int ret = tracer_refresh(t, err);

	/* A walk that fails is made again the next time: what is known stands. */
	(void)ret;
	*now_ns = t->died_ns ? t->died_ns : clock_ns();
	ret = read_kernel(t, err);
	if (ret)
		return ret;
	foreign_learn(t->foreign, &t->view);
	foreign_tell(t->foreign, t->kernel);
	foreign_fill(t->foreign, t->now);
	remember_names(t, t->now);
	return 0;
}

static void begin_cost(struct tracer *t, int64_t now_ns, uint64_t kicks)
{
	if (!t->kernel || t->died_ns || !cost_next(&t->cost, kicks) || kernel_cost_begin(t->kernel))
		return;
	t->folded_kick_ns = t->folded_all_ns = 0;
	if (t->folded)
		folded_run_ns(t->folded, kernel_run_clock_ns(t->kernel), &t->folded_kick_ns,
			      &t->folded_all_ns);
	t->cost.on = true;
	t->cost.since_ns = now_ns;
	t->cost.kicks = kicks;
}

static void put_cost(struct tracer *t, struct report *r, int64_t now_ns)
{
	uint64_t kick_side_ns, all_ns, kick_ns = 0, ns = 0;

	/* Before the kernel stops counting: not after. */
	if (t->cost.on && t->folded)
		folded_run_ns(t->folded, kernel_run_clock_ns(t->kernel), &kick_ns, &ns);
	if (t->cost.on && !kernel_cost_end(t->kernel, &kick_side_ns, &all_ns))
		cost_take(&t->cost, now_ns, r->io.kicks,
			  kick_side_ns + kick_ns - MIN(kick_ns, t->folded_kick_ns),
			  all_ns + ns - MIN(ns, t->folded_all_ns));
	t->cost.on = false;
	r->tracer_cpu = t->cost.cpu;
	r->tracer_kick_ns = t->cost.kick_ns;
	r->tracer_clock_ns = t->kernel ? kernel_run_clock_ns(t->kernel) : 0;
	begin_cost(t, now_ns, r->io.kicks);
}

int tracer_snapshot(struct tracer *t, struct report *r, struct error *err)
{
	int64_t now_ns;
	int ret;

	if (t->foreign) {
		ret = make_page(t, &now_ns, err);
	} else {
		now_ns = copy_page(t);
		ret = read_kernel(t, err);
	}
	if (ret)
		return ret;
	memset(r, 0, sizeof(*r));
	put_host(t, r);
	put_vmm(t, r);
	put_evidence(t, r);
	r->start_realtime_ns = t->start_realtime_ns;
	r->late = t->late;
	r->duration_ns = now_ns - t->start_ns;
	memcpy(r->loss, t->view.loss, sizeof(r->loss));
	if (t->foreign)
		r->loss[LOSS_MAPS] += t->foreign->no_room;
	join_queues(t, r, now_ns);
	join_irq_total(t, r);
	join_io(t, r);
	join_loops(t, r, now_ns);
	join_vcpus(t, r);
	join_exit_reasons(t, r);
	join_handovers(t, r);
	put_cost(t, r, now_ns);
	if (t->folded) {
		/* Those whose process has ended are taken while its symbols are there. */
		folded_take(t->folded);
		folded_follow(t->folded, t->now, t->vcpu, t->n_vcpus);
	}
	if (t->alarms)
		alarms_check(t, r, now_ns);
	return 0;
}
