// SPDX-License-Identifier: BSD-2-Clause
/*
 * Queues where KVM's lists cannot be walked: registrations that were seen since the tracer came,
 * and addresses given by hand. Each walk is without them, so they are added to each.
 */
#include "foreign.h"

#include <errno.h>
#include <string.h>
#include <linux/kvm.h>
#include <handoff/compiler.h>

static bool same_way(const struct kick_key *a, const struct kick_key *b)
{
	return a->gpa == b->gpa && a->bus == b->bus && a->value == b->value;
}

static void forget(struct foreign *f, const struct kick_key *way)
{
	uint32_t i = 0;

	while (i < f->n_given) {
		if (f->given[i].fd >= 0 && same_way(&f->given[i].way, way))
			f->given[i] = f->given[--f->n_given];
		else
			i++;
	}
}

static void keep(struct foreign *f, const struct kick_key *way, int32_t fd)
{
	if (f->n_given == FOREIGN_GIVEN) {
		f->no_room = MAX(f->no_room, 1);
		return;
	}
	f->given[f->n_given].way = *way;
	f->given[f->n_given++].fd = fd;
}

void foreign_give(struct foreign *f, const struct kick_key *way)
{
	keep(f, way, -1);
}

void foreign_hear(struct foreign *f, const struct vm_change *change)
{
	struct kick_key way = { .gpa = change->gpa };

	if (change->op != CHANGE_IOEVENTFD || change->flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY)
		return;
	way.bus = change->flags & KVM_IOEVENTFD_FLAG_PIO ? BUS_PIO : BUS_MMIO;
	if (change->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) {
		way.bus |= BUS_BY_VALUE;
		way.value = change->datamatch;
	}
	forget(f, &way);
	if (!(change->flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
		keep(f, &way, change->fd);
}

static bool has_fd(const struct vm_eventfd *e, int32_t fd)
{
	uint32_t i;

	for (i = 0; i < e->n_fds && i < VM_FDS; i++)
		if (e->fd[i] == fd)
			return true;
	return false;
}

/* The walk has met it among the process's descriptors, and could not tell what it is for. False: it
 * has not. */
static bool take_other(struct vm *vm, int32_t fd, struct vm_eventfd *e)
{
	uint32_t i;

	for (i = 0; i < vm->n_others; i++) {
		if (!has_fd(&vm->other[i], fd))
			continue;
		*e = vm->other[i];
		vm->n_others--;
		memmove(&vm->other[i], &vm->other[i + 1], (vm->n_others - i) * sizeof(*e));
		return true;
	}
	return false;
}

static void set_eventfd(struct vm *vm, const struct kick_key *way, int32_t fd)
{
	struct vm_eventfd *e = NULL;
	uint32_t i;

	for (i = 0; i < vm->n_queues && !e; i++)
		if (same_way(&vm->queue[i].way[0], way))
			e = &vm->queue[i].eventfd;
	if (!e || take_other(vm, fd, e))
		return;
	e->fd[0] = fd;
	e->n_fds = 1;
}

/* A queue may be registered at several addresses, all with its one eventfd. */
static void add_heard(struct foreign *f, uint32_t first)
{
	struct kick_key ways[QUEUE_WAYS];
	int32_t fd = f->given[first].fd;
	uint32_t i, n = 0;

	for (i = 0; i < first; i++)
		if (f->given[i].fd == fd)
			return;
	for (i = first; i < f->n_given && n < QUEUE_WAYS; i++)
		if (f->given[i].fd == fd)
			ways[n++] = f->given[i].way;
	if (!vm_add_given(f->vm, ways, n, NULL))
		set_eventfd(f->vm, &ways[0], fd);
}

void foreign_add_given(struct foreign *f)
{
	/* A walk that saw all knows better than what was registered once. */
	bool walked = f->vm->evidence == EVIDENCE_EXACT && (f->vm->n_queues || !f->vm->reason[0]);
	uint32_t i;

	for (i = 0; i < f->n_given; i++) {
		/* One that a queue has already is no failure; without memory the next walk tries
		 * again. */
		if (f->given[i].fd < 0)
			(void)!vm_add_given(f->vm, &f->given[i].way, 1, NULL);
		else if (!walked)
			add_heard(f, i);
	}
}
