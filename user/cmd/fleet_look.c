// SPDX-License-Identifier: BSD-2-Clause
/* Which VMs there are, and which of the fleet's are no more: see fleet.h. Neighbour: fleet.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <handoff/trace.h>

#include "fleet_private.h"
#include "trace.h"

/* Looks in a row that a VM has to be missed by: one may have met it half taken apart. */
#define MISSED_LOOKS 2
/* A VM that has just begun may not be ready for a tracer yet. */
#define ATTACH_TRIES 3

static int need_discover(struct fleet *f, struct error *err)
{
	if (f->discover)
		return 0;
	f->discover = discover_new(err);
	return f->discover ? 0 : -ENODEV;
}

/* Not ours (a tracer tries its programs on one), and not one that was made just to see if KVM
 * works. */
static bool is_worth_it(const struct vm *vm)
{
	if (vm->pid == getpid())
		return false;
	for (uint32_t i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpu[i].tid)
			return true;
	return false;
}

static bool is_followed(const struct fleet *f, pid_t pid)
{
	for (uint32_t i = 0; i < f->n; i++)
		if (f->vm[i].tracer && f->vm[i].pid == pid)
			return true;
	return false;
}

static struct fleet_refused *refused(struct fleet *f, const struct vm *vm)
{
	struct fleet_refused *r;

	for (uint32_t i = 0; i < f->n_refused; i++)
		if (f->refused[i].pid == vm->pid && f->refused[i].kvm == vm->kvm)
			return &f->refused[i];
	/* The oldest makes room. */
	if (f->n_refused == FLEET_REFUSED)
		memmove(&f->refused[0], &f->refused[1], --f->n_refused * sizeof(f->refused[0]));
	r = &f->refused[f->n_refused++];
	*r = (struct fleet_refused){ .pid = vm->pid, .kvm = vm->kvm };
	return r;
}

static void try_attach(struct fleet *f, const struct vm *vm)
{
	struct fleet_refused *r = refused(f, vm);
	struct error err;

	if (f->n == FLEET_MAX) {
		if (!f->full_said)
			fleet_say(f, "%d VMs are followed, which is the limit: %s %d is not",
				  FLEET_MAX, vm->comm, (int)vm->pid);
		f->full_said = true;
		return;
	}
	if (r->tries == ATTACH_TRIES)
		return;
	if (!fleet_attach(f, vm->pid, vm->kvm, &err))
		fleet_say(f, "%s %d is traced", vm->comm, (int)vm->pid);
	else if (++r->tries == ATTACH_TRIES)
		fleet_say(f, "%s %d is not traced: %s", vm->comm, (int)vm->pid, err.msg);
}

static bool is_listed(const struct vm_list *list, struct fleet_vm *vm)
{
	for (uint32_t i = 0; i < list->n; i++) {
		if (list->vm[i].pid != vm->pid)
			continue;
		if (!vm->kvm)
			vm->kvm = list->vm[i].kvm;
		if (vm->kvm == list->vm[i].kvm)
			return true;
	}
	return false;
}

/* Is it there still, by f->list? */
static void judge_presence(struct fleet *f, struct fleet_vm *vm)
{
	vm->missed = is_listed(&f->list, vm) ? 0 : vm->missed + 1;
	if (fleet_vm_is_dead(vm) || vm->missed >= MISSED_LOOKS)
		fleet_vm_gone(f, vm);
}

void fleet_look(struct fleet *f)
{
	struct error err;

	if (discover_run(f->discover, 0, 1, &f->list, &err)) {
		if (!f->discover_failed)
			fleet_say(f, "cannot look for VMs: %s", err.msg);
		f->discover_failed = true;
		return;
	}
	f->discover_failed = false;
	for (uint32_t i = 0; i < f->n; i++)
		if (f->vm[i].tracer)
			judge_presence(f, &f->vm[i]);
	for (uint32_t i = 0; i < f->list.n; i++)
		if (is_worth_it(&f->list.vm[i]) && !is_followed(f, f->list.vm[i].pid))
			try_attach(f, &f->list.vm[i]);
}

void fleet_on_change(struct fleet *f, struct fleet_vm *vm)
{
	struct error err;

	if (!vm->tracer)
		return;
	if (tracer_refresh(vm->tracer, &err) < 0)
		fleet_say(f, "%d: %s", (int)vm->pid, err.msg);
	/* All its eventfds may be gone because the VM is, though its process lives. */
	for (vm->missed = 0; !f->o->all && vm->missed < MISSED_LOOKS; vm->missed++)
		if (need_discover(f, &err) ||
		    discover_run(f->discover, vm->pid, 1, &f->list, &err) ||
		    is_listed(&f->list, vm))
			return;
	if (vm->missed == MISSED_LOOKS)
		fleet_vm_gone(f, vm);
}

/* "1234 (qemu), 5678 (handoff)". */
static void list_vms(const struct vm_list *list, char *buf, size_t size)
{
	size_t fill = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < list->n && fill < size; i++)
		if (is_worth_it(&list->vm[i]))
			fill += (size_t)snprintf(buf + fill, size - fill, "%s%d (%s)",
						 fill ? ", " : "", (int)list->vm[i].pid,
						 list->vm[i].comm);
}

static int attach_only(struct fleet *f, struct error *err)
{
	const struct vm *only = NULL;
	unsigned int n = 0;
	char text[160];

	for (uint32_t i = 0; i < f->list.n; i++) {
		if (!is_worth_it(&f->list.vm[i]))
			continue;
		only = &f->list.vm[i];
		n++;
	}
	if (!only)
		return error_set(err, -ENOENT,
				 "no VM runs on this machine; `handoff trace --all` waits for one");
	if (n == 1)
		return fleet_attach(f, only->pid, only->kvm, err);
	list_vms(&f->list, text, sizeof(text));
	return error_set(err, -EINVAL, "%u VMs run: %s; choose one with -p, or --all", n, text);
}

int fleet_init(struct fleet *f, const struct trace_options *o, const struct vm_names *names,
	       void (*say)(void *opaque, const char *line), void *opaque, struct error *err)
{
	int ret = 0;

	*f = (struct fleet){ .o = o, .names = names, .say = say, .opaque = opaque };
	for (uint32_t i = 0; !ret && i < o->n_pids; i++)
		ret = fleet_attach(f, o->pid[i], 0, err);
	if (o->n_pids)
		return ret;
	ret = need_discover(f, err);
	if (!ret && o->all)
		fleet_look(f);
	else if (!ret)
		ret = discover_run(f->discover, 0, 1, &f->list, err);
	return ret || o->all ? ret : attach_only(f, err);
}
