// SPDX-License-Identifier: BSD-2-Clause
/* A VM of the fleet from its attachment to its end: see fleet.h. Neighbour: fleet_look.c finds
 * them. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <handoff/report.h>
#include <handoff/trace.h>

#include "fleet_private.h"
#include "names.h"
#include "names_threads.h"
#include "trace.h"

void fleet_say(struct fleet *f, const char *fmt, ...)
{
	char line[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	f->owner.say(f->owner.opaque, line);
}

static int attach(struct fleet *f, struct fleet_vm *vm, struct error *err)
{
	const struct trace_options *o = f->o;
	const struct tracer_config config = {
		.pid = vm->pid,
		.use_bpf = true,
		.measure_cost = true,
		.lost_after_ns = o->lost_after_ns,
		.stuck_ns = o->stuck_ns,
		.uprobes = o->uprobes,
		.uprobes_slow = o->uprobes_slow,
		.folded = o->folded,
		.names = f->names,
		.n_given = o->n_given,
		.given = o->given,
	};

	vm->pidfd = (int)syscall(SYS_pidfd_open, vm->pid, 0);
	if (vm->pidfd < 0 && errno == ESRCH)
		return error_set(err, -ESRCH, "there is no process %d", (int)vm->pid);
	if (vm->pidfd < 0 && (errno == EINVAL || errno == ENOENT))
		return error_set(err, -EINVAL, "%d is a thread's number, not a process's",
				 (int)vm->pid);
	if (vm->pidfd < 0)
		return error_set(err, -errno, "process %d: %s", (int)vm->pid, strerror(errno));
	if (o->qmp && cmd_names_by_qmp(o->qmp, vm->pid, f->names, err)) {
		error_prefix(err, "--qmp");
		return -EREMOTEIO;
	}
	vm->total = report_new();
	vm->before = report_new();
	if (!vm->total || !vm->before)
		return error_set(err, -ENOMEM, "out of memory");
	vm->tracer = tracer_new(&config, err);
	if (!vm->tracer && !names_pids_are_hosts()) {
		error_prefix(err, "inside a pid namespace (run it in the host's)");
		return -ECHILD;
	}
	if (!vm->tracer)
		return -ECHILD;
	return tracer_snapshot(vm->tracer, vm->total, err);
}

static void vm_release(struct fleet_vm *vm)
{
	tracer_free(vm->tracer);
	if (vm->pidfd >= 0)
		close(vm->pidfd);
	report_free(vm->total);
	report_free(vm->before);
	free(vm->folded);
}

struct fleet_vm *fleet_place(struct fleet *f)
{
	struct fleet_vm *oldest = NULL;

	if (f->n < FLEET_MAX)
		return &f->vm[f->n];
	for (uint32_t i = 0; i < f->n; i++)
		if (!f->vm[i].tracer && (!oldest || f->vm[i].ended < oldest->ended))
			oldest = &f->vm[i];
	return oldest;
}

int fleet_attach(struct fleet *f, pid_t pid, uint64_t kvm, struct error *err)
{
	struct fleet_vm vm = { .pid = pid, .kvm = kvm, .pidfd = -1 };
	struct fleet_vm *place = fleet_place(f);
	int ret;

	if (!place)
		return error_set(err, -ENOSPC, "%d VMs are followed, which is the limit",
				 FLEET_MAX);
	ret = attach(f, &vm, err);
	if (ret) {
		vm_release(&vm);
		return ret;
	}
	if (place == &f->vm[f->n]) {
		f->n++;
	} else {
		fleet_say(f,
			  "%d has ended, and its figures are left out of the report: "
			  "only %d VMs are kept",
			  (int)place->pid, FLEET_MAX);
		vm_release(place);
	}
	*place = vm;
	return 0;
}

/* The last of it: after this its hooks are gone. */
static void vm_end(struct fleet *f, struct fleet_vm *vm)
{
	struct error err;
	size_t size;
	FILE *to;

	if (tracer_snapshot(vm->tracer, vm->total, &err) < 0) {
		fleet_say(f, "%d: %s", (int)vm->pid, err.msg);
		f->failed = true;
	}
	to = f->o->folded ? open_memstream(&vm->folded, &size) : NULL;
	if (to && tracer_write_folded(vm->tracer, to, &err) < 0) {
		fleet_say(f, "--folded: %s", err.msg);
		f->failed = true;
	}
	if (to)
		fclose(to);
	tracer_free(vm->tracer);
	vm->tracer = NULL;
	close(vm->pidfd);
	vm->pidfd = -1;
	report_free(vm->before);
	vm->before = NULL;
	vm->ended = ++f->n_ended;
}

void fleet_vm_gone(struct fleet *f, struct fleet_vm *vm)
{
	vm_end(f, vm);
	vm->total->vmm_alive = false;
	fleet_say(f, "%s %d has ended", vm->total->comm[0] ? vm->total->comm : "VM", (int)vm->pid);
}

bool fleet_vm_is_dead(const struct fleet_vm *vm)
{
	struct pollfd fd = { vm->pidfd, POLLIN, 0 };

	return poll(&fd, 1, 0) > 0;
}

void fleet_on_end(struct fleet *f, struct fleet_vm *vm)
{
	if (vm->tracer)
		fleet_vm_gone(f, vm);
}

unsigned int fleet_living(const struct fleet *f)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < f->n; i++)
		n += f->vm[i].tracer != NULL;
	return n;
}

void fleet_tick(struct fleet *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		struct fleet_vm *vm = &f->vm[i];
		struct report *swap = vm->before;
		struct error err;

		if (!vm->tracer)
			continue;
		vm->before = vm->total;
		vm->total = swap;
		if (tracer_snapshot(vm->tracer, vm->total, &err) < 0) {
			fleet_say(f, "%d: %s", (int)vm->pid, err.msg);
			*vm->total = *vm->before;
			f->failed = true;
			vm_end(f, vm);
			continue;
		}
		fleet_judge_walk(f, vm);
	}
}

void fleet_end(struct fleet *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->vm[i].tracer)
			vm_end(f, &f->vm[i]);
}

void fleet_release(struct fleet *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		vm_release(&f->vm[i]);
	fleet_refused_release(&f->refused);
	vm_list_release(&f->list);
	discover_free(f->discover);
}
