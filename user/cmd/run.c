// SPDX-License-Identifier: BSD-2-Clause
/* `handoff run`: parse, check what can be checked before a VM exists, fork the VMM, watch it. See
 * run.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <handoff/log.h>
#include <handoff/out_file.h>
#include <handoff/trace.h>

#include "cmd.h"
#include "run.h"

struct screen_config run_screen_config(const struct run_options *o)
{
	bool json_on_stdout = o->json && !strcmp(o->json, "-");
	bool stdio = o->console == RUN_CONSOLE_STDIO;

	return (struct screen_config){
		.live = o->trace && !stdio && !json_on_stdout && screen_has_terminal(),
		.intervals = stdio	      ? stderr
			     : json_on_stdout ? NULL
					      : stdout,
		.guest = o->console != RUN_CONSOLE_LINES ? NULL
			 : json_on_stdout		 ? stderr
							 : stdout,
	};
}

/* The child ends by _exit: the parent's stdio buffers are not its to flush. */
static pid_t fork_vmm(const struct run_options *o, struct run_pipes *watcher)
{
	int talk[2], go[2], talk_err[2] = { -1, -1 }, qmp[2] = { -1, -1 };
	pid_t pid;

	if (pipe2(talk, O_CLOEXEC) || pipe2(go, O_CLOEXEC) ||
	    (run_screen_config(o).live &&
	     (pipe2(talk_err, O_CLOEXEC | O_NONBLOCK) ||
	      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp))))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		close(talk[0]);
		close(go[1]);
		/* The screen belongs to the watcher; a line that finds its pipe full is dropped. */
		if (talk_err[1] >= 0)
			dup2(talk_err[1], STDERR_FILENO);
		if (qmp[0] >= 0)
			close(qmp[0]);
		_exit(run_vmm(o, (struct run_pipes){
					 .talk = talk[1], .go = go[0], .err = -1, .qmp = qmp[1] }));
	}
	close(talk[1]);
	close(go[0]);
	if (talk_err[1] >= 0)
		close(talk_err[1]);
	if (qmp[1] >= 0)
		close(qmp[1]);
	*watcher = (struct run_pipes){
		.talk = talk[0], .go = go[1], .err = talk_err[0], .qmp = qmp[0]
	};
	return pid;
}

void run_stop_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

static int run_parsed(const struct run_options *o)
{
	struct run_pipes pipes;
	struct error err;
	sigset_t signals;
	pid_t vmm;

	/* Before the fork: no VM is left behind when tracing cannot be had, no minute wasted when
	 * the report has no place to go. */
	if (o->trace && tracer_check_privilege(&err)) {
		log_error("run: --trace: %s", err.msg);
		return CMD_FAILED;
	}
	if (o->json && out_file_check(o->json, &err)) {
		log_error("run: --json: %s", err.msg);
		return CMD_FAILED;
	}
	/* Already here: no signal may find the VMM with its default action. */
	run_stop_signals(&signals);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	vmm = fork_vmm(o, &pipes);
	if (vmm < 0) {
		log_error("run: cannot start the VMM process: %s", strerror(-vmm));
		return CMD_FAILED;
	}
	return run_watch(o, vmm, pipes);
}

static int run(int argc, char **argv)
{
	static struct run_options options; /* 10 KiB, and needed until the process ends */
	struct error err;
	int ret = run_options_parse(&options, argc, argv, &err);

	if (ret == -EINVAL) {
		ret = cmd_usage(&run_opts, &err);
	} else if (ret < 0) {
		log_error("run: %s", err.msg);
		ret = CMD_FAILED;
	} else if (ret > 0) {
		ret = cmd_close_stdout();
	} else {
		ret = run_parsed(&options);
	}
	run_options_release(&options);
	return ret;
}

const struct command command_run = { .opts = &run_opts, .run = run };
