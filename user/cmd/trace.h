/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `handoff trace`: attaches to VMs that run already, one tracer each (fleet.h), shows what `run
 * --trace` shows, detaches. Files: trace.c (the command), trace_options.c, trace_help.c,
 * trace_watch.c (while it runs), trace_names.c (names by QMP), trace_end.c (summary and reports).
 * Main thread.
 */
#ifndef HANDOFF_CMD_TRACE_H
#define HANDOFF_CMD_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <abi/model.h>
#include <handoff/opts.h>

#define TRACE_MAX_PIDS	64
#define TRACE_MAX_GIVEN 64

struct trace_options {
	bool all;
	uint32_t n_pids;
	pid_t pid[TRACE_MAX_PIDS];
	const char *json, *folded, *qmp;
	bool duration_given;
	uint64_t duration_ns, interval_ns, lost_after_ns, stuck_ns;
	bool uprobes, uprobes_slow;
	uint32_t n_given;
	struct kick_key given[TRACE_MAX_GIVEN];
};

extern const struct opts_command trace_opts;
extern const char trace_help_text[];

/* 0; 1 after --help; -EINVAL with err. */
int trace_options_parse(struct trace_options *o, int argc, char **argv,
			struct error *err) MUST_CHECK;

/* Several VMs in one report: also if only one of them runs. */
bool trace_is_of_several(const struct trace_options *o);

struct fleet;
struct keys;

/* Attaches, watches until the user, the time or the VM ends it, and reports; returns the exit
 * status. */
int trace_watch(const struct trace_options *o);

/* Summary, report and stacks of a fleet that has ended, and what keys have changed; returns the
 * exit status. */
int trace_end(const struct trace_options *o, const struct fleet *f, const struct keys *keys);

/* Something of ours goes to standard output as it is: no lines and no summary may. */
bool trace_stdout_is_taken(const struct trace_options *o);

#endif
