// SPDX-License-Identifier: BSD-2-Clause
/*
 * Option parsing: argp walks argv, our table says what is there. argp's own messages and help are
 * off, since they go to stderr unasked; a failure becomes a struct error instead. Neighbours:
 * opts_help.c, opts_man.c, opts_completion.c.
 */
#include <handoff/opts.h>

#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "opts.h"

/* Long options without a letter get keys above every char. */
#define OPTS_KEY_BASE 0x100
#define OPTS_KEY_HELP 'h'
/*
 * What the parser returns to stop argp; which way is in struct opts_parser. Any errno argp does not
 * use itself.
 */
#define OPTS_STOP     ECANCELED

struct opts_parser {
	const struct opts_command *cmd;
	void *opaque;
	struct error *err;
	int ret;
	int next; /* index of the argument argp looks at next: the one to blame if it stumbles */
};

static const struct opts_option *opts_by_key(const struct opts_command *cmd, int key)
{
	unsigned int i;

	for (i = 0; cmd->options[i].name; i++)
		if (key == (cmd->options[i].short_name ? cmd->options[i].short_name
						       : OPTS_KEY_BASE + (int)i))
			return &cmd->options[i];
	return NULL;
}

static error_t opts_stop(struct opts_parser *p, int ret)
{
	p->ret = ret;
	return ret ? OPTS_STOP : 0;
}

static error_t opts_argument(struct opts_parser *p, const char *arg)
{
	if (!p->cmd->positional)
		return opts_stop(p, error_set(p->err, -EINVAL,
					      "unexpected argument '%.64s'; see '%s %s --help'",
					      arg, OPTS_PROGRAM, p->cmd->name));
	return opts_stop(p, p->cmd->positional(p->opaque, arg, p->err));
}

static error_t opts_step(int key, char *arg, struct argp_state *state)
{
	struct opts_parser *p = state->input;
	const struct opts_option *option;
	int ret;

	if (key == ARGP_KEY_ARG) {
		p->next = state->next;
		return opts_argument(p, arg);
	}
	if (key == OPTS_KEY_HELP) {
		opts_print_help(p->cmd, stdout);
		return opts_stop(p, 1);
	}
	option = opts_by_key(p->cmd, key);
	if (!option)
		return ARGP_ERR_UNKNOWN; /* argp's own keys; that of an error is behind the argument
					    to blame */
	p->next = state->next;
	ret = option->parse(p->opaque, arg, p->err);
	if (ret)
		error_prefix(p->err, "--%s", option->name);
	return opts_stop(p, ret);
}

/*
 * The long option a user meant by `name`, which may be cut short. *matches: how many begin like it;
 * 1 if it is exact.
 */
static const struct opts_option *opts_by_prefix(const struct opts_command *cmd, const char *name,
						size_t len, unsigned int *matches)
{
	const struct opts_option *option, *found = NULL;

	*matches = 0;
	for (option = cmd->options; option->name; option++) {
		if (strncmp(option->name, name, len))
			continue;
		found = option;
		if (strlen(option->name) == len) {
			*matches = 1;
			break;
		}
		++*matches;
	}
	return found;
}

static const struct opts_option *opts_by_letter(const struct opts_command *cmd, char letter)
{
	const struct opts_option *option;

	for (option = cmd->options; option->name; option++)
		if (option->short_name == letter)
			return option;
	return NULL;
}

/* The first letter of "-abc" that no option has, or that lacks its argument. */
static int opts_blame_letters(const struct opts_parser *p, const char *arg)
{
	const struct opts_option *option;
	const char *s;

	for (s = arg + 1; *s; s++) {
		option = opts_by_letter(p->cmd, *s);
		if (option && opts_needs_argument(option))
			return error_set(p->err, -EINVAL, "-%c: needs an argument (%s)", *s,
					 option->arg);
		if (!option && *s != OPTS_KEY_HELP)
			break;
	}
	return error_set(p->err, -EINVAL, "unknown option -%c; see '%s %s --help'",
			 *s ? *s : arg[1], OPTS_PROGRAM, p->cmd->name);
}

/* argp has stumbled over this argument and does not say why: find out. */
static int opts_blame(const struct opts_parser *p, const char *arg)
{
	const struct opts_option *option;
	unsigned int matches;
	size_t len;

	if (strncmp(arg, "--", 2))
		return opts_blame_letters(p, arg);
	len = strcspn(arg + 2, "=");
	option = opts_by_prefix(p->cmd, arg + 2, len, &matches);
	if (matches > 1)
		return error_set(p->err, -EINVAL, "%.64s: ambiguous option; write it out", arg);
	if (option && option->arg)
		return error_set(p->err, -EINVAL, "--%s: needs an argument (%s)", option->name,
				 option->arg);
	if (option)
		return error_set(p->err, -EINVAL, "--%s: takes no argument", option->name);
	return error_set(p->err, -EINVAL, "unknown option %.64s; see '%s %s --help'", arg,
			 OPTS_PROGRAM, p->cmd->name);
}

static struct argp_option *opts_to_argp(const struct opts_command *cmd)
{
	struct argp_option *table;
	unsigned int n = 0, i;

	while (cmd->options[n].name)
		n++;
	table = calloc(n + 2, sizeof(*table)); /* --help and the end */
	if (!table)
		return NULL;
	for (i = 0; i < n; i++) {
		const struct opts_option *option = &cmd->options[i];

		table[i].name = option->name;
		table[i].key = option->short_name ? option->short_name : OPTS_KEY_BASE + (int)i;
		table[i].arg = option->arg;
		if (option->arg && !opts_needs_argument(option))
			table[i].flags = OPTION_ARG_OPTIONAL;
	}
	table[n].name = "help";
	table[n].key = OPTS_KEY_HELP;
	return table;
}

int opts_parse(const struct opts_command *cmd, int argc, char **argv, void *opaque,
	       struct error *err)
{
	struct opts_parser p = { .cmd = cmd, .opaque = opaque, .err = err, .next = 1 };
	struct argp_option *table = opts_to_argp(cmd);
	struct argp argp = { .options = table, .parser = opts_step };
	error_t ret;

	if (!table)
		return error_set(err, -ENOMEM, "out of memory");
	/*
	 * In order: an option's parser sees what came before it, and `next` names the argument to
	 * blame.
	 */
	ret = argp_parse(&argp, argc, argv, ARGP_SILENT | ARGP_IN_ORDER, NULL, &p);
	free(table);
	if (ret == OPTS_STOP)
		return p.ret;
	if (ret)
		return p.next < argc ? opts_blame(&p, argv[p.next])
				     : error_set(err, -ret, "%s", strerror(ret));
	return 0;
}
