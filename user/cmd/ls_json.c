// SPDX-License-Identifier: BSD-2-Clause
/*
 * `handoff ls --json`. What is not known is null, never 0. A NULL from jansson (no memory) makes
 * the enclosing value NULL as well, so that one look at the end is enough.
 */
#include "ls.h"

#include <errno.h>
#include <jansson.h>

#include <handoff/report.h>

/* NULL if the list or an element of it is. */
static bool append(json_t *list, json_t *element)
{
	return !json_array_append_new(list, element);
}

static json_t *drop(json_t *list)
{
	json_decref(list);
	return NULL;
}

/* Above 2^63 JSON's integers end here. */
static json_t *number(uint64_t n)
{
	return n <= INT64_MAX ? json_integer((json_int_t)n) : json_real((double)n);
}

static json_t *consumers_json(const struct vm_eventfd *e, const struct vm_names *names)
{
	json_t *list = json_array();
	const struct vm_consumer *c;
	uint32_t i;

	for (i = 0; i < e->n_consumers && i < VM_CONSUMERS; i++) {
		c = &e->consumer[i];
		if (!append(list,
			    json_pack("{so ss? ss ss?}", "tid",
				      c->tid ? json_integer(c->tid) : json_null(), "comm",
				      c->tid ? c->comm : NULL, "how", consumer_how_name(c->how),
				      "loop", ls_loop(names, c->tid))))
			return drop(list);
	}
	return list;
}

static json_t *eventfd_json(const struct vm_eventfd *e, const struct vm_names *names)
{
	json_t *fds = json_array();
	uint32_t i;

	if (!e->ctx) {
		json_decref(fds);
		return json_null();
	}
	for (i = 0; i < e->n_fds && i < VM_FDS; i++)
		if (!append(fds, json_integer(e->fd[i])))
			return drop(fds);
	return json_pack("{sI so so so}", "id", (json_int_t)e->id, "count", number(e->count), "fds",
			 fds, "consumers", consumers_json(e, names));
}

static json_t *ways_json(const struct vm_queue *q)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < q->n_ways && i < QUEUE_WAYS; i++)
		if (!append(list,
			    json_pack("{ss so so so}", "bus", ls_bus_name(&q->way[i]), "address",
				      number(q->way[i].gpa), "length",
				      q->len[i] ? json_integer(q->len[i]) : json_null(), "value",
				      q->way[i].bus & BUS_BY_VALUE ? number(q->way[i].value)
								   : json_null())))
			return drop(list);
	return list;
}

static json_t *queues_json(const struct vm *vm, const struct vm_names *names)
{
	json_t *list;
	uint32_t i;

	if (vm->evidence == EVIDENCE_ABSENT)
		return json_null();
	list = json_array();
	for (i = 0; i < vm->n_queues; i++) {
		const struct vm_queue *q = &vm->queue[i];

		if (!append(list,
			    json_pack("{ss si ss ss so so}", "device", q->device, "queue", q->queue,
				      "name_evidence", evidence_name(q->name_evidence),
				      "name_reason", q->name_reason, "ways", ways_json(q),
				      "eventfd", eventfd_json(&q->eventfd, names))))
			return drop(list);
	}
	return list;
}

static json_t *irqfds_json(const struct vm *vm, const struct vm_names *names)
{
	json_t *list, *message;
	uint32_t i;

	if (vm->evidence == EVIDENCE_ABSENT)
		return json_null();
	list = json_array();
	for (i = 0; i < vm->n_irqfds; i++) {
		const struct vm_irqfd *irqfd = &vm->irqfd[i];

		message = irqfd->is_msi ? json_pack("{sI sI}", "address",
						    (json_int_t)irqfd->message.address, "data",
						    (json_int_t)irqfd->message.data)
					: json_null();
		if (!append(list, json_pack("{si so so}", "gsi", irqfd->gsi, "message", message,
					    "eventfd", eventfd_json(&irqfd->eventfd, names))))
			return drop(list);
	}
	return list;
}

static json_t *others_json(const struct vm *vm, const struct vm_names *names)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < vm->n_others; i++)
		if (!append(list, eventfd_json(&vm->other[i], names)))
			return drop(list);
	return list;
}

static json_t *vcpus_json(const struct vm *vm)
{
	json_t *list = json_array();
	uint32_t i;

	for (i = 0; i < vm->n_vcpus; i++)
		if (!append(list, json_pack("{si so}", "id", vm->vcpu[i].id, "tid",
					    vm->vcpu[i].tid ? json_integer(vm->vcpu[i].tid)
							    : json_null())))
			return drop(list);
	return list;
}

static json_t *vm_json(const struct vm *vm, const struct vm_names *names)
{
	return json_pack("{si ss ss ss so ss ss si si so so so}", "pid", (int)vm->pid, "kind",
			 vm->kind, "comm", vm->comm, "command", vm->command, "vcpus",
			 vcpus_json(vm), "evidence", evidence_name(vm->evidence), "reason",
			 vm->reason, "garbage", vm->garbage, "unequal", vm->unequal, "queues",
			 queues_json(vm, names), "irqfds", irqfds_json(vm, names), "other_eventfds",
			 others_json(vm, names));
}

int ls_print_json(const struct vm_list *list, const struct vm_names *names, FILE *to)
{
	json_t *vms = json_array(), *root;
	uint32_t i;

	for (i = 0; vms && i < list->n; i++)
		if (!append(vms, vm_json(&list->vm[i], names)))
			vms = drop(vms);
	root = json_pack("{ss ss so}", "schema", "handoff.ls/1", "kvm", list->kvm, "vms", vms);
	if (!root)
		return -ENOMEM;
	/* Whoever closes the file tells if it did not arrive. */
	json_dumpf(root, to, JSON_INDENT(2));
	fputc('\n', to);
	json_decref(root);
	return 0;
}
