// SPDX-License-Identifier: BSD-2-Clause
/* Folded stacks as lines: each once, with its time, and nothing in a name that breaks a line. */
#include <lib/tap.h>
#include "folded.h"

#include <stdio.h>
#include <string.h>

struct told {
	uint32_t n;
	uint64_t ns, no_room_ns;
	uint32_t last_tid;
};

static void tell(void *opaque, uint32_t tid, const char *text, uint64_t ns)
{
	struct told *told = opaque;

	told->n++;
	told->ns += ns;
	told->last_tid = tid;
	if (strstr(text, "than there is room for"))
		told->no_room_ns += ns;
}

/* What is said twice of one thread is one line with the time of both; of two threads it is two. */
static void test_folded__adds_up_by_thread_and_text(void **state)
{
	struct folded_lines *l = folded_lines_new();
	struct told told = { 0 };

	assert_true(folded_lines_add(l, 7, "running;main", 10));
	assert_true(folded_lines_add(l, 7, "running;main", 5));
	assert_true(folded_lines_add(l, 8, "running;main", 1));
	folded_lines_each(l, tell, &told);
	assert_int_equal(told.n, 2);
	assert_int_equal(told.ns, 16);
	assert_int_equal(told.last_tid, 8);
	folded_lines_free(l);
}

/* However many stacks there are, all time is told: the rest in one line of its thread. */
static void test_folded__keeps_the_time_of_what_has_no_room(void **state)
{
	struct folded_lines *l = folded_lines_new();
	struct told told = { 0 };
	char text[32];
	int i;

	for (i = 0; i < FOLDED_LINES + 100; i++) {
		snprintf(text, sizeof(text), "running;%06d", i);
		assert_true(folded_lines_add(l, 7, text, 1));
	}
	/* One that is there still grows. */
	assert_true(folded_lines_add(l, 7, "running;000000", 1));
	folded_lines_each(l, tell, &told);
	assert_int_equal(told.n, FOLDED_LINES + 1);
	assert_int_equal(told.ns, FOLDED_LINES + 101);
	assert_int_equal(told.no_room_ns, 100);
	folded_lines_free(l);
}

/* A process may call itself anything. */
static void test_folded__a_name_breaks_no_line(void **state)
{
	static struct folded_text t;

	folded_text_add(&t, "a;b");
	folded_text_add(&t, "");
	folded_text_add(&t, "c\nd\x1b[m");
	assert_string_equal(t.text, "a:b;c?d?[m");
}

/* What does not fit is left out, not cut in two. */
static void test_folded__text_is_bounded(void **state)
{
	static struct folded_text t;
	char frame[REPORT_FRAME];
	size_t i;

	memset(frame, 'x', sizeof(frame) - 1);
	frame[sizeof(frame) - 1] = '\0';
	for (i = 0; i < 10 * FOLDED_FRAMES; i++)
		folded_text_add(&t, frame);
	assert_true(strlen(t.text) < sizeof(t.text));
	assert_int_equal((strlen(t.text) + 1) % sizeof(frame), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folded__adds_up_by_thread_and_text),
		cmocka_unit_test(test_folded__keeps_the_time_of_what_has_no_room),
		cmocka_unit_test(test_folded__a_name_breaks_no_line),
		cmocka_unit_test(test_folded__text_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
