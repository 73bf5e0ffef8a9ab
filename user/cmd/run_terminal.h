/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's terminal while it is the guest's console: raw, so that keys arrive one by one and
 * Ctrl-C is the guest's; and as it was before, whatever ends the run. The watcher's: it outlives a
 * VMM that is killed. Main thread.
 */
#ifndef HANDOFF_CMD_RUN_TERMINAL_H
#define HANDOFF_CMD_RUN_TERMINAL_H

#include <stdbool.h>
#include <termios.h>

/* Caller's memory. */
struct run_terminal {
	bool wanted; /* there is one, and the run wants it */
	bool raw;
	bool is_saved; /* once: what is found later may be our own */
	struct termios saved;
};

void run_terminal_init(struct run_terminal *t, bool wanted);
/*
 * Raw from here on, unless another job has the terminal: then it is that job's, and true says that
 * it is to be tried again in a while.
 */
bool run_terminal_enter(struct run_terminal *t);
void run_terminal_leave(struct run_terminal *t);
/* Somebody else has changed the mode, as a shell does with a job that was stopped. */
void run_terminal_forget(struct run_terminal *t);

/* Both processes: a job in the background neither stops at its terminal nor waits for it. */
void run_terminal_ignore_job_control(void);

#endif
