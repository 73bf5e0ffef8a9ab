// SPDX-License-Identifier: BSD-2-Clause
/*
 * Lines on stderr: one write each, nothing in them that could act on a terminal, and a limit for
 * what a guest provokes.
 */
#include <lib/tap.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/log.h>
#include <lib/capture.h>

static struct capture capture;

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* The form of a line. */
static void test_log__line_has_prefix_and_newline(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	log_error("cannot open %s", "x.img");
	assert_string_equal(capture_end(&capture), "handoff: cannot open x.img\n");
}

/* What is above the level is silent. */
static void test_log__level_filters(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	log_set_level(LOG_WARN);
	log_info("hidden");
	log_debug("hidden");
	log_warn("seen");
	log_set_level(LOG_DEBUG);
	log_debug("seen too");
	log_set_level(LOG_INFO);
	assert_string_equal(capture_end(&capture), "handoff: seen\nhandoff: seen too\n");
}

/* Control characters of a guest's string neither start a new line nor reach the terminal. */
static void test_log__control_characters_are_defused(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	log_error("a\nb\x1b[2J\x7f\tc");
	assert_string_equal(capture_end(&capture), "handoff: a b?[2J? c\n");
}

/* A line that is too long is cut and still ends. */
static void test_log__long_line_is_cut(void **state)
{
	const char *text;

	capture_begin(&capture, STDERR_FILENO);
	log_error("%5000d", 1);
	text = capture_end(&capture);
	assert_in_range(strlen(text), 500, 1024);
	assert_int_equal(count_lines(text), 1);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

/* Reporting does not disturb the errno being handled. */
static void test_log__keeps_errno(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	errno = EXDEV;
	log_error("x");
	assert_int_equal(errno, EXDEV);
	capture_end(&capture);
}

/* A burst passes, the rest of the window is held back and counted. */
static void test_log__limit_holds_back(void **state)
{
	struct log_ratelimit rl = { .burst = 3, .interval_ns = 3600 * NS_PER_S };
	const char *text;
	int i;

	capture_begin(&capture, STDERR_FILENO);
	for (i = 0; i < 10; i++)
		log_limited(&rl, LOG_ERROR, "guest error %d", i);
	text = capture_end(&capture);
	assert_int_equal(count_lines(text), 3);
	assert_int_equal(atomic_load(&rl.held), 7);
}

/*
 * The first line of the next window says how many were held back; the window is moved into the past
 * instead of waiting.
 */
static void test_log__limit_reports_what_was_held(void **state)
{
	struct log_ratelimit rl = { .burst = 1, .interval_ns = 3600 * NS_PER_S };
	const char *text;

	capture_begin(&capture, STDERR_FILENO);
	log_limited(&rl, LOG_ERROR, "first");
	log_limited(&rl, LOG_ERROR, "second");
	log_limited(&rl, LOG_ERROR, "third");
	atomic_fetch_sub(&rl.window_start_ns, rl.interval_ns);
	log_limited(&rl, LOG_ERROR, "fourth");
	text = capture_end(&capture);
	assert_string_equal(text, "handoff: first\nhandoff: fourth (2 like it held back)\n");
	assert_int_equal(atomic_load(&rl.held), 0);
}

/* A zeroed limit is five lines a second. */
static void test_log__limit_has_a_default(void **state)
{
	struct log_ratelimit rl = {};
	int i;

	capture_begin(&capture, STDERR_FILENO);
	for (i = 0; i < 6; i++)
		log_limited(&rl, LOG_ERROR, "x");
	/* Unless the machine stalled for a whole second in between, the sixth is held back. */
	assert_true(count_lines(capture_end(&capture)) == 5 ||
		    clock_ns() - rl.window_start_ns > NS_PER_S);
}

#define THREADS 4
#define LINES	2000

static void *complain(void *rl)
{
	int i;

	for (i = 0; i < LINES; i++)
		log_limited(rl, LOG_ERROR, "a line of some length that must not be torn");
	return NULL;
}

/*
 * From several threads at once each line is printed whole or counted as held, none twice and none
 * lost.
 */
static void test_log__threads_lose_no_line(void **state)
{
	struct log_ratelimit rl = { .burst = 50, .interval_ns = 3600 * NS_PER_S };
	static const char line[] = "handoff: a line of some length that must not be torn\n";
	pthread_t threads[THREADS];
	const char *text;
	unsigned int n;
	int i;

	capture_begin(&capture, STDERR_FILENO);
	/* The first line opens the window, so that the threads only ever meet an open one. */
	log_limited(&rl, LOG_ERROR, "a line of some length that must not be torn");
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, complain, &rl), 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	text = capture_end(&capture);
	n = count_lines(text);
	assert_int_equal(n, 50);
	assert_int_equal(atomic_load(&rl.held), THREADS * LINES + 1 - 50);
	for (; *text; text += sizeof(line) - 1)
		assert_memory_equal(text, line, sizeof(line) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log__line_has_prefix_and_newline),
		cmocka_unit_test(test_log__level_filters),
		cmocka_unit_test(test_log__control_characters_are_defused),
		cmocka_unit_test(test_log__long_line_is_cut),
		cmocka_unit_test(test_log__keeps_errno),
		cmocka_unit_test(test_log__limit_holds_back),
		cmocka_unit_test(test_log__limit_reports_what_was_held),
		cmocka_unit_test(test_log__limit_has_a_default),
		cmocka_unit_test(test_log__threads_lose_no_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
