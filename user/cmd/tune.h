/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `handoff tune`: measures the loops of a VM that runs, says what poll-max-ns should be, and, if
 * asked, tries it, or keeps it right. Files: tune.c (the command), tune_options.c, tune_help.c,
 * tune_run.c (steps and end), tune_measure.c (attach, wait, report), tune_set.c (by QMP, and back),
 * tune_guard.c (back, if we are killed), tune_apply.c (once), tune_watch.c (on and on). Main
 * thread.
 */
#ifndef HANDOFF_CMD_TUNE_H
#define HANDOFF_CMD_TUNE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/advisor.h>
#include <handoff/discover.h>
#include <handoff/opts.h>

#include "tune_guard.h"

struct qmp_client;
struct report;
struct report_loop;
struct tracer;
struct tune_watch;

struct tune_options {
	pid_t pid;
	uint64_t measure_ns; /* one measurement */
	uint64_t watch_ns;   /* all of --watch; 0 = until it is stopped */
	const char *qmp, *json, *svg;
	struct advice_goal goal;
	bool apply, watch, keep;
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
	struct tune_guard guard;
	struct advice_report *report;
	struct tune_watch *watch; /* NULL without --watch */
};

/* --- tune_measure.c --------------------------------------------------------------------------- */

/* Attaches, and connects to the QMP socket. 0 or -errno with err; tune_detach in any case. */
int tune_attach(struct tune *t, struct error *err) MUST_CHECK;
void tune_detach(struct tune *t);
/* What happens from now on, for so long, into t->interval and t->requests; less if the user or the
 * VM ends it. 0 or -errno with err. */
int tune_measure(struct tune *t, uint64_t for_ns, struct error *err) MUST_CHECK;
/* Is the measurement to be gone on with? */
bool tune_goes_on(const struct tune *t);
/* The loop of the interval that serves queues, by its place in the advice; NULL: no more. */
struct report_loop *tune_loop(const struct tune *t, uint32_t i);

/* --- tune_set.c ------------------------------------------------------------------------------- */

/* Sets poll-max-ns, and tells the tracer, whose inferences depend on it; the guard hears of it
 * first. 0 or -errno with err. */
int tune_set_loop(struct tune *t, struct tune_setting *s, int64_t max_ns,
		  struct error *err) MUST_CHECK;
/* What is set now is what is gone back to: --keep, or it is somebody else's. */
void tune_keep_loop(struct tune *t, struct tune_setting *s);
void tune_stands_loop(struct tune *t, struct tune_setting *s);
/* Back to what was found, but for what is to be kept. 0 or -errno with err. */
int tune_restore(struct tune *t, struct error *err) MUST_CHECK;
/* In a sentence, when it is done. */
const char *tune_what_stays(const struct tune *t);
/* By what rule it spins; NULL = not told. */
const char *tune_policy(struct tune *t, const char *id);

/* --- tune_apply.c, tune_watch.c --------------------------------------------------------------- */

/* By the interval: what is advised for each loop, and what was observed of it. */
void tune_advise(struct tune *t);
/* Tries what is advised, and fills the trials. 0 or -errno with err. */
int tune_apply(struct tune *t, struct error *err) MUST_CHECK;

/* Opens what --watch tells. 0, or -errno with err and t->watch NULL. */
int tune_watch_new(struct tune *t, struct error *err) MUST_CHECK;
/* Decides by the interval that was measured, and goes on so until it is stopped. 0 or -errno with
 * err. */
int tune_watch(struct tune *t, struct error *err) MUST_CHECK;
/* The summary, when all is put back. Returns the exit status. */
int tune_watch_tell(struct tune *t, bool failed);
void tune_watch_free(struct tune *t);

/* Returns the exit status. */
int tune_run(const struct tune_options *o);

#endif
