// SPDX-License-Identifier: BSD-2-Clause
/* The panic line among what a guest prints. */
#include <lib/tap.h>

#include <string.h>
#include <handoff/compiler.h>
#include "panic_watch.h"

#define MARKER "Kernel panic - not syncing:"

/* How often a panic was told. */
static unsigned int feed(struct panic_watch *w, const char *text)
{
	unsigned int told = 0;

	while (*text)
		told += panic_watch_put(w, (uint8_t)*text++);
	return told;
}

/* As Linux prints it: a time stamp before, the reason behind, CR LF at the end. */
static void test_panic_watch__finds_the_line(void **state)
{
	struct panic_watch w = { 0 };

	assert_int_equal(feed(&w, "[    1.0] sysrq: Trigger a crash\r\n[    1.1] "), 0);
	assert_null(panic_watch_reason(&w));
	assert_int_equal(feed(&w, MARKER " sysrq triggered crash"), 0);
	assert_int_equal(feed(&w, "\r\n"), 1);
	assert_string_equal(panic_watch_reason(&w), "sysrq triggered crash");
}

/* Behind what a program left on the line, or at the very start, or after a false start. */
static void test_panic_watch__anywhere_in_a_line(void **state)
{
	static const char *const lines[] = { "~ # " MARKER " x\n", MARKER " x\n",
					     "KKernel" MARKER " x\n",
					     "Kernel panic - " MARKER " x\n" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		struct panic_watch w = { 0 };

		assert_int_equal(feed(&w, lines[i]), 1);
		assert_string_equal(panic_watch_reason(&w), "x");
	}
}

/* What only looks like it does not count; least of all the end of a panic. */
static void test_panic_watch__other_lines(void **state)
{
	static const char *const lines[] = { "kernel panic - not syncing: x\n",
					     "Kernel panic - not syncing\n",
					     "Kernel panic -\n not syncing: x\n",
					     "---[ end Kernel panic - not syncing ]---\n",
					     "Kernel  panic - not syncing: x\n" };
	struct panic_watch w = { 0 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++)
		assert_int_equal(feed(&w, lines[i]), 0);
	assert_null(panic_watch_reason(&w));
}

/* Once: the first one counts, as the second may be its consequence. */
static void test_panic_watch__once(void **state)
{
	struct panic_watch w = { 0 };

	assert_int_equal(feed(&w, MARKER " first\n" MARKER " second\n"), 1);
	assert_string_equal(panic_watch_reason(&w), "first");
}

/* A line that never ends is known by its reason all the same, as far as it came. */
static void test_panic_watch__unfinished(void **state)
{
	struct panic_watch w = { 0 };

	assert_int_equal(feed(&w, MARKER), 0);
	assert_string_equal(panic_watch_reason(&w), "");
	assert_int_equal(feed(&w, " Attempted to kill in"), 0);
	assert_string_equal(panic_watch_reason(&w), "Attempted to kill in");
}

/* What a guest says must not steer the user's terminal, nor fill it. */
static void test_panic_watch__sanitised(void **state)
{
	struct panic_watch w = { 0 };
	unsigned int i;

	feed(&w, MARKER " \x1b[2J\x07\xff\t");
	for (i = 0; i < 1000; i++)
		panic_watch_put(&w, 'x');
	assert_int_equal(feed(&w, "\n"), 1);
	assert_memory_equal(panic_watch_reason(&w), "?[2J???xxx", 10);
	assert_int_equal(strlen(panic_watch_reason(&w)), PANIC_LINE_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_panic_watch__finds_the_line),
		cmocka_unit_test(test_panic_watch__anywhere_in_a_line),
		cmocka_unit_test(test_panic_watch__other_lines),
		cmocka_unit_test(test_panic_watch__once),
		cmocka_unit_test(test_panic_watch__unfinished),
		cmocka_unit_test(test_panic_watch__sanitised),
	};

	return cmocka_run_group_tests_name("panic_watch", tests, NULL, NULL);
}
