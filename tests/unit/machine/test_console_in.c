// SPDX-License-Identifier: BSD-2-Clause
/* Standard input to the guest: nothing lost, no faster than it is taken, and the escape key. */
#include <lib/tap.h>

#include <fcntl.h>
#include <handoff/main_loop.h>
#include <lib/capture.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "console_in.h"

struct listener {
	struct console_in *in;
	unsigned int room; /* bytes it takes in all */
	unsigned int calls, quits;
	size_t n;
	uint8_t got[65536];
};

static unsigned int receive(void *opaque, const uint8_t *bytes, unsigned int n)
{
	struct listener *l = opaque;

	l->calls++;
	n = MIN(n, l->room);
	assert_true(l->n + n <= sizeof(l->got));
	memcpy(l->got + l->n, bytes, n);
	l->n += n;
	l->room -= n;
	return n;
}

static void on_quit(void *opaque)
{
	((struct listener *)opaque)->quits++;
}

static int setup(void **state)
{
	struct error err;

	*state = test_calloc(1, sizeof(struct listener));
	return main_loop_init(NULL, &err);
}

static int teardown(void **state)
{
	struct listener *l = *state;

	console_in_free(l->in);
	main_loop_release();
	test_free(l);
	return 0;
}

static void turn(void)
{
	while (aio_poll(main_loop_aio_context_any(), false))
		;
}

static void start(struct listener *l, int fd, bool escape)
{
	struct console_in_config config = {
		.ctx = main_loop_aio_context_any(),
		.fd = fd,
		.escape = escape,
		.receive = receive,
		.quit = on_quit,
		.opaque = l,
	};
	struct error err;

	l->in = console_in_new(&config, &err);
	assert_non_null(l->in);
	turn();
}

static void say(int fd, const void *bytes, size_t n)
{
	assert_int_equal(write(fd, bytes, n), n);
	turn();
}

/* A guest that takes 16 bytes at a time gets all of a pipe, in order, whatever its size; what it
 * does not take stays in the pipe. */
static void test_console_in__goes_at_the_guests_pace(void **state)
{
	struct listener *l = *state;
	static uint8_t text[40000];
	unsigned int rounds;
	int fd[2];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(pipe(fd), 0);
	start(l, fd[0], false);
	say(fd[1], text, sizeof(text));
	close(fd[1]);
	assert_int_equal(l->n, 0);
	for (rounds = 0; l->n < sizeof(text) && rounds < sizeof(text); rounds++) {
		l->room = 16;
		console_in_room_any(l->in);
		turn();
	}
	assert_int_equal(rounds, sizeof(text) / 16);
	assert_memory_equal(l->got, text, sizeof(text));
	assert_int_equal(fcntl(fd[0], F_GETFL) & O_NONBLOCK, 0);
	close(fd[0]);
}

/* A guest that takes nothing costs nothing: the loop does not spin on a pipe that is readable. */
static void test_console_in__waits_for_room(void **state)
{
	struct listener *l = *state;
	unsigned int calls;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	start(l, fd[0], false);
	say(fd[1], "hello", 5);
	calls = l->calls;
	say(fd[1], "world", 5);
	turn();
	assert_int_equal(l->calls, calls);
	l->room = 100;
	console_in_room_any(l->in);
	turn();
	assert_memory_equal(l->got, "helloworld", 10);
	close(fd[0]);
	close(fd[1]);
}

/* The end of the input ends nothing else, and what came before it arrives. */
static void test_console_in__end_of_file_is_the_end_of_input(void **state)
{
	struct listener *l = *state;
	unsigned int calls;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(write(fd[1], "bye", 3), 3);
	close(fd[1]);
	l->room = 1;
	start(l, fd[0], false);
	l->room = 100;
	console_in_room_any(l->in);
	turn();
	assert_int_equal(l->n, 3);
	calls = l->calls;
	turn();
	assert_int_equal(l->calls, calls);
	assert_int_equal(l->quits, 0);
	close(fd[0]);
}

/* A file is read from where it stands, /dev/null is empty, a closed descriptor is as well. */
static void test_console_in__files(void **state)
{
	struct listener *l = *state;
	int file = memfd_create("script", 0), null = open("/dev/null", O_RDONLY);

	l->room = 100;
	assert_int_equal(write(file, "skipped, read", 13), 13);
	lseek(file, 9, SEEK_SET);
	start(l, file, false);
	assert_int_equal(l->n, 4);
	assert_memory_equal(l->got, "read", 4);
	console_in_free(l->in);
	start(l, null, false);
	console_in_free(l->in);
	close(null);
	start(l, null, false);
	assert_int_equal(l->n, 4);
	close(file);
}

/* A pipe may carry any byte; Ctrl-A is one of them. */
static void test_console_in__pipe_has_no_escape(void **state)
{
	struct listener *l = *state;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	l->room = 100;
	start(l, fd[0], false);
	say(fd[1], "\1x\1\1\0", 5);
	assert_int_equal(l->n, 5);
	assert_memory_equal(l->got, "\1x\1\1\0", 5);
	assert_int_equal(l->quits, 0);
	close(fd[0]);
	close(fd[1]);
}

/* Ctrl-A x quits, h helps, Ctrl-A sends itself, anything else is swallowed; also when the key comes
 * in two reads. */
static void test_console_in__escape_key(void **state)
{
	struct listener *l = *state;
	struct capture capture;
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	l->room = 100;
	start(l, fd[0], true);
	say(fd[1], "a\1\1b\1qc\1", 8);
	assert_int_equal(l->n, 4);
	assert_memory_equal(l->got, "a\1bc", 4);
	capture_begin(&capture, 2);
	say(fd[1], "h", 1);
	assert_non_null(strstr(capture_end(&capture), "Ctrl-A x"));
	assert_int_equal(l->quits, 0);
	say(fd[1], "x\1xz", 4);
	assert_int_equal(l->quits, 1);
	assert_memory_equal(l->got, "a\1bcxz", 6);
	close(fd[0]);
	close(fd[1]);
}

/* A guest that hangs can be left: the key works however much was typed before it in vain. */
static void test_console_in__escape_works_on_a_deaf_guest(void **state)
{
	struct listener *l = *state;
	static const uint8_t typed[3 * CONSOLE_IN_BYTES];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	start(l, fd[0], true);
	say(fd[1], typed, sizeof(typed));
	say(fd[1], "\1x", 2);
	assert_int_equal(l->n, 0);
	assert_int_equal(l->quits, 1);
	close(fd[0]);
	close(fd[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_console_in__goes_at_the_guests_pace),
		TEST(test_console_in__waits_for_room),
		TEST(test_console_in__end_of_file_is_the_end_of_input),
		TEST(test_console_in__files),
		TEST(test_console_in__pipe_has_no_escape),
		TEST(test_console_in__escape_key),
		TEST(test_console_in__escape_works_on_a_deaf_guest),
	};

	return cmocka_run_group_tests_name("console_in", tests, NULL, NULL);
}
