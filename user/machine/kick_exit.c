// SPDX-License-Identifier: BSD-2-Clause
/* See kick_exit.h. The thread sleeps, starts the program, and reads what it prints. */
#include "kick_exit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/aio.h>
#include <handoff/clock.h>
#include <handoff/thread.h>

/* At the lowest priority it may wait for a CPU that spins. */
#define PROGRAM_MS 10000

struct kick_exit {
	const char *const *argv;
	int64_t every_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;     /* lock */
	pid_t program; /* lock; 0 = none */
};

/* Nothing of ours but its standard output; and none of our priorities, which may be real-time. */
static int spawn(const char *const *argv, int out, pid_t *pid)
{
	const struct sched_param param = { 0 };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setschedpolicy(&attr, SCHED_OTHER);
	posix_spawnattr_setschedparam(&attr, &param);
	/* A process group of its own: Ctrl-C is for the VM. */
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETSCHEDULER | POSIX_SPAWN_SETPGROUP);
	ret = posix_spawn(pid, argv[0], &files, &attr, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return ret;
}

/* Under the lock a program is told of, or none is begun. */
static bool begin(struct kick_exit *k, int out)
{
	bool begun = false;

	pthread_mutex_lock(&k->lock);
	if (!k->stop)
		begun = !spawn(k->argv, out, &k->program);
	if (!begun)
		k->program = 0;
	pthread_mutex_unlock(&k->lock);
	return begun;
}

/* Its number is its own until it is reaped: under the lock, so that no other gets the signal. */
static bool has_succeeded(struct kick_exit *k)
{
	siginfo_t info;
	int status = -1;

	while (waitid(P_PID, (id_t)k->program, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&k->lock);
	waitpid(k->program, &status, 0);
	k->program = 0;
	pthread_mutex_unlock(&k->lock);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* A line; until its end, or -1. */
static int64_t read_ns(int from)
{
	struct pollfd p = { .fd = from, .events = POLLIN };
	char line[32], *end;
	ssize_t n = poll(&p, 1, PROGRAM_MS) == 1 ? read(from, line, sizeof(line) - 1) : -1;
	long long ns;

	if (n <= 0)
		return -1;
	line[n] = '\0';
	errno = 0;
	ns = strtoll(line, &end, 10);
	return end > line && *end == '\n' && !errno && ns >= 0 && ns <= NS_PER_S ? ns : -1;
}

/* ns, or -1. */
static int64_t measure(struct kick_exit *k)
{
	int64_t ns = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -1;
	if (begin(k, fds[1])) {
		close(fds[1]);
		ns = read_ns(fds[0]);
		if (ns < 0)
			kill(k->program, SIGKILL);
		if (!has_succeeded(k))
			ns = -1;
	} else {
		close(fds[1]);
	}
	close(fds[0]);
	return ns;
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
	int64_t ns;

	pthread_setname_np(pthread_self(), "kick-exit");
	/* Linux has it for each thread; the program inherits it. */
	setpriority(PRIO_PROCESS, 0, 19);
	while (!wait_for_next(k)) {
		ns = measure(k);
		/* What was known is better than nothing. */
		if (ns >= 0)
			aio_set_kick_exit_ns_any((aio_get_kick_exit_ns_any() + ns) / 2);
	}
	return NULL;
}

static void destroy(struct kick_exit *k)
{
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

struct kick_exit *kick_exit_start(const char *const *argv, unsigned int every_ms, struct error *err)
{
	struct kick_exit *k = calloc(1, sizeof(*k));
	pthread_condattr_t monotonic;
	int ret;

	if (!k) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	k->argv = argv;
	k->every_ns = every_ms * NS_PER_MS;
	pthread_mutex_init(&k->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&k->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	ret = thread_start(&k->thread, keep_up_to_date, k);
	if (!ret)
		return k;
	error_set(err, ret, "cannot create a thread: %s", strerror(-ret));
	destroy(k);
	return NULL;
}

void kick_exit_stop(struct kick_exit *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	if (k->program)
		kill(k->program, SIGKILL);
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	destroy(k);
}
