// SPDX-License-Identifier: BSD-2-Clause
/* The tracer's life, and the order of a snapshot. The files it calls: stats_map (the VMM's page),
 * kernel (BPF), join and loops (both together). */
#include "tracer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>

#define LOST_AFTER_NS (100 * NS_PER_MS)

static int64_t realtime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* A pidfd becomes readable when its process ends, whether or not it was waited for. */
static void look_if_alive(struct tracer *t)
{
	struct pollfd p = { .fd = t->pidfd, .events = POLLIN };

	if (t->died_ns || poll(&p, 1, 0) <= 0)
		return;
	t->died_ns = clock_ns();
	if (t->kernel)
		kernel_stop(t->kernel);
}

/* Where the queues are by a copy of the stats page, for programs that have heard nothing of them.
 */
static void place_queues(struct kernel *k, const struct stats_page *page)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		const struct stats_queue *q = &page->queue[i];
		const struct queue_place place = {
			.gpa = q->gpa, .msi = { .address = q->msi_addr, .data = q->msi_data }
		};

		/* What fails is a queue without figures, which does not go unseen: its kicks by BPF
		 * are not the VMM's. */
		if (q->device[0])
			(void)!kernel_place(k, i, &place);
	}
}

static void place_at_start(struct kernel *k, void *opaque)
{
	struct tracer *t = opaque;

	stats_map_copy(t->stats, t->now);
	place_queues(k, t->now);
}

/* Without memory for the copies there is no tracer; without BPF there is one that says so. */
static int tracer_init(struct tracer *t, const struct tracer_config *config, struct error *err)
{
	struct kernel_config kernel = { .pid = config->pid, .place = place_at_start, .opaque = t };

	t->config = *config;
	if (!t->config.lost_after_ns)
		t->config.lost_after_ns = LOST_AFTER_NS;
	kernel.lost_after_ns = t->config.lost_after_ns;
	kernel.measure_cost = config->measure_cost;
	snprintf(t->no_bpf_reason, sizeof(t->no_bpf_reason), "%s",
		 config->no_bpf_reason ? config->no_bpf_reason : "BPF was not asked for");
	t->before = calloc(1, sizeof(*t->before));
	t->now = calloc(1, sizeof(*t->now));
	if (!t->before || !t->now)
		return error_set(err, -ENOMEM, "out of memory");
	t->pidfd = syscall(SYS_pidfd_open, config->pid, 0);
	if (t->pidfd < 0)
		return error_set(err, -errno, "process %d: %m", (int)config->pid);
	t->stats = stats_map_new(config->pid, err);
	if (!t->stats)
		return -ENOENT;
	/* Alive still: so it was its page and no successor's of its number. */
	look_if_alive(t);
	if (t->died_ns)
		return error_set(err, -ESRCH, "process %d has ended", (int)config->pid);
	host_read(&t->host);
	if (!config->use_bpf)
		return 0;
	t->kernel = kernel_new(&kernel, err);
	if (!t->kernel)
		return -EPERM;
	look_if_alive(t);
	return 0;
}

struct tracer *tracer_new(const struct tracer_config *config, struct error *err)
{
	struct tracer *t = calloc(1, sizeof(*t));

	if (!t) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	t->pidfd = -1;
	if (tracer_init(t, config, err)) {
		tracer_free(t);
		return NULL;
	}
	t->start_ns = clock_ns();
	t->start_realtime_ns = realtime_ns();
	stats_map_copy(t->stats, t->before);
	remember_names(t, t->before);
	return t;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	kernel_free(t->kernel);
	kernel_view_release(&t->view);
	stats_map_free(t->stats);
	if (t->pidfd >= 0)
		close(t->pidfd);
	free(t->before);
	free(t->now);
	free(t);
}

static void put_evidence(const struct tracer *t, struct report *r)
{
	struct evidence_facts facts = { .kvm = t->host.kvm };
	struct evidence_verdict v;
	uint32_t i;
	enum stage s;
	enum program p;

	if (!t->kernel)
		facts.no_bpf = t->no_bpf_reason;
	for (p = 0; t->kernel && p < PROGRAMS; p++) {
		facts.attached[p] = kernel_program(t->kernel, p)->attached;
		facts.why[p] = kernel_program(t->kernel, p)->why;
	}
	for (i = 0; i < t->view.n_threads; i++) {
		facts.mmio_writes += t->view.thread[i].vcpu.mmio_writes;
		facts.exits += t->view.thread[i].vcpu.exits;
		facts.entries += t->view.thread[i].vcpu.entries;
	}
	facts.reasons = t->view.n_exits;
	facts.seen = t->view.seen;
	evidence_decide(&facts, &v);
	for (s = 0; s < STAGES; s++) {
		r->stage[s].evidence = v.evidence[s];
		memcpy(r->stage[s].reason, v.reason[s], sizeof(r->stage[s].reason));
	}
	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		memcpy(r->queue[i].stage, r->stage, sizeof(r->stage));
		r->queue[i].outcome_evidence = v.outcomes;
		r->queue[i].kicks_evidence = v.kicks;
		r->queue[i].left_evidence =
			v.user_exits == EVIDENCE_EXACT ? v.kicks : EVIDENCE_INFERRED;
	}
	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		memcpy(r->loop[i].stage, r->stage, sizeof(r->stage));
		r->loop[i].account_evidence = v.account;
		r->loop[i].runq_evidence = v.account == EVIDENCE_ABSENT ? EVIDENCE_ABSENT : v.runq;
		memcpy(r->loop[i].account_reason, v.account_reason,
		       sizeof(r->loop[i].account_reason));
	}
	for (i = 0; i < STATS_MAX_VCPUS; i++) {
		r->vcpu[i].exits_evidence = v.exits;
		r->vcpu[i].reasons_evidence = v.reasons;
		r->vcpu[i].mmio_evidence = v.mmio;
		r->vcpu[i].pio_evidence = v.pio;
		r->vcpu[i].user_exits_evidence = v.user_exits;
		memcpy(r->vcpu[i].exits_reason, v.exits_reason, sizeof(r->vcpu[i].exits_reason));
		memcpy(r->vcpu[i].reasons_reason, v.reasons_reason,
		       sizeof(r->vcpu[i].reasons_reason));
	}
	r->io.mmio_evidence = v.mmio;
	r->io.pio_evidence = v.pio;
	r->io.left_evidence = v.user_exits;
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
	snprintf(r->vmm_kind, sizeof(r->vmm_kind), "handoff");
	r->vmm_alive = !t->died_ns;
	memcpy(r->comm, t->comm, sizeof(r->comm));
}

int tracer_snapshot(struct tracer *t, struct report *r, struct error *err)
{
	uint64_t run_ns = t->kernel ? kernel_run_ns(t->kernel) : 0;
	int64_t now_ns;
	int ret;

	/* Order matters: seen dead before the last copy, so that nothing of it is missed; the page
	 * before the maps (join_outcomes). */
	look_if_alive(t);
	now_ns = t->died_ns ? t->died_ns : clock_ns();
	stats_map_copy(t->stats, t->now);
	remember_names(t, t->now);
	if (!t->died_ns)
		now_ns = clock_ns();
	if (t->kernel && !kernel_program(t->kernel, PROGRAM_PLACED)->attached)
		place_queues(t->kernel, t->now);
	ret = t->kernel ? kernel_read(t->kernel, &t->view) : 0;
	if (ret)
		return error_set(err, ret, "cannot read our BPF maps: %s", strerror(-ret));
	memset(r, 0, sizeof(*r));
	put_host(t, r);
	put_vmm(t, r);
	put_evidence(t, r);
	r->start_realtime_ns = t->start_realtime_ns;
	r->duration_ns = now_ns - t->start_ns;
	memcpy(r->loss, t->view.loss, sizeof(r->loss));
	r->tracer_cpu = run_ns && r->duration_ns ? (double)run_ns / r->duration_ns : -1;
	join_queues(t, r, now_ns);
	join_irq_total(t, r);
	join_io(t, r);
	join_loops(t, r, now_ns);
	join_vcpus(t, r);
	join_exit_reasons(t, r);
	join_handovers(t, r);
	return 0;
}
