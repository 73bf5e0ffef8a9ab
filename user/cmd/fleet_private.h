/* SPDX-License-Identifier: BSD-2-Clause */
/* What fleet.c and fleet_look.c share. */
#ifndef HANDOFF_CMD_FLEET_PRIVATE_H
#define HANDOFF_CMD_FLEET_PRIVATE_H

#include <handoff/compiler.h>

#include "fleet.h"

void fleet_say(struct fleet *f, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* One more; kvm 0 if it is not known. 0 or -errno with err. */
int fleet_attach(struct fleet *f, pid_t pid, uint64_t kvm, struct error *err) MUST_CHECK;

/* A free place, or that of the VM that ended first; NULL: as many live as there may be. */
struct fleet_vm *fleet_place(struct fleet *f);

/* After its tracer has walked: is it there still? Two walks in a row may not miss it. */
void fleet_judge_walk(struct fleet *f, struct fleet_vm *vm);

/* One that lives: has its process ended, whatever runs under its number now? */
bool fleet_vm_is_dead(const struct fleet_vm *vm);
/* It has ended, or its process has no VM any more. */
void fleet_vm_gone(struct fleet *f, struct fleet_vm *vm);

#endif
