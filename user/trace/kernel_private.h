/* SPDX-License-Identifier: BSD-2-Clause */
/* struct kernel, for kernel.c, kernel_view.c and kernel_trial.c. */
#ifndef TRACE_KERNEL_PRIVATE_H
#define TRACE_KERNEL_PRIVATE_H

#include <bpf/libbpf.h>
#include <abi/config.h>
#include "kernel.h"
#include "variants.h"
#include "handoff.skel.h"

struct kernel {
	struct kernel_config config;
	struct variants variants;
	struct handoff_bpf *skel;
	struct bpf_link *link[PROGRAMS];
	struct kernel_program program[PROGRAMS];
	const struct hist
		*hists; /* MODEL_MAX_QUEUES rows of KICK_STAGES, shared with the programs */
	size_t hists_size;
	int stats_fd; /* while open the kernel keeps run times; -1 = not asked for, or refused */
};

/* Fills k->variants from the BTF of the kernel and of KVM's modules. 0 or -errno with err. */
int kernel_ask(struct kernel *k, struct error *err);

/*
 * Does this kernel let a function be hooked, its own or one of KVM's modules? A program of two
 * instructions, loaded and attached for real. 0 or -errno with why.
 */
int kernel_try_fentry(const char *function, char *why, size_t size);

/* Does it know kprobes at all? */
bool kernel_has_kprobes(void);

#endif
