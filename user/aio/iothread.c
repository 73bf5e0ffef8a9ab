// SPDX-License-Identifier: BSD-2-Clause
/*
 * IOThread: a thread with an AioContext of its own, which it makes itself, since its ring belongs
 * to one thread. The main context makes, tunes and ends it. Signals are for the main thread: all
 * are blocked here.
 */
#include <handoff/iothread.h>

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/id.h>
#include <handoff/thread.h>
#include "context.h"

#define IOTHREAD_ID_MAX 31
#define TASK_COMM_LEN	16 /* the kernel's, with the NUL */

struct IOThread {
	char id[IOTHREAD_ID_MAX + 1];
	pthread_t thread;
	bool running; /* its own thread's, after start */
	/* between iothread_new and the thread's start, handed over by `started` */
	const struct iothread_config *config;
	struct error *err;
	sem_t started;
	int start_error;
	/* constant after start */
	struct AioContext *ctx;
	pid_t tid;
};

static bool id_valid(const char *id)
{
	return id_wellformed(id) && strlen(id) <= IOTHREAD_ID_MAX;
}

static void iothread_set_name(const struct IOThread *iothread)
{
	char name[sizeof("iothread:") + IOTHREAD_ID_MAX];

	snprintf(name, sizeof(name), "iothread:%s", iothread->id);
	name[TASK_COMM_LEN - 1] = '\0';
	pthread_setname_np(pthread_self(), name);
}

static int iothread_pin(const struct iothread_config *config, struct error *err)
{
	cpu_set_t set;

	if (config->cpu < 0)
		return 0;
	CPU_ZERO(&set);
	if (config->cpu < CPU_SETSIZE)
		CPU_SET(config->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return error_set(err, -errno, "iothread '%s': cannot pin to CPU %d: %s", config->id,
				 config->cpu, strerror(errno));
	return 0;
}

static int iothread_start(struct IOThread *iothread)
{
	const struct iothread_config *config = iothread->config;
	int ret;

	iothread->tid = gettid();
	iothread_set_name(iothread);
	ret = iothread_pin(config, iothread->err);
	if (ret)
		return ret;
	iothread->ctx = aio_context_new_flags(&config->aio, true, false, iothread->err);
	if (!iothread->ctx)
		return -EIO;
	if (!config->aio.stats)
		memcpy(iothread->ctx->stats->id, iothread->id, sizeof(iothread->id));
	aio_set_current_context(iothread->ctx);
	ret = aio_context_set_poll_params(iothread->ctx, &config->poll, iothread->err);
	if (ret)
		aio_context_unref(iothread->ctx);
	return ret;
}

FRAME static void *iothread_run(void *opaque)
{
	struct IOThread *iothread = opaque;

	iothread->start_error = iothread_start(iothread);
	iothread->running = !iothread->start_error;
	sem_post(&iothread->started);
	while (iothread->running)
		aio_poll(iothread->ctx, true);
	return NULL;
}

static void iothread_stop(void *opaque)
{
	struct IOThread *iothread = opaque;

	iothread->running = false;
}

struct IOThread *iothread_new(const struct iothread_config *config, struct error *err)
{
	struct IOThread *iothread;
	int ret;

	if (!config->id || !id_valid(config->id)) {
		error_set(err, -EINVAL,
			  "iothread id '%s': 1 to %d letters, digits, '-', '_' or '.' are needed",
			  config->id ? config->id : "", IOTHREAD_ID_MAX);
		return NULL;
	}
	iothread = calloc(1, sizeof(*iothread));
	if (!iothread) {
		error_set(err, -ENOMEM, "iothread '%s': no memory", config->id);
		return NULL;
	}
	memcpy(iothread->id, config->id, strlen(config->id));
	iothread->config = config;
	iothread->err = err;
	sem_init(&iothread->started, 0, 0);
	ret = thread_start(&iothread->thread, iothread_run, iothread);
	if (ret) {
		error_set(err, ret, "iothread '%s': no thread: %s", config->id, strerror(-ret));
		goto free;
	}
	while (sem_wait(&iothread->started) < 0)
		;
	if (iothread->start_error) {
		pthread_join(iothread->thread, NULL);
		goto free;
	}
	aio_cost_probe_start(iothread->ctx);
	return iothread;
free:
	sem_destroy(&iothread->started);
	free(iothread);
	return NULL;
}

/* The flag is changed in the loop itself: from outside it could be set between its test and the
 * sleep (2362a28ea1). */
void iothread_free(struct IOThread *iothread)
{
	if (!iothread)
		return;
	aio_cost_probe_stop(iothread->ctx);
	aio_bh_schedule_oneshot(iothread->ctx, iothread_stop, iothread, "iothread-stop");
	pthread_join(iothread->thread, NULL);
	aio_context_unref(iothread->ctx);
	sem_destroy(&iothread->started);
	free(iothread);
}

struct AioContext *iothread_get_aio_context(struct IOThread *iothread)
{
	return iothread->ctx;
}

const char *iothread_get_id(const struct IOThread *iothread)
{
	return iothread->id;
}

pid_t iothread_get_tid(const struct IOThread *iothread)
{
	return iothread->tid;
}
