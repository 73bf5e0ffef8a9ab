// SPDX-License-Identifier: BSD-2-Clause
/* struct error: what a user reads must be whole at its informative end, whatever its length. */
#include <lib/tap.h>

#include <errno.h>
#include <string.h>
#include <handoff/error.h>

/* The return value is the errno given, so that a failing function can return the call. */
static void test_error__returns_errnum(void **state)
{
	struct error err;

	assert_int_equal(error_set(&err, -EINVAL, "size=%s: not a size", "12x"), -EINVAL);
	assert_string_equal(err.msg, "size=12x: not a size");
}

/* Callers that do not want the words pass NULL. */
static void test_error__null_is_allowed(void **state)
{
	assert_int_equal(error_set(NULL, -EIO, "lost"), -EIO);
	error_prefix(NULL, "disk0");
}

/* A prefix goes in front, with a colon. */
static void test_error__prefix_goes_in_front(void **state)
{
	struct error err;

	error_set(&err, -EINVAL, "not a size");
	error_prefix(&err, "--%s", "blk");
	assert_string_equal(err.msg, "--blk: not a size");
}

/* A message longer than the buffer is cut, not overrun. */
static void test_error__long_message_is_cut(void **state)
{
	struct error err;

	error_set(&err, -EINVAL, "%1000d", 7);
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
}

/* When prefix and message do not fit together, the message, which says what is wrong, stays whole.
 */
static void test_error__prefix_keeps_the_end(void **state)
{
	char message[sizeof(((struct error *)0)->msg)];
	struct error err;

	memset(message, 'm', 390);
	message[390] = '\0';
	error_set(&err, -EINVAL, "%s", message);
	error_prefix(&err, "a-prefix-that-does-not-fit");
	assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
	assert_string_equal(err.msg + strlen(err.msg) - 390, message);
	assert_memory_equal(err.msg, "a-prefi: ", 9);
}

/* A message that fills the buffer leaves no room, and stays as it is. */
static void test_error__prefix_of_full_message_is_dropped(void **state)
{
	struct error err, before;

	error_set(&err, -EINVAL, "%399d", 7);
	before = err;
	error_prefix(&err, "disk0");
	assert_string_equal(err.msg, before.msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error__returns_errnum),
		cmocka_unit_test(test_error__null_is_allowed),
		cmocka_unit_test(test_error__prefix_goes_in_front),
		cmocka_unit_test(test_error__long_message_is_cut),
		cmocka_unit_test(test_error__prefix_keeps_the_end),
		cmocka_unit_test(test_error__prefix_of_full_message_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
