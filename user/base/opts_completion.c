// SPDX-License-Identifier: BSD-2-Clause
/*
 * Bash completion from the option tables: a case per command, a case per option with an argument.
 * The script needs nothing of the bash-completion package. Pure output.
 */
#include <handoff/opts.h>

#include <string.h>
#include "opts.h"

/*
 * Bash splits words at '=' (COMP_WORDBREAKS), so "size=64M,cac" arrives in pieces: the word is put
 * together again from the line, and only what follows its last '=' is offered, as readline replaces
 * no more than that.
 */
static const char prologue[] =
	"# Made by `" OPTS_PROGRAM " help --completion` from the option tables.\n"
	"_handoff_offer() {\n"
	"\tlocal word\n"
	"\twhile read -r word; do\n"
	"\t\t[[ $word == \"$item\"* ]] && COMPREPLY+=(\"${list}$word\")\n"
	"\tdone < <(printf '%s\\n' \"$@\")\n"
	"\treturn 0\n"
	"}\n"
	"_handoff_files() {\n"
	"\tlocal word\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\twhile read -r word; do\n"
	"\t\tCOMPREPLY+=(\"${list}$word\")\n"
	"\tdone < <(compgen -f -- \"$item\")\n"
	"}\n"
	"# An item of a key=value list: keys first, then what a key takes.\n"
	"_handoff_keys() {\n"
	"\tlist=${word%\"${word##*,}\"} item=${word##*,}\n"
	"\tif [[ $item != *=* ]]; then\n"
	"\t\tcompopt -o nospace 2>/dev/null\n"
	"\t\t_handoff_offer \"$@\"\n"
	"\t\treturn 1\n"
	"\tfi\n"
	"\tkey=${item%%=*} list=$list$key= item=${item#*=}\n"
	"}\n"
	"_handoff() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} words word prev list='' item key\n"
	"\tread -ra words <<<\"$line\"\n"
	"\t[[ $line == *[[:space:]] ]] && words+=('')\n"
	"\tword=${words[-1]} prev=${words[-2]-} item=$word COMPREPLY=()\n"
	"\tif [[ $word == --*=* ]]; then\n"
	"\t\tprev=${word%%=*} word=${word#*=} item=$word\n"
	"\tfi\n";

static const char epilogue[] = "\t# readline replaces what follows the last '='\n"
			       "\tCOMPREPLY=(\"${COMPREPLY[@]#\"${word%\"${word##*=}\"}\"}\")\n"
			       "}\n"
			       "complete -F _handoff " OPTS_PROGRAM "\n";

/* "a|b" as the words 'a' 'b'. Tables hold no quotes. */
static void print_choices(FILE *to, const char *choices)
{
	while (*choices) {
		int len = strcspn(choices, "|");

		fprintf(to, " '%.*s'", len, choices);
		choices += len + (choices[len] == '|');
	}
}

/* What offers "file" or one of "a|b". */
static void print_completer(FILE *to, const char *what)
{
	if (!strcmp(what, "file")) {
		fputs("_handoff_files", to);
		return;
	}
	fputs("_handoff_offer", to);
	print_choices(to, what);
}

static void print_keys(FILE *to, const struct kv_key *keys)
{
	const struct kv_key *key;

	fputs("\t\t_handoff_keys", to);
	for (key = keys; key->name; key++)
		fprintf(to, " '%s='", key->name);
	fputs(" && case $key in\n", to);
	for (key = keys; key->name; key++) {
		const char *choices = key->type == KV_BOOL ? opts_key_value(key) : key->values;

		if (!choices)
			continue;
		fprintf(to, "\t\t%s) ", key->name);
		print_completer(to, choices);
		fputs(" ;;\n", to);
	}
	fputs("\t\tesac\n", to);
}

/* The arguments of one option: a branch of the case over "command,previous word". */
static void print_argument(FILE *to, const struct opts_command *cmd,
			   const struct opts_option *option)
{
	if (!opts_needs_argument(option))
		return;
	fprintf(to, "\t%s,--%s", cmd->name, option->name);
	if (option->short_name)
		fprintf(to, " | %s,-%c", cmd->name, option->short_name);
	fputs(")\n", to);
	if (option->keys) {
		print_keys(to, option->keys);
	} else if (option->complete) {
		fputs("\t\t", to);
		print_completer(to, option->complete);
		fputc('\n', to);
	}
	fputs("\t\t;;\n", to);
}

static void print_options(FILE *to, const struct opts_command *cmd)
{
	const struct opts_option *option;

	fprintf(to, "\t%s,*) _handoff_offer", cmd->name);
	for (option = cmd->options; option->name; option++)
		fprintf(to, " --%s", option->name);
	fputs(" --help ;;\n", to);
}

void opts_print_completion(const struct opts_command *const *cmds, FILE *to)
{
	const struct opts_command *const *cmd;
	const struct opts_option *option;

	fputs(prologue, to);
	fputs("\tif ((${#words[@]} == 2)); then\n\t\t_handoff_offer", to);
	for (cmd = cmds; *cmd; cmd++)
		fprintf(to, " %s", (*cmd)->name);
	fputs("\n\t\treturn 0\n\tfi\n\tcase ${words[1]},$prev in\n", to);
	for (cmd = cmds; *cmd; cmd++)
		for (option = (*cmd)->options; option->name; option++)
			print_argument(to, *cmd, option);
	for (cmd = cmds; *cmd; cmd++)
		print_options(to, *cmd);
	fputs("\tesac\n", to);
	fputs(epilogue, to);
}
