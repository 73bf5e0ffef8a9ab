// SPDX-License-Identifier: BSD-2-Clause
/* What a kick costs a vCPU is measured again while the VM runs, by a program; here by ones that
 * print what the test wants. */
#include "../../lib/tap.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include "kick_exit.h"

#define KNOWN_NS 100000

static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static struct kick_exit *start(const char *const *argv)
{
	struct error err;
	struct kick_exit *k;

	aio_set_kick_exit_ns_any(KNOWN_NS);
	k = kick_exit_start(argv, 1, &err);
	if (!k)
		fail_msg("%s", err.msg);
	return k;
}

/* Each new one counts half. */
static void test_kick_exit__comes_nearer_each_time(void **state)
{
	static const char *const argv[] = { "/bin/echo", "20000", NULL };
	int64_t deadline_ns = clock_ns() + 60 * NS_PER_S, first_ns = KNOWN_NS;
	struct kick_exit *k = start(argv);

	while (aio_get_kick_exit_ns_any() > 20010) {
		if (first_ns == KNOWN_NS)
			first_ns = aio_get_kick_exit_ns_any();
		assert_true(clock_ns() < deadline_ns);
		poll(NULL, 0, 1);
	}
	kick_exit_stop(k);
	assert_in_range(first_ns, 20000, 60000);
	assert_in_range(aio_get_kick_exit_ns_any(), 20000, 20010);
	assert_no_child();
}

static void assert_no_use(const char *program)
{
	const char *argv[] = { "/bin/sh", "-c", program, NULL };
	struct kick_exit *k = start(argv);

	poll(NULL, 0, 100);
	kick_exit_stop(k);
	assert_int_equal(aio_get_kick_exit_ns_any(), KNOWN_NS);
	assert_no_child();
}

static void test_kick_exit__nonsense_changes_nothing(void **state)
{
	static const char *const none[] = { "/no/such/program", NULL };
	struct kick_exit *k;

	assert_no_use("echo");
	assert_no_use("echo -5");
	assert_no_use("echo 20000x");
	assert_no_use("echo 99999999999999999999");
	assert_no_use("echo 20000; exit 1");
	assert_no_use("echo 20000; kill -9 $$");
	assert_no_use("exit 0");
	k = start(none);
	poll(NULL, 0, 20);
	kick_exit_stop(k);
	assert_int_equal(aio_get_kick_exit_ns_any(), KNOWN_NS);
}

/* Whatever it is at: the program hangs, has just begun, or is about to. */
static void test_kick_exit__stops_at_once(void **state)
{
	static const char *const argv[] = { "/bin/sleep", "100", NULL };
	int64_t begin_ns = clock_ns();
	int i;

	for (i = 0; i < 20; i++) {
		struct kick_exit *k = start(argv);

		poll(NULL, 0, i);
		kick_exit_stop(k);
		assert_no_child();
	}
	kick_exit_stop(NULL);
	assert_true(clock_ns() - begin_ns < 60 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kick_exit__comes_nearer_each_time),
		cmocka_unit_test(test_kick_exit__nonsense_changes_nothing),
		cmocka_unit_test(test_kick_exit__stops_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
