/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names of `handoff trace --qmp` while it runs: asked for again when queues have come that they
 * do not know. They are of the only VM there is then. Main thread.
 */
#ifndef HANDOFF_CMD_TRACE_NAMES_H
#define HANDOFF_CMD_TRACE_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/compiler.h>

struct fleet;
struct keys_done;
struct vm_names;

struct trace_names {
	const char *qmp;     /* NULL: no --qmp */
	struct vm_names *of; /* NULL without --qmp */
	bool wanted;	     /* there are queues that they do not know */
	bool failed;	     /* which has been said */
	int64_t next_ns;     /* not asked for before, by clock_ns */
};

/* No names yet: fleet_init gets them. qmp outlives it. 0 or -ENOMEM. */
int trace_names_init(struct trace_names *n, const char *qmp) MUST_CHECK;
void trace_names_release(struct trace_names *n);

/* After a tick: asks if there is a reason to; may take a few seconds then. */
void trace_names_renew(struct trace_names *n, struct fleet *f);

/* A key has set a loop's poll_max_ns: what is inferred of the loop depends on it. */
void trace_names_set(struct trace_names *n, struct fleet *f, const struct keys_done *done);

#endif
