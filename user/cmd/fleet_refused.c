// SPDX-License-Identifier: BSD-2-Clause
/* See fleet_refused.h. Neighbour: fleet_look.c. */
#include "fleet_refused.h"

#include <stdlib.h>

#include <handoff/discover.h>

static bool is_vm(const struct fleet_refusal *r, const struct vm *vm)
{
	return r->pid == vm->pid && r->kvm == vm->kvm;
}

static struct fleet_refusal *find(const struct fleet_refused *r, const struct vm *vm)
{
	for (uint32_t i = 0; i < r->n; i++)
		if (is_vm(&r->vm[i], vm))
			return &r->vm[i];
	return NULL;
}

unsigned int fleet_refused_add(struct fleet_refused *r, const struct vm *vm)
{
	struct fleet_refusal *refusal = find(r, vm), *more;

	if (refusal)
		return ++refusal->tries;
	more = reallocarray(r->vm, r->n + 1, sizeof(*more));
	/* Without memory it is the first try again next time. */
	if (!more)
		return 1;
	r->vm = more;
	more[r->n++] = (struct fleet_refusal){ .pid = vm->pid, .kvm = vm->kvm, .tries = 1 };
	return 1;
}

unsigned int fleet_refused_tries(const struct fleet_refused *r, const struct vm *vm)
{
	const struct fleet_refusal *refusal = find(r, vm);

	return refusal ? refusal->tries : 0;
}

static bool is_listed(const struct fleet_refusal *r, const struct vm_list *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		if (is_vm(r, &list->vm[i]))
			return true;
	return false;
}

void fleet_refused_keep(struct fleet_refused *r, const struct vm_list *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		if (is_listed(&r->vm[i], list))
			r->vm[n++] = r->vm[i];
	r->n = n;
}

void fleet_refused_release(struct fleet_refused *r)
{
	free(r->vm);
	*r = (struct fleet_refused){};
}
