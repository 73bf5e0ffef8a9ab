/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One option table per command: argp parses by it, --help, the man page and the bash completion are
 * printed from it. Main thread only, before other threads exist.
 */
#ifndef HANDOFF_OPTS_H
#define HANDOFF_OPTS_H

#include <stdbool.h>
#include <stdio.h>
#include <handoff/error.h>
#include <handoff/kv.h>

struct opts_option {
	const char *name; /* long name without dashes; NULL ends the table */
	char short_name;  /* or 0 */
	/* Name of the argument ("FILE"), NULL if it takes none; "[=all]" if it can be left out. */
	const char *arg;
	const char *help;	   /* one sentence, no period at the end needed */
	const struct kv_key *keys; /* if the argument is a key=value list: documents its keys in
				      help and man page */
	const char *complete; /* "file", "a|b|c" or NULL: what bash completes the argument with */
	/*
	 * Called for each occurrence, in order. arg is NULL if it takes none, or none was given. 0
	 * or -EINVAL with err filled.
	 */
	int (*parse)(void *opaque, const char *arg, struct error *err);
};

struct opts_command {
	const char *name;    /* "run" */
	const char *summary; /* one line */
	const char *args;    /* positional arguments in words, or NULL if it takes none */
	const char *text;    /* some paragraphs: what it does, examples, exit codes */
	const struct opts_option *options;
	int (*positional)(void *opaque, const char *arg,
			  struct error *err); /* NULL: positional arguments are an error */
};

/*
 * Parses argv[1..]. 0; -EINVAL with err ("--blk: size=12x: not a size; write 64M"); 1 if --help was
 * given and printed to stdout. Abbreviated long options are accepted only when unambiguous. "--"
 * ends options.
 */
int opts_parse(const struct opts_command *cmd, int argc, char **argv, void *opaque,
	       struct error *err) MUST_CHECK;

void opts_print_help(const struct opts_command *cmd, FILE *to);

/*
 * For all commands of the program together; `version` goes into the header line. The tables end
 * with NULL.
 */
void opts_print_man(const struct opts_command *const *cmds, const char *version, FILE *to);
void opts_print_completion(const struct opts_command *const *cmds, FILE *to);

#endif
