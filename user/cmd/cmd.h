/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands: one file each, gathered in main.c's table. Main thread; a command's return value
 * is the exit status. */
#ifndef HANDOFF_CMD_H
#define HANDOFF_CMD_H

#include <handoff/opts.h>

/* Exit statuses every command shares; `run` adds those of machine.h (3, 4, 5, 7, 8). */
enum cmd_exit { CMD_OK = 0, CMD_FAILED = 1, CMD_USAGE = 2, CMD_FIGURES = 6 };

struct command {
	const struct opts_command *opts;
	int (*run)(int argc, char **argv);
};

extern const struct command command_run, command_trace, command_tune, command_ls, command_doctor,
	command_help;

/* NULL-terminated, in the order of `handoff help`. */
extern const struct command *const commands[];

/* Prints "handoff <command>: <text>" on stderr and a hint at --help; returns CMD_USAGE. */
int cmd_usage(const struct opts_command *cmd, const struct error *err);

/*
 * A file that came with the program: looked for beside the build (the program's folder and its
 * parents), then in
 * ../share/handoff. The path is put into buf; -ENOENT if there is none.
 */
int cmd_find_data(const char *name, char *buf, size_t size);

/* stdout as a whole: 0, or CMD_FAILED after saying why (a full disk, a closed pipe) if what was
 * printed did not arrive. */
int cmd_close_stdout(void);

#endif
