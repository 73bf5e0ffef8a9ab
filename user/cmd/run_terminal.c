// SPDX-License-Identifier: BSD-2-Clause
/* Raw mode of the user's terminal: see run_terminal.h. Neighbours: run_watch.c; the keys are read
 * in user/machine/console_in.c. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include <handoff/log.h>

#include "run_terminal.h"

void run_terminal_init(struct run_terminal *t, bool wanted)
{
	*t = (struct run_terminal){ .wanted = wanted && isatty(STDIN_FILENO) };
	if (t->wanted)
		run_terminal_ignore_job_control();
}

/* Or there is no job control on it: it is nobody's controlling terminal. */
static bool is_in_foreground(void)
{
	pid_t group = tcgetpgrp(STDIN_FILENO);

	return group == getpgrp() || (group < 0 && errno == ENOTTY);
}

bool run_terminal_enter(struct run_terminal *t)
{
	struct termios raw;

	if (!t->wanted || t->raw)
		return false;
	if (!is_in_foreground() || tcgetattr(STDIN_FILENO, &raw))
		return true;
	if (!t->is_saved)
		t->saved = raw;
	raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
	/* Output keeps its newline translation: our own lines go to the same terminal. */
	raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	t->raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	if (t->raw && !t->is_saved)
		log_info("this terminal is the guest's console: Ctrl-A x ends the run, Ctrl-A h "
			 "helps, Ctrl-A Ctrl-A sends Ctrl-A");
	t->is_saved = true;
	return !t->raw;
}

void run_terminal_leave(struct run_terminal *t)
{
	/* In the background it is not ours to change: the shell has put it in order. */
	if (t->raw && is_in_foreground())
		tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
	t->raw = false;
}

void run_terminal_forget(struct run_terminal *t)
{
	t->raw = false;
}

void run_terminal_ignore_job_control(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTTIN, &ignore, NULL);
	sigaction(SIGTTOU, &ignore, NULL);
}
