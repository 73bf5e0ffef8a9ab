// SPDX-License-Identifier: BSD-2-Clause
/* The BQL's order: first come, first served. */
#include <lib/tap.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <handoff/bql.h>

struct waiter {
	_Atomic int tid;
	_Atomic bool had_it;
};

static void *wait_for_bql(void *opaque)
{
	struct waiter *w = opaque;

	atomic_store(&w->tid, gettid());
	bql_lock();
	atomic_store(&w->had_it, true);
	bql_unlock();
	return NULL;
}

/* Asleep: it waits in the futex, so it has its ticket. */
static bool asleep(int tid)
{
	char path[64], text[256] = "", *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

/* Who drops the lock and takes it again at once comes after the one that was waiting. */
static void test_bql__waiter_comes_before_retaker(void **state)
{
	int i;

	for (i = 0; i < 50; i++) {
		struct waiter w = { .tid = 0 };
		pthread_t thread;

		bql_lock();
		assert_int_equal(pthread_create(&thread, NULL, wait_for_bql, &w), 0);
		while (!atomic_load(&w.tid) || !asleep(w.tid))
			sched_yield();
		assert_false(w.had_it);
		bql_unlock();
		bql_lock();
		assert_true(w.had_it);
		bql_unlock();
		pthread_join(thread, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bql__waiter_comes_before_retaker),
	};

	return cmocka_run_group_tests_name("bql_order", tests, NULL, NULL);
}
