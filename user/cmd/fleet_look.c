// SPDX-License-Identifier: BSD-2-Clause
/* Which VMs there are, and which of the fleet's are no more: see fleet.h. Neighbour: fleet.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/trace.h>

#include "fleet_private.h"
#include "names_threads.h"
#include "trace.h"

/* Looks or walks in a row that a VM has to be missed by: one may have met it half taken apart. */
#define MISSES	2
/* A guest may change its eventfds without end (MSI-X masks): each walk takes some 0.1 ms. */
#define WALK_NS (20 * NS_PER_MS)

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

static void try_attach(struct fleet *f, const struct vm *vm)
{
	struct error err;

	if (!fleet_place(f)) {
		if (!f->full_said)
			fleet_say(f, "%d VMs are followed, which is the limit: %s %d is not",
				  FLEET_MAX, vm->comm, (int)vm->pid);
		f->full_said = true;
		return;
	}
	f->full_said = false;
	if (!fleet_attach(f, vm->pid, vm->kvm, &err))
		fleet_say(f, "%s %d is traced", vm->comm, (int)vm->pid);
	else if (fleet_refused_add(&f->refused, vm) == FLEET_TRIES)
		fleet_say(f, "%s %d is not traced: %s", vm->comm, (int)vm->pid, err.msg);
}

static bool is_stopped(const struct fleet *f)
{
	return f->owner.stopped(f->owner.opaque);
}

static void attach_all(struct fleet *f)
{
	for (uint32_t i = 0; i < f->list.n && !is_stopped(f); i++)
		if (is_worth_it(&f->list.vm[i]) && !is_followed(f, f->list.vm[i].pid))
			try_attach(f, &f->list.vm[i]);
}

/* One at a look, as each takes a while in which the others are not looked after; those that were
 * refused wait for the others. */
static void attach_one(struct fleet *f)
{
	unsigned int least = FLEET_TRIES;
	const struct vm *vm = NULL;

	for (uint32_t i = 0; i < f->list.n; i++) {
		unsigned int tries = fleet_refused_tries(&f->refused, &f->list.vm[i]);

		if (tries >= least || !is_worth_it(&f->list.vm[i]) ||
		    is_followed(f, f->list.vm[i].pid))
			continue;
		vm = &f->list.vm[i];
		least = tries;
	}
	if (vm)
		try_attach(f, vm);
}

/* The kvm of a VM that a look found is known. */
static bool is_listed(const struct vm_list *list, const struct fleet_vm *vm)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (list->vm[i].pid == vm->pid && list->vm[i].kvm == vm->kvm)
			return true;
	return false;
}

/* Is it there still, by f->list? */
static void judge_presence(struct fleet *f, struct fleet_vm *vm)
{
	vm->missed_looks = is_listed(&f->list, vm) ? 0 : vm->missed_looks + 1;
	if (fleet_vm_is_dead(vm) || vm->missed_looks >= MISSES)
		fleet_vm_gone(f, vm);
}

/* 0, or -errno after saying why. */
static int look(struct fleet *f)
{
	struct error err;
	int ret = discover_run(f->discover, 0, 1, &f->list, &err);

	if (ret && !f->discover_failed)
		fleet_say(f, "cannot look for VMs: %s", err.msg);
	f->discover_failed = ret;
	return ret;
}

void fleet_look(struct fleet *f)
{
	if (look(f))
		return;
	for (uint32_t i = 0; i < f->n; i++)
		if (f->vm[i].tracer)
			judge_presence(f, &f->vm[i]);
	fleet_refused_keep(&f->refused, &f->list);
	attach_one(f);
}

void fleet_judge_walk(struct fleet *f, struct fleet_vm *vm)
{
	vm->missed_walks = tracer_vm_is_there(vm->tracer) ? 0 : vm->missed_walks + 1;
	/* All its eventfds may be gone because the VM is, though its process lives. */
	if (vm->missed_walks >= MISSES)
		fleet_vm_gone(f, vm);
}

void fleet_on_change(struct fleet *f, struct fleet_vm *vm)
{
	struct error err;

	if (!vm->tracer)
		return;
	if (tracer_refresh(vm->tracer, &err) < 0)
		fleet_say(f, "%d: %s", (int)vm->pid, err.msg);
	vm->next_walk_ns = clock_ns() + WALK_NS;
	fleet_judge_walk(f, vm);
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
	if (!only && !names_pids_are_hosts())
		return names_no_vm_inside(err);
	if (!only)
		return error_set(err, -ENOENT,
				 "no VM runs on this machine; `handoff trace --all` waits for one");
	if (n == 1)
		return fleet_attach(f, only->pid, only->kvm, err);
	list_vms(&f->list, text, sizeof(text));
	return error_set(err, -EINVAL, "%u VMs run: %s; choose one with -p, or --all", n, text);
}

int fleet_init(struct fleet *f, const struct trace_options *o, struct vm_names *names,
	       const struct fleet_owner *owner, struct error *err)
{
	int ret = 0;

	*f = (struct fleet){ .o = o, .names = names, .owner = *owner };
	for (uint32_t i = 0; !ret && i < o->n_pids; i++)
		ret = is_stopped(f)
			      ? error_set(err, -EINTR, "ended before all VMs were attached to")
			      : fleet_attach(f, o->pid[i], 0, err);
	if (o->n_pids)
		return ret;
	f->discover = discover_new(err);
	if (!f->discover)
		return -ENODEV;
	if (!o->all) {
		ret = discover_run(f->discover, 0, 1, &f->list, err);
		return ret ? ret : attach_only(f, err);
	}
	if (!look(f))
		attach_all(f);
	return f->list.n || names_pids_are_hosts() ? 0 : names_no_vm_inside(err);
}
