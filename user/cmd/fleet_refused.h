/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs that could not be traced, while there are such VMs. Main thread. */
#ifndef HANDOFF_CMD_FLEET_REFUSED_H
#define HANDOFF_CMD_FLEET_REFUSED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct vm;
struct vm_list;

/* A VM that has just begun may not be ready for a tracer yet. */
#define FLEET_TRIES 3

/* Zeroed before its first use. */
struct fleet_refused {
	uint32_t n;
	struct fleet_refusal {
		pid_t pid;
		uint64_t kvm;
		unsigned int tries;
	} * vm;
};

/* One more try that failed; returns how many have: FLEET_TRIES once, which is when to say so. */
unsigned int fleet_refused_add(struct fleet_refused *r, const struct vm *vm);
/* How many have failed; at FLEET_TRIES it is not tried again. */
unsigned int fleet_refused_tries(const struct fleet_refused *r, const struct vm *vm);
/* Forgets those that are not in the list. */
void fleet_refused_keep(struct fleet_refused *r, const struct vm_list *list);
void fleet_refused_release(struct fleet_refused *r);

#endif
