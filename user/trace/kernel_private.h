/* SPDX-License-Identifier: BSD-2-Clause */
/* struct kernel, for the files kernel*.c. */
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
	const struct hist
		*loop_hists; /* MODEL_MAX_LOOPS rows of LOOP_HISTS, shared with the programs */
	size_t loop_hists_size;
	const struct queue_state *queues; /* MODEL_MAX_QUEUES, shared with the programs */
	size_t queues_size;
	struct ring_buffer *changes; /* NULL: not foreign */
	struct vm_change *change;    /* CHANGES_KEPT, a ring: those not given yet */
	uint32_t change_first, n_change;
	uint64_t changes_seen;
	int cost_fd; /* kernel_cost_begin's; -1 = none */
	uint64_t cost_kick_ns, cost_all_ns;
	uint64_t run_clock_ns; /* run_time_clock_ns; 0 = not known yet */
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

struct bpf_program *kernel_program_of(const struct kernel *k, enum program p);

/* kernel_foreign.c */
#define CHANGES_KEPT 1024
int kernel_open_changes(struct kernel *k, struct error *err);
void kernel_close_changes(struct kernel *k);
/* Is this hook of a foreign VMM needed beside those that are attached? Else false with why. */
bool kernel_needs(struct kernel *k, enum program p, char *why, size_t size);
/* Attaches one that is loaded; says why not in its kernel_program. */
void kernel_attach(struct kernel *k, enum program p);

/*
 * Attaches to a classic tracepoint ("category/name") where tracefs need not be mounted. A link, or
 * one for libbpf_get_error.
 */
struct bpf_link *kernel_attach_tracepoint(struct bpf_program *program, const char *name);

#endif
