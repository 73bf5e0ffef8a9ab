/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `handoff tune`: measures the loops of a VM that runs, says what poll-max-ns should be, and, if
 * asked, tries it. Files: tune.c (the command), tune_options.c, tune_help.c, tune_run.c (steps and
 * end), tune_measure.c (attach, wait, report), tune_apply.c (by QMP, and back). Main thread.
 */
#ifndef HANDOFF_CMD_TUNE_H
#define HANDOFF_CMD_TUNE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/advisor.h>
#include <handoff/discover.h>
#include <handoff/opts.h>

struct qmp_client;
struct report;
struct tracer;

struct tune_options {
	pid_t pid;
	uint64_t duration_ns;
	const char *qmp, *json;
	struct advice_goal goal;
	bool apply, keep;
};

extern const struct opts_command tune_opts;
extern const char tune_help_text[];

/* 0; 1 after --help; -EINVAL with err. */
int tune_options_parse(struct tune_options *o, int argc, char **argv, struct error *err) MUST_CHECK;

/* All of one run. */
struct tune {
	const struct tune_options *o;
	int signal_fd, pidfd;
	bool stopped; /* the user has had enough */
	bool ended;   /* the VM has */
	struct tracer *tracer;
	struct report *before, *now, *interval;
	double requests;	/* of its disks in the interval; < 0 = not known */
	struct qmp_client *qmp; /* NULL without --qmp */
	struct vm_names *names; /* NULL: of our own VMM, or without --qmp */
	struct tune_settings settings;
	struct advice_report *report;
};

/* --- tune_measure.c --------------------------------------------------------------------------- */

/* Attaches, and connects to the QMP socket. 0 or -errno with err; tune_detach in any case. */
int tune_attach(struct tune *t, struct error *err) MUST_CHECK;
void tune_detach(struct tune *t);
/* What happens from now on, for the time that was asked for, into t->interval and t->requests; less
 * if the user or the VM ends it. 0 or -errno with err. */
int tune_measure(struct tune *t, struct error *err) MUST_CHECK;
/* Is the measurement to be gone on with? */
bool tune_goes_on(const struct tune *t);
/* The loop of the interval that serves queues, by its place in the advice; NULL: no more. */
const struct report_loop *tune_loop(const struct tune *t, uint32_t i);

/* --- tune_apply.c ----------------------------------------------------------------------------- */

/* Tries what is advised, and fills the trials. 0 or -errno with err. */
int tune_apply(struct tune *t, struct error *err) MUST_CHECK;
/* Back to what was found, but for what is to be kept. 0 or -errno with err. */
int tune_restore(struct tune *t, struct error *err) MUST_CHECK;
/* By the interval: what is advised for each loop. */
void tune_advise(struct tune *t);

/* Returns the exit status. */
int tune_run(const struct tune_options *o);

#endif
