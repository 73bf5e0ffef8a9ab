// SPDX-License-Identifier: BSD-2-Clause
/* The BQL: exclusion, and the per-thread answer to "do I hold it". */
#include <lib/tap.h>

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/bql.h>

#define TURNS 20000

static void *count_under_bql(void *counter)
{
	int i;

	for (i = 0; i < TURNS; i++) {
		bql_lock();
		++*(long *)counter; /* plain on purpose: TSAN sees it if the lock is none */
		bql_unlock();
	}
	return NULL;
}

/* Increments of a plain variable from two threads are all there. */
static void test_bql__excludes(void **state)
{
	pthread_t threads[2];
	long counter = 0;
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_under_bql, &counter), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(counter, 2 * TURNS);
}

static void *ask(void *answer)
{
	*(bool *)answer = bql_locked();
	return NULL;
}

/* Only the holder is told that it holds it, not any thread that asks while somebody does. */
static void test_bql__locked_is_per_thread(void **state)
{
	bool other = true;
	pthread_t thread;

	assert_false(bql_locked());
	bql_lock();
	assert_true(bql_locked());
	assert_int_equal(pthread_create(&thread, NULL, ask, &other), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(other);
	bql_unlock();
	assert_false(bql_locked());
}

static int abort_signal(void (*misuse)(void))
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		signal(SIGABRT, SIG_DFL); /* without cmocka's handler */
		close(STDERR_FILENO);
		misuse();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void lock_twice(void)
{
	bql_lock();
	bql_lock();
}

/* Misuse ends the process at the culprit instead of in a silent deadlock. */
static void test_bql__misuse_aborts(void **state)
{
	assert_int_equal(abort_signal(lock_twice), SIGABRT);
	assert_int_equal(abort_signal(bql_unlock), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bql__excludes),
		cmocka_unit_test(test_bql__locked_is_per_thread),
		cmocka_unit_test(test_bql__misuse_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
