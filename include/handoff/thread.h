/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting threads. */
#ifndef HANDOFF_THREAD_H
#define HANDOFF_THREAD_H

#include <pthread.h>

/*
 * pthread_create() of a thread that is born with all signals blocked, so that it never takes one
 * that is meant for the main thread. 0, or a negative errno. Any thread.
 */
int thread_start(pthread_t *thread, void *(*run)(void *), void *opaque);

#endif
