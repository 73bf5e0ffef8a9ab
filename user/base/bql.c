// SPDX-License-Identifier: BSD-2-Clause
/*
 * The BQL. One for the process, by definition, so it is file-scope state: the exception that bql.h
 * is about. Who holds it is a flag per thread, since pthreads do not tell.
 */
#include <handoff/bql.h>

#include <pthread.h>
#include <stdlib.h>
#include <handoff/log.h>

static pthread_mutex_t bql = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local bool bql_held;

void bql_lock(void)
{
	if (bql_held) {
		log_error("BQL taken twice by one thread: a bug");
		abort();
	}
	pthread_mutex_lock(&bql);
	bql_held = true;
}

void bql_unlock(void)
{
	if (!bql_held) {
		log_error("BQL released by a thread that does not hold it: a bug");
		abort();
	}
	bql_held = false;
	pthread_mutex_unlock(&bql);
}

bool bql_locked(void)
{
	return bql_held;
}
