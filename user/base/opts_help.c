// SPDX-License-Identifier: BSD-2-Clause
/*
 * --help from the option table, for a terminal of 100 columns; and the words that man page and help
 * share. Pure output.
 */
#include <handoff/opts.h>

#include <string.h>
#include "kv.h"
#include "opts.h"

#define HELP_COLUMN  32
#define HELP_COLUMNS 100

const char *opts_key_value(const struct kv_key *key)
{
	switch (key->type) {
	case KV_STRING:
		return "TEXT";
	case KV_BOOL:
		return "on|off";
	case KV_U32:
	case KV_U64:
		return "N";
	case KV_SIZE:
		return "SIZE";
	case KV_TIME:
		return "TIME";
	case KV_ENUM:
		return key->values;
	}
	return "";
}

char *opts_key_range(const struct kv_key *key, char buf[OPTS_RANGE_SIZE])
{
	char min[32], max[32];

	buf[0] = '\0';
	if (key->type < KV_U32 || key->type > KV_TIME)
		return buf;
	kv_format(key->type, key->min, min);
	kv_format(key->type, key->max, max);
	if (key->max)
		snprintf(buf, OPTS_RANGE_SIZE, " (%s..%s)", min, max);
	else if (key->min)
		snprintf(buf, OPTS_RANGE_SIZE, " (at least %s)", min);
	return buf;
}

bool opts_needs_argument(const struct opts_option *option)
{
	return option->arg && option->arg[0] != '[';
}

/* Words of `text` from `column` on, wrapped below it. */
static void print_wrapped(FILE *to, const char *text, int column)
{
	int at = column;

	while (*text) {
		int len = strcspn(text, " ");

		if (at > column && at + 1 + len > HELP_COLUMNS) {
			fprintf(to, "\n%*s", column, "");
			at = column;
		}
		at += fprintf(to, "%s%.*s", at > column ? " " : "", len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

/*
 * `head` of `len` characters is already printed; the explanation goes beside it, or below if it is
 * too long.
 */
static void print_explained(FILE *to, int len, const char *help)
{
	if (len >= HELP_COLUMN)
		fprintf(to, "\n%*s", HELP_COLUMN, "");
	else
		fprintf(to, "%*s", HELP_COLUMN - len, "");
	print_wrapped(to, help, HELP_COLUMN);
}

static void print_option(FILE *to, const struct opts_option *option)
{
	const struct kv_key *key;
	char range[OPTS_RANGE_SIZE], help[256];
	int len;

	len = option->short_name ? fprintf(to, "  -%c, ", option->short_name)
				 : fprintf(to, "      ");
	len += fprintf(to, "--%s%s%s", option->name, opts_needs_argument(option) ? " " : "",
		       option->arg ? option->arg : "");
	print_explained(to, len, option->help);
	for (key = option->keys; key && key->name; key++) {
		len = fprintf(to, "          %s=%s", key->name, opts_key_value(key));
		snprintf(help, sizeof(help), "%s%s", key->help ? key->help : "",
			 opts_key_range(key, range));
		print_explained(to, len, help);
	}
}

/* Paragraphs are wrapped; lines that begin with a blank (examples, tables) stay as they are. */
static void print_text(FILE *to, const char *text)
{
	char line[1024];

	fputc('\n', to);
	for (size_t len; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		if (*line == ' ')
			fprintf(to, "%s\n", line);
		else
			print_wrapped(to, line, 0);
	}
}

void opts_print_help(const struct opts_command *cmd, FILE *to)
{
	const struct opts_option *option;

	fprintf(to, "usage: %s %s%s%s%s\n\n%s\n\n", OPTS_PROGRAM, cmd->name,
		cmd->options[0].name ? " [options]" : "", cmd->args ? " " : "",
		cmd->args ? cmd->args : "", cmd->summary);
	for (option = cmd->options; option->name; option++)
		print_option(to, option);
	print_explained(to, fprintf(to, "      --help"), "print this and exit");
	if (cmd->text)
		print_text(to, cmd->text);
}
