// SPDX-License-Identifier: BSD-2-Clause
/* Console: bytes to lines, safe for a terminal, bounded whatever the guest prints. */
#include <lib/tap.h>

#include <handoff/main_loop.h>
#include <stdio.h>
#include <string.h>
#include "console.h"

struct reader {
	struct console *console;
	unsigned int lines, rooms;
	size_t bytes;
	char last[CONSOLE_LINE_BYTES + 1];
};

static void on_line(void *opaque, const char *line)
{
	struct reader *r = opaque;

	r->lines++;
	r->bytes += strlen(line);
	snprintf(r->last, sizeof(r->last), "%s", line);
}

static void on_room(void *opaque)
{
	((struct reader *)opaque)->rooms++;
}

static int setup(void **state)
{
	struct reader *r = test_calloc(1, sizeof(*r));
	struct console_config config = {
		.line = on_line, .opaque = r, .room = on_room, .room_opaque = r
	};
	struct error err;

	assert_int_equal(main_loop_init(NULL, &err), 0);
	config.ctx = main_loop_aio_context_any();
	r->console = console_new(&config, &err);
	assert_non_null(r->console);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct reader *r = *state;

	console_free(r->console);
	main_loop_release();
	test_free(r);
	return 0;
}

static void put(struct reader *r, const char *text)
{
	for (; *text; text++)
		console_put(r->console, (uint8_t)*text);
}

static void turn(void)
{
	while (aio_poll(main_loop_aio_context_any(), false))
		;
}

/* A line is handed over when it is whole, from the loop, without its end. */
static void test_console__hands_over_whole_lines(void **state)
{
	struct reader *r = *state;

	put(r, "one\r\ntw");
	assert_int_equal(r->lines, 0);
	turn();
	assert_int_equal(r->lines, 1);
	assert_string_equal(r->last, "one");
	put(r, "o\n\n");
	turn();
	assert_int_equal(r->lines, 3);
	assert_int_equal(r->bytes, strlen("onetwo"));
}

/* The end of a run shows what had no end. */
static void test_console__flush_shows_the_rest(void **state)
{
	struct reader *r = *state;

	put(r, "panic: no");
	turn();
	assert_int_equal(r->lines, 0);
	console_flush(r->console);
	assert_int_equal(r->lines, 1);
	assert_string_equal(r->last, "panic: no");
	console_flush(r->console);
	assert_int_equal(r->lines, 1);
}

/* Escape sequences and bytes beyond ASCII do not reach the user's terminal. */
static void test_console__replaces_control_characters(void **state)
{
	struct reader *r = *state;

	put(r, "a\x1b[2Jb\x9b\x07\tc\n");
	turn();
	assert_string_equal(r->last, "a?[2Jb??\tc");
}

/* A line without end is handed over in pieces, and takes no more memory than that. */
static void test_console__splits_endless_lines(void **state)
{
	struct reader *r = *state;
	unsigned int i;

	for (i = 0; i < 10 * CONSOLE_LINE_BYTES; i++) {
		console_put(r->console, 'x');
		if (i % 1000 == 0)
			turn();
	}
	console_flush(r->console);
	assert_int_equal(r->lines, 10);
	assert_int_equal(r->bytes, 10 * CONSOLE_LINE_BYTES);
	assert_int_equal(console_dropped(r->console), 0);
}

/* Full: it says so, drops and counts what comes nevertheless, and tells when there is room again.
 */
static void test_console__full_is_told(void **state)
{
	struct reader *r = *state;
	unsigned int i;

	for (i = 0; i < CONSOLE_ROOM_BYTES; i++) {
		assert_true(console_has_room(r->console));
		console_put(r->console, 'x');
	}
	assert_false(console_has_room(r->console));
	put(r, "yyy");
	assert_int_equal(console_dropped(r->console), 3);
	turn();
	assert_int_equal(r->rooms, 1);
	assert_true(console_has_room(r->console));
	console_flush(r->console);
	assert_int_equal(r->bytes, CONSOLE_ROOM_BYTES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_console__hands_over_whole_lines),
		TEST(test_console__flush_shows_the_rest),
		TEST(test_console__replaces_control_characters),
		TEST(test_console__splits_endless_lines),
		TEST(test_console__full_is_told),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
