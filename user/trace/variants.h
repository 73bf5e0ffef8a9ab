/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between kernels and cannot be told by CO-RE: the arguments of tracepoints and the
 * functions there are. Read from the kernel's own BTF, never from its version: stable trees take
 * changes back. Pure.
 */
#ifndef TRACE_VARIANTS_H
#define TRACE_VARIANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <abi/config.h>
#include "programs.h"

struct btf;

struct variants {
	bool switch_has_state; /* sched_switch has its fourth argument */
	bool entry_has_vcpu;   /* kvm_entry begins with the vCPU */
	enum exit_args exit_args;
	enum ring_args ring_args;
	bool has[PROGRAMS]; /* of a function hook: the function is there */
};

/*
 * btf[0] is the kernel's, the others those modules' that belong to KVM, split upon it; NULL entries
 * are passed over (a module that is built in, or may not be read). Where nothing describes KVM's
 * tracepoints, x86's of today are assumed.
 */
void variants_decide(struct btf *const *btf, size_t n, struct variants *v);

#endif
