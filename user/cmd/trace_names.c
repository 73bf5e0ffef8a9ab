// SPDX-License-Identifier: BSD-2-Clause
#include "trace_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <handoff/clock.h>
#include <handoff/report.h>
#include <handoff/trace.h>

#include "fleet.h"
#include "keys.h"
#include "names.h"

/* A socket that does not answer takes a few seconds each time. */
#define RETRY_NS (10 * NS_PER_S)

int trace_names_init(struct trace_names *n, const char *qmp)
{
	*n = (struct trace_names){ .qmp = qmp };
	if (!qmp)
		return 0;
	n->of = calloc(1, sizeof(*n->of));
	/* What has come since they were asked for. */
	n->wanted = true;
	return n->of ? 0 : -ENOMEM;
}

void trace_names_release(struct trace_names *n)
{
	free(n->of);
}

static bool has_other_queues(const struct report *a, const struct report *b)
{
	if (a->n_queues != b->n_queues)
		return true;
	for (uint32_t i = 0; i < a->n_queues; i++)
		if (a->queue[i].gpa != b->queue[i].gpa)
			return true;
	return false;
}

/* A device that was plugged in has its name from the same socket, if that is still there. */
void trace_names_renew(struct trace_names *n, struct fleet *f)
{
	struct fleet_vm *vm = &f->vm[0];
	struct vm_names fresh = { 0 };
	struct error err;
	char line[512];

	if (!n->of || !f->n || !vm->tracer)
		return;
	n->wanted |= has_other_queues(vm->total, vm->before);
	if (!n->wanted || clock_ns() < n->next_ns)
		return;
	n->wanted = cmd_names_by_qmp(n->qmp, vm->pid, &fresh, &err) < 0;
	if (!n->wanted) {
		*n->of = fresh;
		tracer_set_names(vm->tracer, n->of);
		n->failed = false;
		return;
	}
	n->next_ns = clock_ns() + RETRY_NS;
	if (!n->failed) {
		snprintf(line, sizeof(line), "--qmp: %s; names stay as they were", err.msg);
		f->owner.say(f->owner.opaque, line);
		n->failed = true;
	}
}

void trace_names_set(struct trace_names *n, struct fleet *f, const struct keys_done *done)
{
	struct vm_names *names = n->of;

	for (uint32_t i = 0; i < names->n_loops; i++) {
		if (names->loop[i].tid != done->tid)
			continue;
		names->loop[i].poll_known = done->max_ns >= 0;
		names->loop[i].poll_max_ns = (uint64_t)MAX(done->max_ns, 0);
	}
	if (f->vm[0].tracer)
		tracer_set_names(f->vm[0].tracer, names);
}
