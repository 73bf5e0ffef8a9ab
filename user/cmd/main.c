// SPDX-License-Identifier: BSD-2-Clause
/* The program's entry: a table of subcommands, and the little they share. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <handoff/log.h>

#include "cmd.h"

const struct command *const commands[] = { &command_run, &command_trace,  &command_tune,
					   &command_ls,	 &command_doctor, &command_help,
					   NULL };

int cmd_usage(const struct opts_command *cmd, const struct error *err)
{
	const char *hint = strstr(err->msg, "--help");

	log_error(hint ? "%s: %s" : "%s: %s (see `handoff %s --help`)", cmd->name, err->msg,
		  cmd->name);
	return CMD_USAGE;
}

int cmd_find_data(const char *name, char *buf, size_t size)
{
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	if (n < 0)
		return -errno;
	dir[n] = '\0';
	/* build/handoff, build/asan/handoff: the file lies one or two folders up;
	 * PREFIX/bin/handoff: in share. */
	for (int up = 0; up < 3; up++) {
		char *slash = strrchr(dir, '/');

		if (!slash)
			break;
		*slash = '\0';
		if (snprintf(buf, size, "%s/%s", dir, name) < (int)size && !access(buf, R_OK))
			return 0;
		if (snprintf(buf, size, "%s/share/handoff/%s", dir, name) < (int)size &&
		    !access(buf, R_OK))
			return 0;
	}
	return -ENOENT;
}

int cmd_close_stdout(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return CMD_OK;
	/* A reader that has seen enough (head) is no failure worth a line, but the status says that
	 * not all arrived. */
	if (errno != EPIPE)
		log_error("standard output: %s", strerror(errno));
	return CMD_FAILED;
}

/*
 * A standard descriptor that is closed would be given to the next file opened, an image perhaps,
 * and be written over with talk. Opened the wrong way round instead: reading and writing fail as
 * before.
 */
static void hold_standard_fds(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
			return;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->opts->name, name))
			return commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct command *command;

	hold_standard_fds();
	sigaction(SIGPIPE, &ignore, NULL);
	if (argc < 2) {
		log_error(
			"no command given: `handoff help` lists them, `handoff run --trace` shows "
			"a guest at work");
		return CMD_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("handoff %s\n", HANDOFF_VERSION);
		return cmd_close_stdout();
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return command_help.run(1, argv);
	command = find_command(argv[1]);
	if (!command) {
		log_error("%s: no such command; `handoff help` lists them", argv[1]);
		return CMD_USAGE;
	}
	return command->run(argc - 1, argv + 1);
}
