// SPDX-License-Identifier: BSD-2-Clause
/* The VM of fake_vm.h. */
#include "fake_vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct foreign *fake_foreign_new(void)
{
	struct foreign *f = calloc(1, sizeof(*f));
	struct vm *vm = calloc(1, sizeof(*vm));

	f->pid = FAKE_PID;
	f->list.n = 1;
	f->list.vm = vm;
	f->vm = vm;
	vm->pid = FAKE_PID;
	vm->evidence = EVIDENCE_EXACT;
	snprintf(vm->kind, sizeof(vm->kind), "qemu");
	vm->vcpu = calloc(FAKE_VM_MAX, sizeof(*vm->vcpu));
	vm->queue = calloc(FAKE_VM_MAX, sizeof(*vm->queue));
	vm->irqfd = calloc(FAKE_VM_MAX, sizeof(*vm->irqfd));
	vm->other = calloc(FAKE_VM_MAX, sizeof(*vm->other));
	return f;
}

void fake_foreign_free(struct foreign *f)
{
	free(f->vm->vcpu);
	free(f->vm->queue);
	free(f->vm->irqfd);
	free(f->vm->other);
	free(f->vm);
	free(f);
}

struct vm_queue *fake_vm_queue(struct foreign *f, uint64_t gpa, const char *device, uint32_t queue,
			       uint32_t id)
{
	struct vm_queue *q = &f->vm->queue[f->vm->n_queues++];

	memset(q, 0, sizeof(*q));
	q->eventfd.ctx = id + 1000;
	q->eventfd.id = id;
	q->eventfd.n_fds = 1;
	q->eventfd.fd[0] = (int32_t)id + 100;
	q->n_ways = 1;
	q->way[0].gpa = gpa;
	snprintf(q->device, sizeof(q->device), "%s", device);
	q->queue = queue;
	q->name_evidence = EVIDENCE_INFERRED;
	snprintf(q->name_reason, sizeof(q->name_reason), "a guess");
	return q;
}

static void add_consumer(struct vm_eventfd *e, uint32_t tid, enum consumer_how how,
			 const char *comm)
{
	struct vm_consumer *c = &e->consumer[e->n_consumers++];

	c->tid = tid;
	c->pid = FAKE_PID;
	c->how = how;
	snprintf(c->comm, sizeof(c->comm), "%s", comm);
}

void fake_vm_consumer(struct vm_queue *q, uint32_t tid, enum consumer_how how, const char *comm)
{
	add_consumer(&q->eventfd, tid, how, comm);
}

void fake_vm_other(struct foreign *f, uint32_t id, uint64_t count, uint32_t tid)
{
	struct vm_eventfd *e = &f->vm->other[f->vm->n_others++];

	memset(e, 0, sizeof(*e));
	e->ctx = id + 1000;
	e->id = id;
	e->count = count;
	e->n_fds = 1;
	e->fd[0] = (int32_t)id + 100;
	add_consumer(e, tid, CONSUMER_EPOLL, "loop");
}

void fake_vm_irqfd(struct foreign *f, uint32_t id, uint32_t address, uint32_t data)
{
	struct vm_irqfd *i = &f->vm->irqfd[f->vm->n_irqfds++];

	memset(i, 0, sizeof(*i));
	i->eventfd.ctx = id + 1000;
	i->eventfd.id = id;
	i->is_msi = true;
	i->message = (struct irq_key){ .address = address, .data = data };
}

void fake_vm_clear(struct foreign *f)
{
	f->vm->n_queues = f->vm->n_irqfds = f->vm->n_others = 0;
}

uint32_t fake_row(const struct foreign *f, uint64_t gpa)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++)
		if (f->row[i].used && f->row[i].first.gpa == gpa)
			return i;
	return FOREIGN_NONE;
}

uint32_t fake_told(struct foreign *f)
{
	uint32_t i, n = 0;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		n += f->row[i].stale;
		f->row[i].stale = false;
	}
	return n;
}
