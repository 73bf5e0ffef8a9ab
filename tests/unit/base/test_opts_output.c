// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is printed from an option table: help, man page, bash completion. The completion is tried in
 * a real bash.
 */
#include <lib/tap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/opts.h>

static int parse_nothing(void *opaque, const char *arg, struct error *err)
{
	return 0;
}

static const struct kv_key disk_keys[] = {
	{ "file", KV_STRING, 0, KV_NO_SEEN, .values = "file", .help = "image to serve" },
	{ "id", KV_STRING, 0, KV_NO_SEEN, .help = "its name" },
	{ "policy", KV_STRING, 0, KV_NO_SEEN, .values = "calm|eager", .help = "its temper" },
	{ "size", KV_SIZE, 0, KV_NO_SEEN, .min = 4096, .help = "size of a new image" },
	{ "cache", KV_ENUM, 0, KV_NO_SEEN, .values = "direct|writeback", .help = "host cache" },
	{ "queues", KV_U32, 0, KV_NO_SEEN, 1, 64, .help = "queues of the disk" },
	{ "read-only", KV_BOOL, 0, KV_NO_SEEN, .help = "refuse writes" },
	{},
};

static const struct opts_option run_options[] = {
	{ "trace", 't', NULL, "attach the tracer", .parse = parse_nothing },
	{ "blk", 'b', "KEYS",
	  "a disk; may be given several times, and this sentence is long enough to be wrapped "
	  "below itself",
	  .keys = disk_keys, .parse = parse_nothing },
	{ "json", 0, "FILE", "write the report", .complete = "file", .parse = parse_nothing },
	{ "view", 0, "KIND", "how to show it", .complete = "live|plain|none",
	  .parse = parse_nothing },
	{},
};

static const struct opts_option none[] = { {} };

static const struct opts_command run = {
	.name = "run",
	.summary = "run a guest",
	.text = "Starts a guest.\n\nExample:\n"
		"  handoff run --trace\n  .hidden 'quote' back\\slash\n\nExit: 0 or 1.",
	.options = run_options,
};
static const struct opts_command doctor = { .name = "doctor",
					    .summary = "look at the host",
					    .options = none };
static const struct opts_command *const commands[] = { &run, &doctor, NULL };

static char output[32768];

#define print_to_output(call)                                                                      \
	do {                                                                                       \
		FILE *to = fmemopen(output, sizeof(output), "w");                                  \
                                                                                                   \
		assert_non_null(to);                                                               \
		call;                                                                              \
		fclose(to);                                                                        \
	} while (0)

static void assert_contains(const char *text)
{
	if (!strstr(output, text))
		fail_msg("\"%s\" is missing in: %.700s", text, output);
}

/* Help shows every option and every key with its kind and bounds. */
static void test_opts_output__help_is_complete(void **state)
{
	print_to_output(opts_print_help(&run, to));
	assert_contains("usage: handoff run [options]\n\nrun a guest\n");
	assert_contains("\n  -t, --trace                   attach the tracer\n");
	assert_contains("\n      --json FILE               write the report\n");
	assert_contains("\n          size=SIZE             size of a new image (at least 4k)\n");
	assert_contains("\n          queues=N              queues of the disk (1..64)\n");
	assert_contains(
		"\n          cache=direct|writeback\n                                host cache\n");
	assert_contains("\n          read-only=on|off      refuse writes\n");
	assert_contains("\n      --help                    print this and exit\n");
}

/* No line of the option list is wider than 100 columns. */
static void test_opts_output__help_is_wrapped(void **state)
{
	const char *line, *next;

	print_to_output(opts_print_help(&run, to));
	for (line = output; (next = strchr(line, '\n')); line = next + 1)
		assert_in_range(next - line, 0, 100);
	assert_contains(
		"long enough\n                                to be wrapped below itself\n");
}

/* A command without options says so by its usage line. */
static void test_opts_output__help_without_options(void **state)
{
	print_to_output(opts_print_help(&doctor, to));
	assert_contains("usage: handoff doctor\n");
}

/* The man page has its sections, all commands, and quotes what troff would read as markup. */
static void test_opts_output__man_page(void **state)
{
	print_to_output(opts_print_man(commands, "1.2", to));
	assert_contains(".TH HANDOFF 1 \"\" \"handoff 1.2\"");
	assert_contains(".SH NAME\nhandoff \\- ");
	assert_contains(".SS \"handoff run [options]\"\nrun a guest\n");
	assert_contains(".SS \"handoff doctor\"\n");
	assert_contains(".TP\n\\fB\\-b\\fR, \\fB\\-\\-blk\\fR \\fIKEYS\\fR\n");
	assert_contains(".TP\n\\fBread\\-only\\fR=\\fIon|off\\fR\nrefuse writes\n");
	assert_contains(".nf\nhandoff run \\-\\-trace\n\\&.hidden 'quote' back\\eslash\n.fi\n");
}

/* Lines that begin with a period are macros of man(7) only: nothing of ours slipped through. */
static void test_opts_output__man_has_only_macros(void **state)
{
	static const char *const macros[] = { ".TH ",  ".SH ",	".SS ",	 ".TP\n", ".PP\n",
					      ".RS",   ".RE\n", ".nf\n", ".fi\n", ".B ",
					      ".br\n", ".RI ",	".\\\"" };
	const char *line, *next;

	print_to_output(opts_print_man(commands, "1.2", to));
	for (line = output; (next = strchr(line, '\n')); line = next + 1) {
		unsigned int i;

		if (*line != '.')
			continue;
		for (i = 0; i < sizeof(macros) / sizeof(macros[0]); i++)
			if (!strncmp(line, macros[i], strlen(macros[i])))
				break;
		if (i == sizeof(macros) / sizeof(macros[0]))
			fail_msg("not a macro: %.40s", line);
	}
}

/* What bash offers for a line typed so far, joined by spaces. */
static const char *complete(const char *line)
{
	static char offered[1024];
	char script[] = "/tmp/handoff-completion-XXXXXX", command[512];
	int fd = mkstemp(script);
	FILE *file = fdopen(fd, "w"), *pipe;
	size_t n;

	assert_non_null(file);
	opts_print_completion(commands, file);
	fclose(file);
	snprintf(command, sizeof(command),
		 "bash -c 'set -u; source %s; COMP_LINE=\"$1\" COMP_POINT=${#1};"
		 " _handoff; echo \"${COMPREPLY[*]-}\"'"
		 " bash '%s' 2>&1",
		 script, line);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	n = fread(offered, 1, sizeof(offered) - 1, pipe);
	offered[n] = '\0';
	offered[strcspn(offered, "\n")] = '\0';
	assert_int_equal(pclose(pipe), 0);
	unlink(script);
	return offered;
}

/* Commands first, then the options of the command given. */
static void test_opts_output__completes_commands_and_options(void **state)
{
	assert_string_equal(complete("handoff "), "run doctor");
	assert_string_equal(complete("handoff do"), "doctor");
	assert_string_equal(complete("handoff run --"), "--trace --blk --json --view --help");
	assert_string_equal(complete("handoff run -t --b"), "--blk");
	assert_string_equal(complete("handoff doctor --"), "--help");
}

/* Arguments with a list of choices, in both ways to write them. */
static void test_opts_output__completes_choices(void **state)
{
	assert_string_equal(complete("handoff run --view "), "live plain none");
	assert_string_equal(complete("handoff run --view=pl"), "plain");
}

/*
 * Key=value lists: keys, what a key takes, and only the part behind the last '=', which is what
 * readline replaces.
 */
static void test_opts_output__completes_keys(void **state)
{
	assert_string_equal(complete("handoff run --blk s"), "size=");
	assert_string_equal(complete("handoff run -b size=64M,ca"), "64M,cache=");
	assert_string_equal(complete("handoff run --blk size=64M,cache=w"), "writeback");
	assert_string_equal(complete("handoff run --blk=read-only=o"), "on off");
	assert_string_equal(complete("handoff run --blk queues="), "");
	assert_string_equal(complete("handoff run --blk policy=e"), "eager");
}

/* File names. */
static void test_opts_output__completes_files(void **state)
{
	assert_string_equal(complete("handoff run --json /proc/cpuinf"), "/proc/cpuinfo");
	assert_string_equal(complete("handoff run --blk size=1G,file=/proc/meminf"),
			    "/proc/meminfo");
	/* A name that is being invented is no file's. */
	assert_string_equal(complete("handoff run --blk id=/proc/meminf"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opts_output__help_is_complete),
		cmocka_unit_test(test_opts_output__help_is_wrapped),
		cmocka_unit_test(test_opts_output__help_without_options),
		cmocka_unit_test(test_opts_output__man_page),
		cmocka_unit_test(test_opts_output__man_has_only_macros),
		cmocka_unit_test(test_opts_output__completes_commands_and_options),
		cmocka_unit_test(test_opts_output__completes_choices),
		cmocka_unit_test(test_opts_output__completes_keys),
		cmocka_unit_test(test_opts_output__completes_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
