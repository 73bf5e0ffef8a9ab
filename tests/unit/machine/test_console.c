// SPDX-License-Identifier: BSD-2-Clause
/* Console: bytes to lines, safe for a terminal, and to standard output as they are; bounded
 * whatever the guest prints and however slowly it is read. */
#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <handoff/main_loop.h>
#include <lib/capture.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "console.h"
#include "serial.h"

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
		.out_fd = -1, .line = on_line, .opaque = r, .room = on_room, .room_opaque = r
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
	console_flush(r->console, -1);
	assert_int_equal(r->lines, 1);
	assert_string_equal(r->last, "panic: no");
	console_flush(r->console, -1);
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
	console_flush(r->console, -1);
	assert_int_equal(r->lines, 10);
	assert_int_equal(r->bytes, 10 * CONSOLE_LINE_BYTES);
	assert_int_equal(console_dropped(r->console), 0);
}

/* Full: it says so while what a driver sends at once still fits, drops and counts what comes
 * nevertheless, and tells when there is room again. */
static void test_console__full_is_told(void **state)
{
	struct reader *r = *state;
	unsigned int i;

	for (i = 0; i < CONSOLE_ROOM_BYTES; i++) {
		assert_int_equal(console_has_room(r->console),
				 i <= CONSOLE_ROOM_BYTES - SERIAL_FIFO_BYTES);
		console_put(r->console, 'x');
	}
	assert_int_equal(console_dropped(r->console), 0);
	put(r, "yyy");
	assert_int_equal(console_dropped(r->console), 3);
	turn();
	assert_int_equal(r->rooms, 1);
	assert_true(console_has_room(r->console));
	console_flush(r->console, -1);
	assert_int_equal(r->bytes, CONSOLE_ROOM_BYTES);
}

/* Replaces the console by one that writes to fd. */
static void write_to(struct reader *r, int fd)
{
	struct console_config config = {
		.ctx = main_loop_aio_context_any(),
		.out_fd = fd,
		.line = on_line,
		.opaque = r,
		.room = on_room,
		.room_opaque = r,
	};
	struct error err;

	console_free(r->console);
	r->console = console_new(&config, &err);
	assert_non_null(r->console);
}

static size_t read_some(int fd, char *to, size_t size)
{
	struct pollfd ready = { fd, POLLIN, 0 };
	ssize_t n = poll(&ready, 1, 0) > 0 ? read(fd, to, size - 1) : 0;

	assert_true(n >= 0);
	to[n] = '\0';
	return (size_t)n;
}

/* Standard output has every byte as it is and at once; the lines go on beside it. */
static void test_console__stdout_is_unmodified_and_unbuffered(void **state)
{
	struct reader *r = *state;
	char got[64];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	write_to(r, fd[1]);
	put(r, "a\x1b[1m\x80\r\n");
	turn();
	read_some(fd[0], got, sizeof(got));
	assert_string_equal(got, "a\x1b[1m\x80\r\n");
	put(r, "$");
	turn();
	read_some(fd[0], got, sizeof(got));
	assert_string_equal(got, "$");
	assert_int_equal(r->lines, 1);
	assert_string_equal(r->last, "a?[1m?");
	assert_int_equal(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
	close(fd[0]);
	close(fd[1]);
}

/* Nobody reads: the loop goes on, the guest finds the transmitter busy, and nothing of what it
 * could send is lost once somebody does. */
static void test_console__slow_reader_holds_the_guest_back(void **state)
{
	struct reader *r = *state;
	size_t sent = 0, got = 0, n;
	char text[4096];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	write_to(r, fd[1]);
	for (; console_has_room(r->console); sent++) {
		console_put(r->console, (uint8_t)('a' + sent % 26));
		if (sent % 1000 == 0)
			turn();
		assert_true(sent < (1 << 20));
	}
	turn();
	assert_false(console_has_room(r->console));
	while ((n = read_some(fd[0], text, sizeof(text)))) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(text[i], 'a' + (got + i) % 26);
		got += n;
		turn();
	}
	assert_int_equal(got, sent);
	assert_true(r->rooms > 0);
	assert_true(console_has_room(r->console));
	assert_int_equal(console_dropped(r->console), 0);
	close(fd[0]);
	close(fd[1]);
}

/* A reader that went away takes everything from then on, and is nobody's failure. */
static void test_console__closed_stdout_is_survived(void **state)
{
	struct reader *r = *state;
	unsigned int i;
	int fd[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fd), 0);
	write_to(r, fd[1]);
	close(fd[0]);
	for (i = 0; i < 3 * CONSOLE_ROOM_BYTES; i++) {
		console_put(r->console, 'x');
		if (i % 1000 == 0)
			turn();
	}
	assert_int_equal(console_flush(r->console, -1), 0);
	assert_int_equal(console_dropped(r->console), 0);
	assert_true(console_has_room(r->console));
	close(fd[1]);
}

/* A full disk is told once, and is the end's error. */
static void test_console__full_disk_is_an_error(void **state)
{
	struct reader *r = *state;
	int fd = open("/dev/full", O_WRONLY);
	struct capture capture;
	const char *said;

	assert_true(fd >= 0);
	write_to(r, fd);
	capture_begin(&capture, 2);
	put(r, "one\n");
	turn();
	put(r, "two\n");
	turn();
	assert_int_equal(console_flush(r->console, -1), -ENOSPC);
	said = capture_end(&capture);
	assert_non_null(strstr(said, "No space left"));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	assert_int_equal(r->lines, 2);
	close(fd);
}

/* At the end somebody who asked to stop does not wait for long for a reader that does not read. */
static void test_console__end_does_not_wait_for_ever(void **state)
{
	struct reader *r = *state;
	struct capture capture;
	int fd[2], stop[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(pipe(stop), 0);
	write_to(r, fd[1]);
	for (unsigned int i = 0; console_has_room(r->console); i++) {
		console_put(r->console, 'x');
		if (i % 1000 == 0)
			turn();
	}
	assert_int_equal(write(stop[1], "s", 1), 1);
	capture_begin(&capture, 2);
	assert_int_equal(console_flush(r->console, stop[0]), -ETIMEDOUT);
	assert_non_null(strstr(capture_end(&capture), "nobody reads"));
	for (int i = 0; i < 2; i++) {
		close(fd[i]);
		close(stop[i]);
	}
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
		TEST(test_console__stdout_is_unmodified_and_unbuffered),
		TEST(test_console__slow_reader_holds_the_guest_back),
		TEST(test_console__closed_stdout_is_survived),
		TEST(test_console__full_disk_is_an_error),
		TEST(test_console__end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
