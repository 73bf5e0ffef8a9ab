// SPDX-License-Identifier: BSD-2-Clause
/* `handoff help`: commands and their options, and the man page and bash completion made from the
 * same tables. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <handoff/log.h>

#include "cmd.h"

#define MAX_COMMANDS 16

struct help_request {
	bool man, completion;
	const char *topic;
};

static int parse_man(void *opaque, const char *arg, struct error *err)
{
	((struct help_request *)opaque)->man = true;
	return 0;
}

static int parse_completion(void *opaque, const char *arg, struct error *err)
{
	((struct help_request *)opaque)->completion = true;
	return 0;
}

static int parse_topic(void *opaque, const char *arg, struct error *err)
{
	struct help_request *req = opaque;

	if (req->topic)
		return error_set(err, -EINVAL, "%s: one command at a time", arg);
	req->topic = arg;
	return 0;
}

static const struct opts_option options[] = {
	{ .name = "man", .help = "print the manual page (troff)", .parse = parse_man },
	{ .name = "completion", .help = "print the bash completion", .parse = parse_completion },
	{ .name = NULL },
};

static const struct opts_command opts = {
	.name = "help",
	.summary = "list the commands, or explain one",
	.args = "[COMMAND]",
	.options = options,
	.positional = parse_topic,
};

static void print_overview(void)
{
	printf("handoff %s: how a guest's kick gets from the vCPU to the thread that serves it\n"
	       "and back, and what polling buys.\n\nCommands:\n",
	       HANDOFF_VERSION);
	for (size_t i = 0; commands[i]; i++)
		printf("  handoff %-8s %s\n", commands[i]->opts->name, commands[i]->opts->summary);
	printf("\n`handoff COMMAND --help` explains one. Start with: handoff run --trace\n");
}

static int print_topic(const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		if (!strcmp(commands[i]->opts->name, name)) {
			opts_print_help(commands[i]->opts, stdout);
			return cmd_close_stdout();
		}
	}
	log_error("help: %s: no such command; `handoff help` lists them", name);
	return CMD_USAGE;
}

static int run(int argc, char **argv)
{
	const struct opts_command *tables[MAX_COMMANDS + 1] = { NULL };
	struct help_request req = { 0 };
	struct error err;
	int ret = opts_parse(&opts, argc, argv, &req, &err);

	if (ret)
		return ret < 0 ? cmd_usage(&opts, &err) : cmd_close_stdout();
	for (size_t i = 0; commands[i] && i < MAX_COMMANDS; i++)
		tables[i] = commands[i]->opts;
	if (req.man)
		opts_print_man(tables, HANDOFF_VERSION, stdout);
	else if (req.completion)
		opts_print_completion(tables, stdout);
	else if (req.topic)
		return print_topic(req.topic);
	else
		print_overview();
	return cmd_close_stdout();
}

const struct command command_help = { .opts = &opts, .run = run };
