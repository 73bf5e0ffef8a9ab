// SPDX-License-Identifier: BSD-2-Clause
/* EventNotifier: level-triggered once, cleared whole, harmless after release. */
#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>
#include <handoff/event_notifier.h>

/* Any number of sets is one event. */
static void test_event_notifier__clear_takes_all(void **state)
{
	struct EventNotifier e;

	assert_int_equal(event_notifier_init(&e, false), 0);
	assert_false(event_notifier_test_and_clear(&e));
	event_notifier_set(&e);
	event_notifier_set(&e);
	assert_true(event_notifier_test_and_clear(&e));
	assert_false(event_notifier_test_and_clear(&e));
	event_notifier_release(&e);
	assert_int_equal(e.fd, -1);
}

/* It can be born set. */
static void test_event_notifier__starts_active(void **state)
{
	struct EventNotifier e;

	assert_int_equal(event_notifier_init(&e, true), 0);
	assert_true(event_notifier_test_and_clear(&e));
	event_notifier_release(&e);
}

/* A full counter neither blocks nor fails: set is set. */
static void test_event_notifier__full_counter_is_set(void **state)
{
	const uint64_t full = UINT64_MAX - 1;
	struct EventNotifier e;

	assert_int_equal(event_notifier_init(&e, false), 0);
	assert_int_equal(write(e.fd, &full, sizeof(full)), sizeof(full));
	event_notifier_set(&e);
	assert_true(event_notifier_test_and_clear(&e));
	event_notifier_release(&e);
}

/* The descriptor does not leak into programs that are started, and setting leaves errno alone. */
static void test_event_notifier__descriptor_and_errno(void **state)
{
	struct EventNotifier e;

	assert_int_equal(event_notifier_init(&e, false), 0);
	assert_int_equal(fcntl(e.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	errno = ENOENT;
	event_notifier_set(&e);
	assert_int_equal(errno, ENOENT);
	event_notifier_release(&e);
	event_notifier_release(&e); /* a second release closes nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_notifier__clear_takes_all),
		cmocka_unit_test(test_event_notifier__starts_active),
		cmocka_unit_test(test_event_notifier__full_counter_is_set),
		cmocka_unit_test(test_event_notifier__descriptor_and_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
