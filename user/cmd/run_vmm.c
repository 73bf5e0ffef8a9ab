// SPDX-License-Identifier: BSD-2-Clause
/*
 * The VMM process of `handoff run`: builds the board, tells the watcher, waits for its go, serves.
 * Main thread. When the watcher dies after the go, the guest runs on to its own end; what it would
 * have been told is dropped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <abi/guest.h>
#include <handoff/log.h>

#include "cmd.h"
#include "run.h"
#include "run_terminal.h"

/* What a kick costs a vCPU here, measured by another process of ours. */
static const char *const kick_exit_argv[] = { "/proc/self/exe", "doctor", "--kick-exit", NULL };

/* One write, dropped when the watcher is gone or does not read: the guest must never wait for a
 * screen. */
static void tell(int talk, const char *what, const char *text)
{
	char line[2048]; /* at most PIPE_BUF: one whole write */
	int n = snprintf(line, sizeof(line), "%s %s\n", what, text);

	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	if (write(talk, line, (size_t)n) < 0)
		return;
}

static void console_line(void *opaque, const char *line)
{
	tell(((struct run_pipes *)opaque)->talk, "guest", line);
}

/* True once the watcher says go; false when it is gone. */
static bool wait_for_go(int go)
{
	char byte;
	ssize_t n;

	do {
		n = read(go, &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(go);
	return n == 1;
}

/* The status of the VMM process; what the built-in guest finds wrong with its words is a bad option
 * of the user's. */
static int serve(struct machine *machine, const struct run_options *o)
{
	int status = machine_run(machine);

	if (status == MACHINE_EXIT_GUEST && !o->machine.kernel &&
	    machine_guest_code(machine) == GUEST_EXIT_USAGE)
		status = CMD_USAGE;
	return status;
}

int run_vmm(const struct run_options *o, struct run_pipes pipes)
{
	struct machine_config config = o->machine;
	struct machine *machine;
	struct error err;
	sigset_t signals;
	int status;

	prctl(PR_SET_NAME, "main");
	run_stop_signals(&signals);
	config.stop_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (config.stop_fd < 0) {
		log_error("signalfd: %s", strerror(errno));
		return MACHINE_EXIT_ERROR;
	}
	if (o->console == RUN_CONSOLE_STDIO) {
		run_terminal_ignore_job_control();
		config.console_stdio = true;
		config.console_escape = isatty(STDIN_FILENO);
	}
	config.qmp_fd = pipes.qmp;
	config.kick_exit_argv = kick_exit_argv;
	config.console_line = console_line;
	config.opaque = &pipes;
	machine = machine_new(&config, &err);
	if (!machine) {
		log_error("%s", err.msg);
		return MACHINE_EXIT_ERROR;
	}
	fcntl(pipes.talk, F_SETFL, fcntl(pipes.talk, F_GETFL) | O_NONBLOCK);
	tell(pipes.talk, "ready", "");
	status = wait_for_go(pipes.go) ? serve(machine, o) : MACHINE_EXIT_OK;
	if (machine_free(machine) < 0 && status == MACHINE_EXIT_OK)
		status = MACHINE_EXIT_ERROR;
	return status;
}
