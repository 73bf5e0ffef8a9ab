/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `handoff run`: the command forks. The child is the VMM (run_vmm.c) and needs no BPF privilege;
 * the parent watches it (run_watch.c, run_end.c), traced or not. They share nothing but pipes and a
 * socket, and the VMM goes on when the watcher dies.
 *
 * With --console stdio the VMM moves the bytes between the guest's serial port and standard input
 * and output; the watcher owns the terminal's mode (run_terminal.c) and says what it has to say on
 * stderr.
 */
#ifndef HANDOFF_CMD_RUN_H
#define HANDOFF_CMD_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/machine.h>
#include <handoff/opts.h>

#include "screen.h"

/* Of user/policy, which cmd/ does not see. */
#define RUN_POLL_POLICIES "qemu-weighted|qemu|break-even|fixed"

struct run_disk {
	struct machine_disk disk;
	char *delay; /* "50us" or "exp:50us" */
};

enum run_console { RUN_CONSOLE_DEFAULT, RUN_CONSOLE_STDIO, RUN_CONSOLE_LINES, RUN_CONSOLE_NONE };

struct run_options {
	bool trace, duration_given;
	enum run_console console;
	const char *json, *load, *append;
	uint64_t duration_ns, interval_ns, lost_after_ns; /* 0 = not given */
	struct run_disk disk[MACHINE_MAX_DISKS];
	struct machine_config machine;
};

extern const struct opts_command run_opts;
extern const char run_help_text[];

/* Sets the defaults, parses, judges what contradicts. 0; 1 after --help; -EINVAL, or another -errno
 * that is not the user's fault, with err. */
int run_options_parse(struct run_options *o, int argc, char **argv, struct error *err) MUST_CHECK;
void run_options_release(struct run_options *o);

/* The pipes between the two. Ends not used by a side are -1. */
struct run_pipes {
	int talk; /* VMM to watcher: lines "ready", "guest <console line>" */
	int go;	  /* watcher to VMM: one byte starts the vCPUs; end of file before it means that the
		     watcher is gone */
	int err;  /* the VMM's stderr while the watcher has a live screen, else -1 */
	int qmp;  /* both: a QMP connection, for the keys of a live screen, else -1 */
};

/* Ctrl-C, kill, hang-up: what ends a run in order. Both processes block them and read them from a
 * file descriptor. */
void run_stop_signals(sigset_t *set);

/* The child's whole life; returns its exit status. */
int run_vmm(const struct run_options *o, struct run_pipes pipes);

/* The parent's: until the VMM has ended, then summary and report. Returns the exit status of the
 * command. */
int run_watch(const struct run_options *o, pid_t vmm, struct run_pipes pipes);

struct tracer;
struct report;
struct keys;

/* What the watcher knows when the VMM has ended. */
struct run_end {
	int wait_status;
	bool stopping;				/* the VMM was asked to end */
	bool failed;				/* the watcher, which has said so */
	bool terminal;				/* the console was the user's */
	const char *guest_result, *guest_error; /* "" = none came */
	struct tracer *tracer;			/* NULL: it ended before it was ready */
	const struct keys *keys;		/* NULL without a live screen */
	struct report *total;
};

/* The last snapshot, summary and report; returns the exit status of the command. */
int run_end(const struct run_options *o, const struct run_end *e);

/* What the watcher shows, and where. Asked before the fork too, for the VMM's stderr. */
struct screen_config run_screen_config(const struct run_options *o);

#endif
