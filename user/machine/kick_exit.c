// SPDX-License-Identifier: BSD-2-Clause
/*
 * See kick_exit.h. The thread sleeps, forks, and reads what the child has found. The child has only
 * this thread, and does nothing but what a child of a process with threads may: system calls, and
 * malloc, which glibc keeps usable.
 */
#include "kick_exit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include <handoff/kvm.h>

/* With the lowest priority it may wait for a CPU that spins. */
#define CHILD_SECONDS 10

struct kick_exit {
	const char *device;
	int64_t every_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;   /* lock */
	pid_t child; /* lock; 0 = none */
};

struct answer {
	int64_t ns;
	struct error err;
};

static void measure_and_exit(const struct kick_exit *k, int to, bool patient)
{
	const struct sigaction end = { .sa_handler = SIG_DFL };
	struct answer a = { 0 };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigaction(SIGALRM, &end, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(CHILD_SECONDS);
	if (patient)
		setpriority(PRIO_PROCESS, 0, 19);
	a.ns = kvm_kick_exit_ns_any(k->device, &a.err);
	_exit(write(to, &a, sizeof(a)) != sizeof(a));
}

/* Under the lock a child is told of, or none is begun. */
static int begin(struct kick_exit *k, int to, bool patient, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&k->lock);
	if (k->stop) {
		ret = error_set(err, -ECANCELED, "stopped");
	} else {
		k->child = fork();
		if (!k->child)
			measure_and_exit(k, to, patient);
		if (k->child < 0) {
			k->child = 0;
			ret = error_set(err, -errno, "fork: %s", strerror(errno));
		}
	}
	pthread_mutex_unlock(&k->lock);
	return ret;
}

/* Its number is its own until it is reaped: under the lock, so that no other gets the signal. */
static void reap(struct kick_exit *k)
{
	siginfo_t info;

	while (waitid(P_PID, (id_t)k->child, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&k->lock);
	waitpid(k->child, NULL, 0);
	k->child = 0;
	pthread_mutex_unlock(&k->lock);
}

/* ns, or -1 with err. Patient: whatever else wants a CPU is first. */
static int64_t measure(struct kick_exit *k, bool patient, struct error *err)
{
	struct answer a = { .ns = -1 };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC)) {
		error_set(err, -errno, "pipe: %s", strerror(errno));
		return -1;
	}
	if (begin(k, fds[1], patient, err)) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	close(fds[1]);
	/* Less than PIPE_BUF: all of it, or nothing. */
	if (read(fds[0], &a, sizeof(a)) != sizeof(a))
		error_set(&a.err, -EIO, "the process that measures was killed");
	close(fds[0]);
	reap(k);
	*err = a.err;
	return a.ns;
}

/* True: it is to end. */
static bool wait_for_next(struct kick_exit *k)
{
	struct timespec until = clock_timespec(clock_ns() + k->every_ns);
	int ret = 0;
	bool stop;

	pthread_mutex_lock(&k->lock);
	while (!k->stop && ret != ETIMEDOUT)
		ret = pthread_cond_timedwait(&k->changed, &k->lock, &until);
	stop = k->stop;
	pthread_mutex_unlock(&k->lock);
	return stop;
}

/* One measurement counts half: each is of a few ms, and the pace of a host changes within them. */
static void *keep_up_to_date(void *opaque)
{
	struct kick_exit *k = opaque;
	struct error err;
	int64_t ns;

	pthread_setname_np(pthread_self(), "kick-exit");
	while (!wait_for_next(k)) {
		ns = measure(k, true, &err);
		/* What was known is better than nothing. */
		if (ns >= 0)
			aio_set_kick_exit_ns_any((aio_get_kick_exit_ns_any() + ns) / 2);
	}
	return NULL;
}

static int start_thread(struct kick_exit *k)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&k->thread, NULL, keep_up_to_date, k);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

static struct kick_exit *make(const char *device, unsigned int every_ms)
{
	struct kick_exit *k = calloc(1, sizeof(*k));
	pthread_condattr_t monotonic;

	if (!k)
		return NULL;
	k->device = device;
	k->every_ns = every_ms * NS_PER_MS;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&k->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return k;
}

static void destroy(struct kick_exit *k)
{
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

struct kick_exit *kick_exit_start(const char *device, unsigned int every_ms, struct error *err)
{
	struct kick_exit *k = make(device, every_ms);
	int64_t ns;
	int ret;

	if (!k) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	ns = measure(k, false, err);
	if (ns >= 0) {
		aio_set_kick_exit_ns_any(ns);
		ret = start_thread(k);
		if (!ret)
			return k;
		error_set(err, -ret, "cannot create a thread: %s", strerror(ret));
	}
	destroy(k);
	return NULL;
}

void kick_exit_stop(struct kick_exit *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	if (k->child)
		kill(k->child, SIGKILL);
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	destroy(k);
}
