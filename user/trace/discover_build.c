// SPDX-License-Identifier: BSD-2-Clause
/*
 * From the records of a walk to VMs. What makes no sense was freed memory, and is counted; what is
 * met twice (two descriptors of one VM, threads that do not share theirs) is one. Pure.
 */
#include "discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>

_Static_assert((int)DISCOVER_UNKNOWN == CONSUMER_UNKNOWN && (int)DISCOVER_EPOLL == CONSUMER_EPOLL &&
		       (int)DISCOVER_PPOLL == CONSUMER_PPOLL &&
		       (int)DISCOVER_IO_URING == CONSUMER_IO_URING &&
		       (int)DISCOVER_READ == CONSUMER_READ &&
		       (int)DISCOVER_VHOST == CONSUMER_VHOST &&
		       (int)DISCOVER_BY_IRQFD == CONSUMER_IRQFD,
	       "the same list");

/* KVM's numbers; a GSI indexes a table of at most 4096 routes. */
#define BUSES	 5
#define MAX_GSI	 4096
#define MAX_PORT 0xffff

void make_printable(char *text, size_t size)
{
	char *c;

	text[size - 1] = '\0';
	for (c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

/* A thread once; that of an epoll set may have been away when the set was seen first. */
static void add_consumer(struct vm_eventfd *e, const struct discover_waiter *w)
{
	enum consumer_how how = w->how < CONSUMERS ? w->how : CONSUMER_UNKNOWN;
	struct vm_consumer *c = NULL;
	uint32_t i;

	for (i = 0; i < e->n_consumers && !c; i++)
		if (e->consumer[i].how == how &&
		    (e->consumer[i].tid == w->tid || !e->consumer[i].tid || !w->tid))
			c = &e->consumer[i];
	if (!c && e->n_consumers < VM_CONSUMERS)
		c = &e->consumer[e->n_consumers++];
	if (!c || (c->tid && !w->tid))
		return;
	c->how = how;
	c->tid = w->tid;
	c->pid = w->tgid;
	memcpy(c->comm, w->comm, sizeof(w->comm));
	make_printable(c->comm, sizeof(w->comm));
}

static void add_look(struct vm_eventfd *e, const struct discover_record *r)
{
	uint32_t i;

	e->count = r->count;
	for (i = 0; i < r->waiters && i < DISCOVER_WAITERS; i++)
		add_consumer(e, &r->waiter[i]);
}

static void begin_eventfd(struct vm_eventfd *e, const struct discover_record *r)
{
	e->ctx = r->ctx;
	e->id = r->id;
	add_look(e, r);
}

static bool sane_ioeventfd(const struct discover_record *r)
{
	bool length = r->len == 0 || r->len == 1 || r->len == 2 || r->len == 4 || r->len == 8;

	return r->ctx && length && r->bus < BUSES && r->wildcard <= 1 &&
	       (r->bus != BUS_PIO || r->addr <= MAX_PORT);
}

/* KVM files a write of any length twice: on its MMIO bus, and where it is found without decoding
 * the instruction. */
static struct kick_key way_of(const struct discover_record *r)
{
	struct kick_key way = { .gpa = r->addr,
				.bus = r->bus == BUS_FAST_MMIO ? BUS_MMIO : r->bus };

	if (!r->wildcard) {
		way.bus |= BUS_BY_VALUE;
		way.value = r->datamatch;
	}
	return way;
}

int compare_ways(const struct kick_key *a, const struct kick_key *b)
{
	uint32_t bus_a = a->bus & ~BUS_BY_VALUE, bus_b = b->bus & ~BUS_BY_VALUE;

	if (bus_a != bus_b)
		return bus_a < bus_b ? -1 : 1;
	if (a->gpa != b->gpa)
		return a->gpa < b->gpa ? -1 : 1;
	if (a->value != b->value)
		return a->value < b->value ? -1 : 1;
	return (int)(a->bus & BUS_BY_VALUE) - (int)(b->bus & BUS_BY_VALUE);
}

/* Kept in order: the first way is the queue's identity. One more than there is room for pushes the
 * last one out. */
static void add_way(struct vm_queue *q, const struct kick_key *way, uint32_t len)
{
	uint32_t at = 0, i;

	while (at < q->n_ways && compare_ways(&q->way[at], way) < 0)
		at++;
	if (at == QUEUE_WAYS || (at < q->n_ways && !compare_ways(&q->way[at], way)))
		return;
	if (q->n_ways < QUEUE_WAYS)
		q->n_ways++;
	for (i = q->n_ways - 1; i > at; i--) {
		q->way[i] = q->way[i - 1];
		q->len[i] = q->len[i - 1];
	}
	q->way[at] = *way;
	q->len[at] = len;
}

static void add_ioeventfd(struct vm *vm, const struct discover_record *r)
{
	struct kick_key way = way_of(r);
	struct vm_queue *q;
	uint32_t i;

	if (!sane_ioeventfd(r)) {
		vm->garbage++;
		return;
	}
	for (i = 0; i < vm->n_queues && vm->queue[i].eventfd.ctx != r->ctx; i++)
		;
	q = &vm->queue[i];
	if (i == vm->n_queues) {
		vm->n_queues++;
		begin_eventfd(&q->eventfd, r);
	}
	add_way(q, &way, r->len);
}

static void add_irqfd(struct vm *vm, const struct discover_record *r)
{
	struct vm_irqfd *irqfd = &vm->irqfd[vm->n_irqfds];

	if (!r->ctx || r->gsi >= MAX_GSI) {
		vm->garbage++;
		return;
	}
	vm->n_irqfds++;
	begin_eventfd(&irqfd->eventfd, r);
	irqfd->gsi = r->gsi;
	irqfd->is_msi = r->irq_type == DISCOVER_IRQ_MSI;
	if (irqfd->is_msi)
		irqfd->message = (struct irq_key){ .address = r->msi_address, .data = r->msi_data };
}

static void add_vcpu(struct vm *vm, const struct discover_record *r)
{
	struct vm_vcpu *vcpu = &vm->vcpu[vm->n_vcpus];
	uint32_t i;

	/* It may have more than one descriptor. */
	for (i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpu[i].id == r->vcpu)
			return;
	vcpu->id = r->vcpu;
	vcpu->tid = r->tid;
	vm->n_vcpus++;
}

static void add_fd(struct vm_eventfd *e, int fd)
{
	uint32_t i;

	for (i = 0; i < e->n_fds && i < VM_FDS; i++)
		if (e->fd[i] == fd)
			return;
	if (e->n_fds < VM_FDS)
		e->fd[e->n_fds++] = fd;
}

/* All places of an eventfd in the VM; true if there is one. */
static bool for_each_eventfd(struct vm *vm, uint64_t ctx, const struct discover_record *r,
			     void (*call)(struct vm_eventfd *e, const struct discover_record *r))
{
	bool found = false;
	uint32_t i;

	for (i = 0; i < vm->n_queues; i++)
		if (vm->queue[i].eventfd.ctx == ctx) {
			call(&vm->queue[i].eventfd, r);
			found = true;
		}
	for (i = 0; i < vm->n_irqfds; i++)
		if (vm->irqfd[i].eventfd.ctx == ctx) {
			call(&vm->irqfd[i].eventfd, r);
			found = true;
		}
	for (i = 0; i < vm->n_others; i++)
		if (vm->other[i].ctx == ctx) {
			call(&vm->other[i], r);
			found = true;
		}
	return found;
}

static void add_descriptor(struct vm_eventfd *e, const struct discover_record *r)
{
	add_fd(e, r->fd);
}

static bool is_of_another_vm(const struct walk *w, uint64_t ctx)
{
	uint32_t i;

	for (i = 0; i < w->n; i++)
		if ((w->record[i].kind == DISCOVER_IOEVENTFD ||
		     w->record[i].kind == DISCOVER_IRQFD) &&
		    w->record[i].ctx == ctx)
			return true;
	return false;
}

static void add_eventfd(struct vm *vm, const struct discover_record *r, const struct walk *w)
{
	if (for_each_eventfd(vm, r->ctx, r, add_descriptor) || is_of_another_vm(w, r->ctx))
		return;
	begin_eventfd(&vm->other[vm->n_others], r);
	add_fd(&vm->other[vm->n_others], r->fd);
	vm->n_others++;
}

static int compare_vcpus(const void *a, const void *b)
{
	const struct vm_vcpu *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int compare_irqfds(const void *a, const void *b)
{
	const struct vm_irqfd *x = a, *y = b;

	if (x->gsi != y->gsi)
		return x->gsi < y->gsi ? -1 : 1;
	return (x->eventfd.ctx > y->eventfd.ctx) - (x->eventfd.ctx < y->eventfd.ctx);
}

static void fill_vm(struct vm *vm, const struct walk *w)
{
	uint32_t i;

	for (i = 0; i < w->n; i++) {
		const struct discover_record *r = &w->record[i];

		if (r->kind == DISCOVER_EVENTFD && r->tgid == (uint32_t)vm->pid)
			add_eventfd(vm, r, w);
		else if (r->kvm != vm->kvm)
			continue;
		else if (r->kind == DISCOVER_VCPU)
			add_vcpu(vm, r);
		else if (r->kind == DISCOVER_IOEVENTFD)
			add_ioeventfd(vm, r);
		else if (r->kind == DISCOVER_IRQFD)
			add_irqfd(vm, r);
	}
	if (vm->n_vcpus)
		qsort(vm->vcpu, vm->n_vcpus, sizeof(vm->vcpu[0]), compare_vcpus);
	if (vm->n_irqfds)
		qsort(vm->irqfd, vm->n_irqfds, sizeof(vm->irqfd[0]), compare_irqfds);
}

static int add_vm(struct vm_list *list, const struct discover_record *r, const struct walk *w)
{
	uint32_t count[DISCOVER_EVENTFD + 1] = { 0 };
	struct vm *vm, *larger;
	uint32_t i;

	for (i = 0; i < list->n; i++)
		if (list->vm[i].kvm == r->kvm)
			return 0;
	larger = realloc(list->vm, (list->n + 1) * sizeof(*vm));
	if (!larger)
		return -ENOMEM;
	list->vm = larger;
	vm = &list->vm[list->n++];
	memset(vm, 0, sizeof(*vm));
	for (i = 0; i < w->n; i++)
		if (w->record[i].kind <= DISCOVER_EVENTFD)
			count[w->record[i].kind]++;
	vm->pid = r->tgid;
	vm->kvm = r->kvm;
	vm->vm_fd = r->fd;
	vm->vcpu = calloc(count[DISCOVER_VCPU] + 1, sizeof(*vm->vcpu));
	vm->queue = calloc(count[DISCOVER_IOEVENTFD] + 1, sizeof(*vm->queue));
	vm->irqfd = calloc(count[DISCOVER_IRQFD] + 1, sizeof(*vm->irqfd));
	vm->other = calloc(count[DISCOVER_EVENTFD] + 1, sizeof(*vm->other));
	if (!vm->vcpu || !vm->queue || !vm->irqfd || !vm->other)
		return -ENOMEM;
	fill_vm(vm, w);
	return 0;
}

int vm_list_add(struct vm_list *list, const struct walk *w)
{
	int ret = 0;
	uint32_t i;

	for (i = 0; i < w->n && !ret; i++)
		if (w->record[i].kind == DISCOVER_VM)
			ret = add_vm(list, &w->record[i], w);
	return ret;
}

void vm_list_look(struct vm_list *list, const struct walk *w)
{
	uint32_t i, j;

	for (i = 0; i < w->n; i++)
		for (j = 0; j < list->n && w->record[i].ctx; j++)
			if (list->vm[j].pid == (pid_t)w->record[i].tgid)
				for_each_eventfd(&list->vm[j], w->record[i].ctx, &w->record[i],
						 add_look);
}
