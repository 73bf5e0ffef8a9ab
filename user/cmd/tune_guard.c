// SPDX-License-Identifier: BSD-2-Clause
/* See tune_guard.h. Our end, as the kernel makes it, is the pipe's: no message is lost by it. */
#include "tune_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <handoff/advisor.h>
#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/qmp.h>

/* It serves us when the kernel has closed our end, after a second of BPF programs to be detached.
 */
#define QMP_TIMEOUT_NS (10 * (uint64_t)NS_PER_S)
/* It may have somebody waiting for it already. */
#define CONNECT_NS     (3 * NS_PER_S)
#define RETRY_MS       100

static bool has_ended(int pidfd, int timeout_ms)
{
	struct pollfd fd = { pidfd, POLLIN, 0 };

	return poll(&fd, 1, timeout_ms) > 0;
}

static void remember(struct tune_settings *known, const struct tune_setting *s)
{
	struct tune_setting *old = tune_settings_find(known, s->id);

	if (!old && known->n < ADVICE_LOOPS)
		old = &known->loop[known->n++];
	if (old)
		*old = *s;
}

static bool all_is_back(const struct tune_settings *known)
{
	uint32_t i;

	for (i = 0; i < known->n; i++)
		if (known->loop[i].max_ns != known->loop[i].found_ns)
			return false;
	return true;
}

/* NULL with err; or the VM has ended. */
static struct qmp_client *connect_again(const char *path, int pidfd, struct error *err)
{
	int64_t end_ns = clock_ns() + CONNECT_NS;
	struct qmp_client *qmp;

	do {
		qmp = qmp_client_new(path, QMP_TIMEOUT_NS, err);
	} while (!qmp && !has_ended(pidfd, RETRY_MS) && clock_ns() < end_ns);
	return qmp;
}

static void put_back(struct tune_settings *known, const char *path, int pidfd)
{
	struct tune_settings changed = *known;
	struct qmp_client *qmp;
	struct error err;
	uint32_t i;

	qmp = connect_again(path, pidfd, &err);
	if (qmp)
		qmp_client_limit(qmp, QMP_TIMEOUT_NS);
	if (!qmp || tune_settings_restore(known, qmp, &err)) {
		/* One that has ended takes its settings along. */
		if (!has_ended(pidfd, RETRY_MS))
			log_error("tune: its guard cannot put poll-max-ns back: %s", err.msg);
	} else {
		for (i = 0; i < known->n; i++)
			if (changed.loop[i].max_ns != changed.loop[i].found_ns &&
			    known->loop[i].max_ns == changed.loop[i].found_ns)
				log_info("tune: its guard: poll-max-ns of %s is %lld again, as it "
					 "was found",
					 known->loop[i].id, (long long)known->loop[i].found_ns);
	}
	qmp_client_free(qmp);
}

static void guard(int from, const char *qmp, int pidfd)
{
	struct tune_settings known = { 0 };
	struct tune_setting s;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Whoever reads our output is to see its end when we end. */
	if (null >= 0 && (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0))
		log_warn("tune: its guard keeps the output open: %s", strerror(errno));
	prctl(PR_SET_NAME, "handoff-guard");
	while (read(from, &s, sizeof(s)) == sizeof(s))
		remember(&known, &s);
	if (!all_is_back(&known) && !has_ended(pidfd, 0))
		put_back(&known, qmp, pidfd);
}

int tune_guard_start(struct tune_guard *g, const char *qmp, int pidfd, struct error *err)
{
	int fds[2];

	/* A message is less than PIPE_BUF: all of it is written, or nothing. */
	if (pipe2(fds, O_CLOEXEC))
		return error_set(err, -errno, "pipe: %s", strerror(errno));
	g->pid = fork();
	if (!g->pid) {
		close(fds[1]);
		setsid();
		guard(fds[0], qmp, pidfd);
		_exit(0);
	}
	close(fds[0]);
	if (g->pid < 0) {
		int ret = error_set(err, -errno, "cannot fork the guard: %s", strerror(errno));

		close(fds[1]);
		return ret;
	}
	g->fd = fds[1];
	/* One that is stopped and reads nothing makes us wait for nothing. */
	if (fcntl(g->fd, F_SETFL, O_NONBLOCK))
		return error_set(err, -errno, "fcntl: %s", strerror(errno));
	return 0;
}

int tune_guard_tell(struct tune_guard *g, const struct tune_setting *s, struct error *err)
{
	if (write(g->fd, s, sizeof(*s)) == sizeof(*s))
		return 0;
	return error_set(
		err, -EPIPE,
		"process %d, which is to put back what is set, has been stopped or killed: "
		"start again",
		(int)g->pid);
}

void tune_guard_end(struct tune_guard *g)
{
	if (g->fd < 0)
		return;
	close(g->fd);
	g->fd = -1;
	waitpid(g->pid, NULL, 0);
}
