// SPDX-License-Identifier: BSD-2-Clause
/* What a kick costs a vCPU is measured again while the VM runs. On real KVM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include "kick_exit.h"

#define KVM_DEVICE "/dev/kvm"
/* No exit of any CPU takes so long. */
#define ABSURD_NS  (100 * NS_PER_MS)

static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_kick_exit__is_known_at_once(void **state)
{
	struct error err;
	struct kick_exit *k;

	aio_set_kick_exit_ns_any(0);
	k = kick_exit_start(KVM_DEVICE, 3600000, &err);
	if (!k)
		fail_msg("%s", err.msg);
	assert_in_range(aio_get_kick_exit_ns_any(), 100, 10 * NS_PER_MS);
	assert_no_child();
	kick_exit_stop(k);
}

/* What it was told wrong is soon forgotten. */
static void test_kick_exit__is_measured_again(void **state)
{
	int64_t deadline_ns = clock_ns() + 60 * NS_PER_S;
	struct error err;
	struct kick_exit *k = kick_exit_start(KVM_DEVICE, 10, &err);

	assert_non_null(k);
	aio_set_kick_exit_ns_any(ABSURD_NS);
	while (aio_get_kick_exit_ns_any() > ABSURD_NS / 10) {
		assert_true(clock_ns() < deadline_ns);
		poll(NULL, 0, 1);
	}
	kick_exit_stop(k);
	assert_true(aio_get_kick_exit_ns_any() > 100);
	assert_no_child();
}

/* Whatever it is at. */
static void test_kick_exit__stops_at_any_time(void **state)
{
	struct error err;
	struct kick_exit *k;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		k = kick_exit_start(KVM_DEVICE, 0, &err);
		assert_non_null(k);
		poll(NULL, 0, (int)i * 2);
		kick_exit_stop(k);
		assert_no_child();
	}
	kick_exit_stop(NULL);
}

static void test_kick_exit__says_why_it_cannot(void **state)
{
	struct error err;

	assert_null(kick_exit_start("/dev/no-such-kvm", 10, &err));
	assert_non_null(strstr(err.msg, "/dev/no-such-kvm"));
	assert_no_child();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kick_exit__is_known_at_once),
		cmocka_unit_test(test_kick_exit__is_measured_again),
		cmocka_unit_test(test_kick_exit__stops_at_any_time),
		cmocka_unit_test(test_kick_exit__says_why_it_cannot),
	};

	aio_set_kick_exit_ns_any(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
