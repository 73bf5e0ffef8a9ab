// SPDX-License-Identifier: BSD-2-Clause
/*
 * The man page from the option tables, in man(7) macros. All text goes through troff_text(): a
 * period at a line's start, a backslash or a plain hyphen would otherwise be read as markup. Pure
 * output.
 */
#include <handoff/opts.h>

#include <string.h>
#include "opts.h"

static void troff_text(FILE *to, const char *text, size_t len)
{
	size_t i;

	if (len && (*text == '.' || *text == '\''))
		fputs("\\&", to);
	for (i = 0; i < len; i++) {
		if (text[i] == '\\')
			fputs("\\e", to);
		else if (text[i] == '-')
			fputs("\\-", to);
		else
			fputc(text[i], to);
	}
}

static void troff_string(FILE *to, const char *text)
{
	troff_text(to, text, strlen(text));
}

static void troff_line(FILE *to, const char *text)
{
	troff_string(to, text);
	fputc('\n', to);
}

/*
 * Paragraphs are separated by empty lines; a line that begins with white space is an example and
 * keeps its shape.
 */
static void troff_paragraphs(FILE *to, const char *text)
{
	bool example = false, gap = false;

	for (; *text; text += *text == '\n') {
		size_t len = strcspn(text, "\n");
		size_t indent = strspn(text, " \t");

		if (!len) {
			gap = true;
			continue;
		}
		if (example && !indent)
			fputs(".fi\n.RE\n", to);
		if (gap)
			fputs(example && indent ? "\n" : ".PP\n", to);
		if (!example && indent)
			fputs(".RS 4\n.nf\n", to);
		example = indent;
		gap = false;
		troff_text(to, text + indent, len - indent);
		fputc('\n', to);
		text += len;
	}
	if (example)
		fputs(".fi\n.RE\n", to);
}

static void man_keys(FILE *to, const struct kv_key *key)
{
	char range[OPTS_RANGE_SIZE];

	fputs(".RS\n", to);
	for (; key->name; key++) {
		fputs(".TP\n\\fB", to);
		troff_string(to, key->name);
		fputs("\\fR=\\fI", to);
		troff_string(to, opts_key_value(key));
		fputs("\\fR\n", to);
		troff_string(to, key->help ? key->help : "");
		troff_line(to, opts_key_range(key, range));
	}
	fputs(".RE\n", to);
}

static void man_option(FILE *to, const struct opts_option *option)
{
	fputs(".TP\n", to);
	if (option->short_name)
		fprintf(to, "\\fB\\-%c\\fR, ", option->short_name);
	fputs("\\fB\\-\\-", to);
	troff_string(to, option->name);
	fputs("\\fR", to);
	if (option->arg) {
		fputs(opts_needs_argument(option) ? " \\fI" : "\\fI", to);
		troff_string(to, option->arg);
		fputs("\\fR", to);
	}
	fputc('\n', to);
	troff_line(to, option->help);
	if (option->keys)
		man_keys(to, option->keys);
}

static void man_command(FILE *to, const struct opts_command *cmd)
{
	const struct opts_option *option;

	fputs(".SS \"" OPTS_PROGRAM " ", to);
	troff_string(to, cmd->name);
	if (cmd->options[0].name)
		fputs(" [options]", to);
	if (cmd->args) {
		fputc(' ', to);
		troff_string(to, cmd->args);
	}
	fputs("\"\n", to);
	troff_line(to, cmd->summary);
	for (option = cmd->options; option->name; option++)
		man_option(to, option);
	if (cmd->text) {
		fputs(".PP\n", to);
		troff_paragraphs(to, cmd->text);
	}
}

void opts_print_man(const struct opts_command *const *cmds, const char *version, FILE *to)
{
	const struct opts_command *const *cmd;

	fprintf(to, ".\\\" Made by `%s help --man` from the option tables.\n", OPTS_PROGRAM);
	fprintf(to, ".TH HANDOFF 1 \"\" \"%s %s\" \"User Commands\"\n", OPTS_PROGRAM, version);
	fputs(".SH NAME\n" OPTS_PROGRAM " \\- " OPTS_SUMMARY "\n.SH SYNOPSIS\n", to);
	for (cmd = cmds; *cmd; cmd++) {
		fputs(cmd == cmds ? "" : ".br\n", to);
		fputs(".B " OPTS_PROGRAM " ", to);
		troff_string(to, (*cmd)->name);
		fputs((*cmd)->options[0].name ? "\n.RI [ options ]\n" : "\n", to);
	}
	fputs(".SH COMMANDS\n", to);
	for (cmd = cmds; *cmd; cmd++)
		man_command(to, *cmd);
}
