// SPDX-License-Identifier: BSD-2-Clause
/* See thread.h. */
#include <handoff/thread.h>

#include <signal.h>

int thread_start(pthread_t *thread, void *(*run)(void *), void *opaque)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(thread, NULL, run, opaque);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}
