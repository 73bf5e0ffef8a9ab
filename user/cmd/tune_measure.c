// SPDX-License-Identifier: BSD-2-Clause
/* Attaching to the VM that is tuned, and measuring it for a while. See tune.h. */
#include "tune.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/qmp.h>
#include <handoff/report.h>
#include <handoff/trace.h>

#include "names.h"
#include "names_threads.h"

#define QMP_TIMEOUT_NS	     (2 * (uint64_t)NS_PER_S)
/* One that nobody looks at is not given up because it had no CPU for a while. */
#define QMP_WATCH_TIMEOUT_NS (10 * (uint64_t)NS_PER_S)
/* Walks for changed eventfds, which a guest can make without end. */
#define WALK_NS		     (100 * NS_PER_MS)

static int watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Whose socket is it? By the loops' threads; cmd_names_by_qmp has looked at its own connection. */
static int judge_socket(const struct tune *t, struct error *err)
{
	struct names_threads threads;
	uint32_t i;
	int ret = names_threads_read(&threads, t->o->pid, err);

	for (i = 0; !ret && i < t->settings.n; i++)
		if (!names_threads_find(&threads, t->settings.loop[i].tid))
			ret = error_set(err, -EINVAL,
					"this is another VM's socket: thread %lld is none of "
					"process %d",
					(long long)t->settings.loop[i].tid, (int)t->o->pid);
	names_threads_release(&threads);
	return ret;
}

static int connect_qmp(struct tune *t, struct error *err)
{
	bool ours = !strcmp(t->now->vmm_kind, "handoff");
	int ret = 0;

	if (!ours) {
		t->names = calloc(1, sizeof(*t->names));
		if (!t->names)
			return error_set(err, -ENOMEM, "out of memory");
		ret = cmd_names_by_qmp(t->o->qmp, t->o->pid, t->names, err);
	}
	if (ret)
		return ret;
	t->qmp =
		qmp_client_new(t->o->qmp, t->o->watch ? QMP_WATCH_TIMEOUT_NS : QMP_TIMEOUT_NS, err);
	if (!t->qmp || tune_settings_ask(&t->settings, t->qmp, err))
		return -EREMOTEIO;
	ret = judge_socket(t, err);
	if (!ret && !ours)
		tracer_set_names(t->tracer, t->names);
	return ret;
}

static int open_process(struct tune *t, struct error *err)
{
	t->pidfd = (int)syscall(SYS_pidfd_open, t->o->pid, 0);
	if (t->pidfd >= 0)
		return 0;
	if (errno == ESRCH)
		return error_set(err, -ESRCH, "there is no process %d", (int)t->o->pid);
	if (errno == EINVAL || errno == ENOENT)
		return error_set(err, -EINVAL, "%d is a thread's number, not a process's",
				 (int)t->o->pid);
	return error_set(err, -errno, "process %d: %s", (int)t->o->pid, strerror(errno));
}

int tune_attach(struct tune *t, struct error *err)
{
	const struct tracer_config config = { .pid = t->o->pid, .use_bpf = true, .waits = true };
	int ret;

	/* From here on no signal ends us halfway. */
	t->signal_fd = watch_signals();
	if (t->signal_fd < 0)
		return error_set(err, -errno, "cannot watch signals: %s", strerror(errno));
	t->before = report_new();
	t->now = report_new();
	t->interval = report_new();
	t->report = calloc(1, sizeof(*t->report));
	if (!t->before || !t->now || !t->interval || !t->report)
		return error_set(err, -ENOMEM, "out of memory");
	ret = open_process(t, err);
	if (!ret && (t->o->apply || t->o->watch))
		ret = tune_guard_start(&t->guard, t->o->qmp, t->pidfd, err);
	if (ret)
		return ret;
	t->tracer = tracer_new(&config, err);
	if (!t->tracer)
		return -ECHILD;
	ret = tracer_snapshot(t->tracer, t->now, err);
	if (ret || !t->o->qmp)
		return ret;
	ret = connect_qmp(t, err);
	if (ret)
		error_prefix(err, "--qmp");
	return ret;
}

void tune_detach(struct tune *t)
{
	qmp_client_free(t->qmp);
	tracer_free(t->tracer);
	report_free(t->before);
	report_free(t->now);
	report_free(t->interval);
	free(t->names);
	free(t->report);
	if (t->pidfd >= 0)
		close(t->pidfd);
	if (t->signal_fd >= 0)
		close(t->signal_fd);
}

bool tune_goes_on(const struct tune *t)
{
	return !t->stopped && !t->ended;
}

static void wait_once(struct tune *t, int64_t end_ns, int64_t *next_walk_ns)
{
	int64_t now_ns = clock_ns(), until_ns = end_ns;
	bool walks = now_ns >= *next_walk_ns;
	struct pollfd fds[] = {
		{ t->signal_fd, POLLIN, 0 },
		{ t->pidfd, POLLIN, 0 },
		{ walks ? tracer_refresh_fd(t->tracer) : -1, POLLIN, 0 },
	};
	struct timespec left;
	struct error err;

	if (!walks && *next_walk_ns < until_ns)
		until_ns = *next_walk_ns;
	left = clock_timespec(until_ns > now_ns ? until_ns - now_ns : 0);
	if (ppoll(fds, 3, &left, NULL) < 0)
		return;
	t->stopped |= fds[0].revents != 0;
	t->ended |= fds[1].revents != 0;
	if (!fds[2].revents)
		return;
	/* A walk that fails is made again with the snapshot. */
	(void)!tracer_refresh(t->tracer, &err);
	*next_walk_ns = clock_ns() + WALK_NS;
}

int tune_measure(struct tune *t, uint64_t for_ns, struct error *err)
{
	double requests = t->qmp ? tune_requests(t->qmp) : -1;
	int64_t end_ns, next_walk_ns = 0;
	int ret = tracer_snapshot(t->tracer, t->before, err);

	if (ret)
		return ret;
	end_ns = clock_ns() + (int64_t)for_ns;
	while (tune_goes_on(t) && clock_ns() < end_ns)
		wait_once(t, end_ns, &next_walk_ns);
	ret = tracer_snapshot(t->tracer, t->now, err);
	if (ret)
		return ret;
	t->requests = requests < 0 || t->ended ? -1 : tune_requests(t->qmp);
	if (t->requests >= 0)
		t->requests -= requests;
	report_subtract(t->interval, t->now, t->before);
	return 0;
}

static bool serves(const struct report *r, uint32_t loop)
{
	uint32_t i;

	for (i = 0; i < r->n_queues; i++)
		if (r->queue[i].loop_index == loop)
			return true;
	return false;
}

struct report_loop *tune_loop(const struct tune *t, uint32_t i)
{
	uint32_t loop, seen = 0;

	for (loop = 0; loop < t->interval->n_loops; loop++)
		if (serves(t->interval, loop) && seen++ == i)
			return &t->interval->loop[loop];
	return NULL;
}
