// SPDX-License-Identifier: BSD-2-Clause
/* The life of struct foreign: walking, telling the programs, and the page that joins read. */
#include "foreign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>
#include "discover.h"

/* A loop that spins is seen waiting only between its spins: the first look takes its time, 5 ms a
 * sample. */
#define FIRST_SAMPLES 8

static struct vm *find_vm(const struct foreign *f, struct vm_list *list)
{
	uint32_t i;

	for (i = 0; f->vm && i < list->n; i++)
		if (list->vm[i].pid == f->pid && list->vm[i].kvm == f->vm->kvm)
			return &list->vm[i];
	return NULL;
}

/* A process may hold several VMs (to probe KVM, say): the one that runs is meant, and stays it. */
static struct vm *pick_vm(const struct foreign *f, struct vm_list *list)
{
	struct vm *best = find_vm(f, list);
	uint32_t i;

	if (best && best->n_queues)
		return best;
	if (!best && f->vm && f->vm->n_queues)
		return NULL;
	for (i = 0; i < list->n; i++) {
		struct vm *vm = &list->vm[i];

		if (vm->pid != f->pid)
			continue;
		if (!best || vm->n_queues > best->n_queues ||
		    (vm->n_queues == best->n_queues && vm->n_vcpus > best->n_vcpus))
			best = vm;
	}
	return best;
}

/* What the walk found, unless the VM is gone: then all stays as it was last. */
static void foreign_take(struct foreign *f, struct vm_list *list)
{
	struct vm *vm = pick_vm(f, list);

	f->is_there = vm;
	if (!vm) {
		vm_list_release(list);
		return;
	}
	vm_list_release(&f->list);
	f->list = *list;
	f->vm = vm;
	memset(list, 0, sizeof(*list));
	foreign_add_given(f);
	foreign_look_for_vhost(f);
	if (f->has_names)
		vm_name_queues(vm, &f->names);
	foreign_take_vm(f);
}

void foreign_take_vm(struct foreign *f)
{
	foreign_take_rows(f);
	foreign_take_loops(f);
	foreign_take_vcpus(f);
	foreign_follow_messages(f);
	foreign_guess_messages(f);
}

/* What is known of the process is handed on, or it is read anew with every walk. */
static int seed_list(const struct foreign *f, struct vm_list *list)
{
	memset(list, 0, sizeof(*list));
	memcpy(list->kvm, f->list.kvm, sizeof(list->kvm));
	if (!f->vm)
		return 0;
	list->vm = calloc(1, sizeof(*list->vm));
	if (!list->vm)
		return -ENOMEM;
	list->n = 1;
	list->vm->pid = f->vm->pid;
	list->vm->kvm = f->vm->kvm;
	memcpy(list->vm->comm, f->vm->comm, sizeof(list->vm->comm));
	memcpy(list->vm->command, f->vm->command, sizeof(list->vm->command));
	memcpy(list->vm->kind, f->vm->kind, sizeof(list->vm->kind));
	return 0;
}

static int foreign_walk(struct foreign *f, unsigned int samples, struct error *err)
{
	struct vm_list list;
	int ret = seed_list(f, &list);

	if (ret)
		return error_set(err, ret, "out of memory");
	ret = discover_run(f->discover, f->pid, samples, &list, err);
	if (ret) {
		vm_list_release(&list);
		return ret;
	}
	foreign_take(f, &list);
	return 0;
}

bool foreign_has_rings(const struct foreign *f)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (f->row[i].present && f->row[i].how == CONSUMER_IO_URING)
			return true;
	return false;
}

struct foreign *foreign_new(const struct tracer_config *config, struct error *err)
{
	struct foreign *f = calloc(1, sizeof(*f));
	uint32_t i;

	if (!f) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	f->pid = config->pid;
	for (i = 0; i < config->n_given; i++)
		foreign_give(f, &config->given[i]);
	if (config->names)
		foreign_set_names(f, config->names);
	f->discover = discover_new(err);
	if (!f->discover || foreign_walk(f, FIRST_SAMPLES, err))
		goto fail;
	f->rings = foreign_has_rings(f);
	if (!f->vm) {
		error_set(err, -ENOENT,
			  "process %d has no VM: it has neither handoff's stats page nor one of "
			  "KVM's",
			  (int)config->pid);
		goto fail;
	}
	return f;
fail:
	foreign_free(f);
	return NULL;
}

void foreign_free(struct foreign *f)
{
	if (!f)
		return;
	vm_list_release(&f->list);
	discover_free(f->discover);
	free(f);
}

int foreign_refresh(struct foreign *f, struct kernel *k, struct error *err)
{
	struct vm_change change;
	int ret;

	/* Emptied before the walk: what changes while we walk makes the descriptor readable again.
	 */
	(void)kernel_changes(k);
	while (kernel_next_change(k, &change))
		foreign_hear(f, &change);
	ret = foreign_walk(f, 1, err);
	if (ret)
		return ret;
	foreign_tell(f, k);
	if (foreign_has_rings(f) && !f->rings) {
		/* What fails shows as kicks that nobody takes, and in the list of programs. */
		(void)!kernel_watch_rings(k);
		f->rings = true;
	}
	return 0;
}

void foreign_set_names(struct foreign *f, const struct vm_names *names)
{
	f->names = *names;
	f->has_names = true;
	if (!f->vm)
		return;
	vm_name_queues(f->vm, &f->names);
	foreign_take_vm(f);
}

void foreign_tell(struct foreign *f, struct kernel *k)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		struct foreign_row *row = &f->row[i];

		/* What fails is tried again with the next change, and shows meanwhile: a queue
		 * without kicks. */
		if (row->stale && !kernel_bind(k, i, &row->to_tell))
			row->stale = false;
	}
}

/* The thread that served it last; a guess of discovery's where nobody was seen to. */
static uint32_t server_of(const struct kernel_view *view, uint32_t row)
{
	uint64_t served_ns = 0;
	uint32_t tid = view->queue[row].tid, i;

	for (i = 0; !view->queue[row].tid && i < view->n_kicks; i++) {
		const struct kick_state *state = &view->kick[i].state;

		if (state->row != row + 1 || !state->served_tid || state->served_ns < served_ns)
			continue;
		served_ns = state->served_ns;
		tid = state->served_tid;
	}
	return tid;
}

void foreign_learn(struct foreign *f, const struct kernel_view *view)
{
	uint32_t i, loop;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		if (!f->row[i].used)
			continue;
		loop = foreign_loop_of(f, server_of(view, i));
		if (loop == FOREIGN_NONE)
			continue;
		f->loop[loop].served = true;
		f->row[i].loop = loop;
	}
	foreign_take_votes(f, view);
}

static void fill_queue(const struct foreign_row *row, struct stats_queue *q)
{
	q->used = 1;
	memcpy(q->device, row->device, sizeof(q->device));
	q->queue = row->queue;
	q->loop = row->loop;
	q->gpa = row->first.gpa;
	q->ioeventfd = row->present;
	q->msi_addr = row->to_tell.msi.address;
	q->msi_data = row->to_tell.msi.data;
}

static void fill_loop(const struct foreign *f, const struct foreign_loop *loop,
		      struct stats_loop *l)
{
	l->kind = loop->tid == (uint32_t)f->pid ? STATS_LOOP_MAIN : STATS_LOOP_IOTHREAD;
	l->tid = loop->tid;
	memcpy(l->id, loop->id, sizeof(l->id));
	if (!loop->named || !f->names.loop[loop->named - 1].poll_known)
		return;
	l->poll_max_ns = f->names.loop[loop->named - 1].poll_max_ns;
	l->poll_grow = f->names.loop[loop->named - 1].poll_grow;
	l->poll_shrink = f->names.loop[loop->named - 1].poll_shrink;
	l->poll_weight = f->names.loop[loop->named - 1].poll_weight;
}

void foreign_fill(const struct foreign *f, struct stats_page *page)
{
	uint32_t i;

	_Static_assert(VM_NAME == STATS_NAME_LEN, "names are copied whole");
	memset(page->loop, 0, sizeof(page->loop));
	for (i = 0; i < STATS_MAX_LOOPS; i++)
		if (f->loop[i].tid && (f->loop[i].served || f->loop[i].waits || f->loop[i].named))
			fill_loop(f, &f->loop[i], &page->loop[i]);
	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (f->row[i].used)
			fill_queue(&f->row[i], &page->queue[i]);
}

const struct vm *foreign_vm(const struct foreign *f)
{
	return f->vm;
}

const struct vm_queue *foreign_queue(const struct foreign *f, uint32_t row)
{
	if (row >= STATS_MAX_QUEUES || !f->row[row].present || !f->vm ||
	    f->row[row].vm_queue >= f->vm->n_queues)
		return NULL;
	return &f->vm->queue[f->row[row].vm_queue];
}
