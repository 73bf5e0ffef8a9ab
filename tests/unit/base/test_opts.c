// SPDX-License-Identifier: BSD-2-Clause
/* Option parsing: what reaches the callbacks, in which order, and what each kind of mistake says.
 */
#include <lib/tap.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <handoff/compiler.h>
#include <handoff/opts.h>
#include <lib/capture.h>

/* Every callback appends to this, so one comparison checks calls, arguments and order. */
struct trail {
	char text[256];
};

static int note(struct trail *trail, const char *what, const char *arg)
{
	size_t len = strlen(trail->text);

	snprintf(trail->text + len, sizeof(trail->text) - len, "%s%s;", what, arg ? arg : "");
	return 0;
}

static int parse_blk(void *opaque, const char *arg, struct error *err)
{
	if (!strcmp(arg, "size=12x"))
		return error_set(err, -EINVAL, "size=12x: not a size; write 64M");
	return note(opaque, "blk=", arg);
}

static int parse_trace(void *opaque, const char *arg, struct error *err)
{
	assert_null(arg);
	return note(opaque, "trace", NULL);
}

static int parse_memory(void *opaque, const char *arg, struct error *err)
{
	return note(opaque, "memory=", arg);
}

static int parse_memory_file(void *opaque, const char *arg, struct error *err)
{
	return note(opaque, "memory-file=", arg);
}

static int parse_probe(void *opaque, const char *arg, struct error *err)
{
	return note(opaque, arg ? "probe=" : "probe", arg);
}

static int parse_positional(void *opaque, const char *arg, struct error *err)
{
	return note(opaque, "arg=", arg);
}

static const struct opts_option options[] = {
	{ "blk", 'b', "KEYS", "a disk", .parse = parse_blk },
	{ "trace", 't', NULL, "trace it", .parse = parse_trace },
	{ "memory", 0, "SIZE", "guest memory", .parse = parse_memory },
	{ "memory-file", 0, "FILE", "back it by a file", .parse = parse_memory_file },
	{ "probe", 0, "[=all]", "or some of them", .parse = parse_probe },
	{},
};

static const struct opts_command run = { .name = "run",
					 .summary = "run a guest",
					 .options = options };
static const struct opts_command run_args = { .name = "run",
					      .summary = "run a guest",
					      .options = options,
					      .args = "FILE...",
					      .positional = parse_positional };

/* argv as a list of words. */
#define parse(cmd, trail, err, ...)                                                                \
	opts_parse(cmd, (int)ARRAY_SIZE(((char *[]){ "run", __VA_ARGS__ })),                       \
		   (char *[]){ "run", __VA_ARGS__, NULL }, trail, err)

#define assert_parsed(cmd, expected, ...)                                                          \
	do {                                                                                       \
		struct trail trail_ = {};                                                          \
		struct error err_ = {};                                                            \
                                                                                                   \
		assert_int_equal(parse(cmd, &trail_, &err_, __VA_ARGS__), 0);                      \
		assert_string_equal(trail_.text, expected);                                        \
	} while (0)

/* Silent on both streams, and err says just this. */
#define assert_refused(cmd, expected, ...)                                                         \
	do {                                                                                       \
		static struct capture capture_;                                                    \
		struct trail trail_ = {};                                                          \
		struct error err_ = {};                                                            \
		int ret_;                                                                          \
                                                                                                   \
		capture_begin(&capture_, STDERR_FILENO);                                           \
		ret_ = parse(cmd, &trail_, &err_, __VA_ARGS__);                                    \
		assert_string_equal(capture_end(&capture_), "");                                   \
		assert_int_equal(ret_, -EINVAL);                                                   \
		assert_string_equal(err_.msg, expected);                                           \
	} while (0)

/* Every way to write an option, each occurrence in its order. */
static void test_opts__parses_in_order(void **state)
{
	assert_parsed(&run, "blk=a;trace;blk=b;blk=c;blk=d;", "--blk", "a", "-t", "--blk=b", "-bc",
		      "-b", "d");
	assert_parsed(&run, "trace;blk=x;", "-tbx");
	assert_parsed(&run, "blk=;", "--blk=");
}

/* An argument that can be left out is part of the word: the next one is not it. */
static void test_opts__argument_may_be_optional(void **state)
{
	assert_parsed(&run, "probe=all;probe;trace;", "--probe=all", "--probe", "-t");
	assert_refused(&run, "unexpected argument 'all'; see 'handoff run --help'", "--probe",
		       "all");
}

/* No arguments at all is fine. */
static void test_opts__no_arguments(void **state)
{
	struct trail trail = {};

	assert_int_equal(opts_parse(&run, 1, (char *[]){ "run", NULL }, &trail, NULL), 0);
	assert_string_equal(trail.text, "");
}

/* A beginning that only one option has stands for it; an exact name wins over longer ones. */
static void test_opts__abbreviation_must_be_unambiguous(void **state)
{
	assert_parsed(&run, "trace;", "--tr");
	assert_parsed(&run, "memory=1;memory-file=x;", "--memory=1", "--memory-f", "x");
	assert_refused(&run, "--mem: ambiguous option; write it out", "--mem", "1");
}

/* What an option's parser says comes back with the option's name in front. */
static void test_opts__value_error_names_option(void **state)
{
	assert_refused(&run, "--blk: size=12x: not a size; write 64M", "-t", "-b", "size=12x");
}

/* Each mistake argp makes nothing of becomes one line that names the argument. */
static void test_opts__mistakes_are_named(void **state)
{
	assert_refused(&run, "unknown option --colour; see 'handoff run --help'", "-t", "--colour",
		       "--trace");
	assert_refused(&run, "unknown option --colour=red; see 'handoff run --help'",
		       "--colour=red");
	assert_refused(&run, "unknown option -x; see 'handoff run --help'", "-x");
	assert_refused(&run, "unknown option -x; see 'handoff run --help'", "-tx");
	assert_refused(&run, "--blk: needs an argument (KEYS)", "--trace", "--blk");
	assert_refused(&run, "-b: needs an argument (KEYS)", "-tb");
	assert_refused(&run, "--trace: takes no argument", "--trace=yes");
	assert_refused(&run, "unexpected argument 'x'; see 'handoff run --help'", "-t", "x");
}

/* Positional arguments reach their callback in place; behind "--" everything is one. */
static void test_opts__positional_arguments(void **state)
{
	assert_parsed(&run_args, "arg=a;trace;arg=b;", "a", "-t", "b");
	assert_parsed(&run_args, "arg=--trace;arg=-x;", "--", "--trace", "-x");
	assert_refused(&run_args, "unknown option -x; see 'handoff run --help'", "a", "-x");
}

/* Processing stops at the first mistake. */
static void test_opts__stops_at_first_mistake(void **state)
{
	struct trail trail = {};
	struct error err = {};

	assert_int_equal(parse(&run, &trail, &err, "-t", "--blk", "size=12x", "-t"), -EINVAL);
	assert_string_equal(trail.text, "trace;");
}

/* --help prints to stdout, says so by 1, and nothing behind it is looked at. */
static void test_opts__help_is_product(void **state)
{
	static struct capture capture;
	struct trail trail = {};
	const char *text;
	int ret;

	capture_begin(&capture, STDOUT_FILENO);
	ret = parse(&run_args, &trail, NULL, "--help", "--nonsense");
	text = capture_end(&capture);
	assert_int_equal(ret, 1);
	assert_ptr_equal(strstr(text, "usage: handoff run [options] FILE...\n"), text);
	assert_non_null(strstr(text, "  -b, --blk KEYS"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opts__parses_in_order),
		cmocka_unit_test(test_opts__argument_may_be_optional),
		cmocka_unit_test(test_opts__no_arguments),
		cmocka_unit_test(test_opts__abbreviation_must_be_unambiguous),
		cmocka_unit_test(test_opts__value_error_names_option),
		cmocka_unit_test(test_opts__mistakes_are_named),
		cmocka_unit_test(test_opts__positional_arguments),
		cmocka_unit_test(test_opts__stops_at_first_mistake),
		cmocka_unit_test(test_opts__help_is_product),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
