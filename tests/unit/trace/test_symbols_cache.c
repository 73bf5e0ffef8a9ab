// SPDX-License-Identifier: BSD-2-Clause
/* Whose symbols are kept: a process's own, until another has its number. */
#include <lib/tap.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/clock.h>

#include "symbols_cache.h"

/* A child with this number (0: any), which is this program again, or else `sleep` by now. */
static pid_t child(pid_t pid, bool other)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	char none;
	pid_t got;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	if (pid) {
		args.set_tid = (uintptr_t)&pid;
		args.set_tid_size = 1;
	}
	got = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	close(got ? p[1] : p[0]);
	/* Its end is closed by exec. */
	if (got > 0 && other)
		assert_int_equal(read(p[0], &none, 1), 0);
	if (got)
		close(p[0]);
	if (got)
		return got;
	if (other)
		execlp("sleep", "sleep", "60", (char *)NULL);
	else
		pause();
	_exit(1);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool is_this_program(struct symbols_cache *c, pid_t pid)
{
	struct symbols *s = symbols_cache_of(c, pid);
	char name[REPORT_FRAME] = "";

	if (s)
		symbols_name(s, (uintptr_t)is_this_program, false, false, name, sizeof(name));
	return strstr(name, "is_this_program");
}

/* Processes are told apart by the tick they began in, of 10 ms. */
static void wait_for_another_tick(void)
{
	int64_t begin = clock_ns();

	while (clock_ns() < begin + 20000000)
		;
}

/* Stacks of one that has ended may still come; those of its successor are not its own. */
static void test_symbols_cache__number_that_another_has(void **state)
{
	struct symbols_cache c = { 0 };
	pid_t pid = child(0, false), again;

	(void)state;
	assert_true(pid > 0);
	assert_true(is_this_program(&c, pid));
	end(pid);
	symbols_cache_refresh(&c);
	assert_true(is_this_program(&c, pid));
	wait_for_another_tick();
	again = child(pid, true);
	if (again < 0) {
		symbols_cache_release(&c);
		skip_because("a process's number cannot be chosen here: %s", strerror(errno));
		return;
	}
	symbols_cache_refresh(&c);
	assert_false(is_this_program(&c, again));
	assert_int_equal(c.n, 1);
	end(again);
	symbols_cache_release(&c);
}

/* With no room left those that have ended make some. */
static void test_symbols_cache__room(void **state)
{
	struct symbols_cache c = { 0 };
	pid_t pid[SYMBOLS_CACHED];
	int i;

	(void)state;
	for (i = 0; i < SYMBOLS_CACHED; i++) {
		pid[i] = child(0, false);
		assert_true(pid[i] > 0);
		assert_non_null(symbols_cache_of(&c, pid[i]));
	}
	assert_null(symbols_cache_of(&c, getpid()));
	symbols_cache_refresh(&c);
	assert_int_equal(c.n, SYMBOLS_CACHED);
	for (i = 0; i < SYMBOLS_CACHED - 1; i++)
		end(pid[i]);
	symbols_cache_refresh(&c);
	assert_int_equal(c.n, 1);
	assert_true(is_this_program(&c, pid[SYMBOLS_CACHED - 1]));
	assert_true(is_this_program(&c, getpid()));
	end(pid[SYMBOLS_CACHED - 1]);
	symbols_cache_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_symbols_cache__number_that_another_has),
		cmocka_unit_test(test_symbols_cache__room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
