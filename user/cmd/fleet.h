/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMs that `handoff trace` follows: a tracer and two reports each. A VM that has ended stays
 * while there is room, with its last report alone. A VM is a process (held by a pidfd, so that a
 * pid that is used again is another one) and the struct kvm in it (a process may exec). Main
 * thread.
 */
#ifndef HANDOFF_CMD_FLEET_H
#define HANDOFF_CMD_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/discover.h>
#include <handoff/error.h>

#include "fleet_refused.h"

/* Two reports of 3 MiB each. */
#define FLEET_MAX 64

struct report;
struct tracer;
struct trace_options;

struct fleet_vm {
	pid_t pid;
	int pidfd;
	uint64_t kvm; /* as discovery has it; 0 = not known */
	/* In a row that did not find it: looks of the fleet, walks of its tracer. */
	unsigned int missed_looks, missed_walks;
	int64_t next_walk_ns;  /* its changes are not looked at before, by clock_ns */
	struct tracer *tracer; /* NULL: it has ended, or tracing has */
	struct report *total;  /* as it was last */
	struct report *before; /* a tick earlier; NULL when it has ended */
	char *folded;	       /* its stacks, once it has ended; NULL = none */
	uint64_t ended;	       /* 1 = the first that did; 0 = it lives */
};

/* What a fleet asks of its owner; may be called from fleet_init on. */
struct fleet_owner {
	/* What the user should hear of while it runs. */
	void (*say)(void *opaque, const char *line);
	/* Between two VMs, each of which takes a while to attach to: has the user had enough? */
	bool (*stopped)(void *opaque);
	void *opaque;
};

struct fleet {
	const struct trace_options *o;
	struct vm_names *names;
	struct discover *discover; /* NULL: not needed yet, or cannot be had */
	bool discover_failed;
	struct vm_list list;
	uint32_t n;
	/* In the order they came; when full, a new one has the place of the one that ended first.
	 */
	struct fleet_vm vm[FLEET_MAX];
	uint64_t n_ended;
	struct fleet_refused refused;
	bool full_said;
	bool failed; /* a tracer has: said, and ends with a failure */
	struct fleet_owner owner;
};

/*
 * Attaches to the VMs that the options name, or to the only one there is, or to all. o and names
 * outlive it; with o->qmp names are filled before the VM is attached to. 0, or -errno with err;
 * with --all no VM is no failure.
 */
int fleet_init(struct fleet *f, const struct trace_options *o, struct vm_names *names,
	       const struct fleet_owner *owner, struct error *err) MUST_CHECK;
void fleet_release(struct fleet *f);

unsigned int fleet_living(const struct fleet *f);

/* --all: VMs that have come or gone. Each second. */
void fleet_look(struct fleet *f);
/* A tick: a snapshot of each that lives. */
void fleet_tick(struct fleet *f);
/* Its process has ended; its eventfds have changed, or a walk has missed it: not before
 * next_walk_ns. */
void fleet_on_end(struct fleet *f, struct fleet_vm *vm);
void fleet_on_change(struct fleet *f, struct fleet_vm *vm);
/* Last snapshots, then detaches from all. */
void fleet_end(struct fleet *f);

#endif
