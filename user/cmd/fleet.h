/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMs that `handoff trace` follows: a tracer and two reports each. A VM that has ended stays,
 * with its last report and without its tracer. A VM is a process (held by a pidfd, so that a pid
 * that is used again is another one) and the struct kvm in it (a process may exec). Main thread.
 */
#ifndef HANDOFF_CMD_FLEET_H
#define HANDOFF_CMD_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/discover.h>
#include <handoff/error.h>

/* Two reports of 3 MiB each. */
#define FLEET_MAX     64
#define FLEET_REFUSED 16

struct report;
struct tracer;
struct trace_options;

struct fleet_vm {
	pid_t pid;
	int pidfd;
	uint64_t kvm;	       /* as discovery has it; 0 = not known */
	unsigned int missed;   /* looks in a row that did not find it */
	struct tracer *tracer; /* NULL: it has ended, or tracing has */
	struct report *total;  /* as it was last */
	struct report *before; /* a tick earlier */
	char *folded;	       /* its stacks, once it has ended; NULL = none */
};

/* A VM that could not be traced. */
struct fleet_refused {
	pid_t pid;
	uint64_t kvm;
	unsigned int tries;
};

struct fleet {
	const struct trace_options *o;
	const struct vm_names *names;
	struct discover *discover; /* NULL: not needed yet, or cannot be had */
	bool discover_failed;
	struct vm_list list;
	uint32_t n;
	struct fleet_vm vm[FLEET_MAX]; /* in the order they came; [i].pid stays */
	uint32_t n_refused;
	struct fleet_refused refused[FLEET_REFUSED];
	bool full_said;
	bool failed; /* a tracer has: said, and ends with a failure */
	/* What the user should hear of while it runs. */
	void (*say)(void *opaque, const char *line);
	void *opaque;
};

/*
 * Attaches to the VMs that the options name, or to the only one there is, or to all. o and names
 * (may be NULL) outlive it. `say` may be called from here on. 0, or -errno with err; with --all no
 * VM is no failure.
 */
int fleet_init(struct fleet *f, const struct trace_options *o, const struct vm_names *names,
	       void (*say)(void *opaque, const char *line), void *opaque,
	       struct error *err) MUST_CHECK;
void fleet_release(struct fleet *f);

unsigned int fleet_living(const struct fleet *f);

/* --all: VMs that have come or gone. Each second. */
void fleet_look(struct fleet *f);
/* A tick: a snapshot of each that lives. */
void fleet_tick(struct fleet *f);
/* Its process has ended; its eventfds have changed. */
void fleet_on_end(struct fleet *f, struct fleet_vm *vm);
void fleet_on_change(struct fleet *f, struct fleet_vm *vm);
/* Last snapshots, then detaches from all. */
void fleet_end(struct fleet *f);

#endif
