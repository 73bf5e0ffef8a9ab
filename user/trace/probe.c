// SPDX-License-Identifier: BSD-2-Clause
/*
 * What this host can give, for doctor: each program loaded and attached alone, to this very
 * process; then all together while a guest of two instructions runs (probe_vm.c), judged by the
 * same rules as a report (evidence.c).
 */
#include <handoff/trace.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/compiler.h>
#include "evidence.h"
#include "host.h"
#include "kernel.h"
#include "probe_vm.h"

static void probe_program(enum program p, struct tracer_program_probe *probe)
{
	struct kernel_config config = { .pid = getpid(), .lost_after_ns = 1 };
	struct error err = { 0 };
	const struct kernel_program *result;
	struct kernel *k;

	memset(config.skip, true, sizeof(config.skip));
	config.skip[p] = false;
	config.foreign = programs[p].use == PROGRAM_FOREIGN;
	config.rings = config.foreign;
	config.uprobes = programs[p].kind == PROGRAM_UPROBE;
	config.uprobes_slow = true;
	config.waits = true;
	config.uprobe_on = "tracer_probe_host";
	snprintf(probe->name, sizeof(probe->name), "%s", programs[p].name);
	program_hook(p, probe->hook);
	snprintf(probe->stages, sizeof(probe->stages), "%s", programs[p].stages);
	probe->optional = programs[p].optional;
	k = kernel_new(&config, &err);
	if (!k) {
		snprintf(probe->why, sizeof(probe->why), "%.*s", (int)sizeof(probe->why) - 1,
			 err.msg);
		return;
	}
	result = kernel_program(k, p);
	probe->loaded = result->loaded;
	probe->attached = result->attached;
	memcpy(probe->why, result->why, sizeof(probe->why));
	kernel_free(k);
}

/* Facts as a snapshot would have them after one kick. */
static int probe_together(struct evidence_facts *facts, struct kernel_view *view, struct error *err)
{
	struct kernel_config config = { .pid = getpid(), .lost_after_ns = 1 };
	struct kernel *k = kernel_new(&config, err);
	enum program p;
	uint32_t i;
	int ret;

	if (!k)
		return -EPERM;
	/* Without a guest nothing has fired, and the rules say so. */
	(void)!probe_vm_run(NULL);
	ret = kernel_read(k, view);
	for (p = 0; p < PROGRAMS; p++)
		facts->attached[p] = kernel_program(k, p)->attached;
	for (i = 0; i < view->n_threads; i++) {
		facts->mmio_writes += view->thread[i].vcpu.mmio_writes;
		facts->exits += view->thread[i].vcpu.exits;
		facts->entries += view->thread[i].vcpu.entries;
	}
	facts->seen = view->seen;
	kernel_free(k);
	return ret ? error_set(err, ret, "cannot read our BPF maps: %s", strerror(-ret)) : 0;
}

int tracer_probe_host(struct tracer_probe *probe, struct error *err)
{
	struct evidence_facts facts = { 0 };
	struct evidence_verdict verdict;
	struct kernel_view *view;
	struct host host;
	enum program p;
	enum stage s;
	int ret;

	_Static_assert(PROGRAMS <= ARRAY_SIZE(((struct tracer_probe *)0)->program),
		       "a row for each program");
	memset(probe, 0, sizeof(*probe));
	ret = tracer_check_privilege(err);
	if (ret)
		return ret;
	host_read(&host);
	facts.kvm = host.kvm;
	for (p = 0; p < PROGRAMS; p++) {
		probe_program(p, &probe->program[p]);
		facts.why[p] = probe->program[p].why;
	}
	probe->n = PROGRAMS;
	view = calloc(1, sizeof(*view));
	if (!view)
		return error_set(err, -ENOMEM, "out of memory");
	ret = probe_together(&facts, view, err);
	kernel_view_release(view);
	free(view);
	if (ret)
		return ret;
	evidence_decide(&facts, &verdict);
	for (s = 0; s < STAGES; s++) {
		probe->evidence[s] = verdict.evidence[s];
		memcpy(probe->reason[s], verdict.reason[s], sizeof(probe->reason[s]));
	}
	return 0;
}
