// SPDX-License-Identifier: BSD-2-Clause
/*
 * The watcher of `handoff run`: attaches to the VMM, lets it go, shows intervals, passes Ctrl-C on.
 * Main thread; everything it waits for is a file descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/report.h>
#include <handoff/trace.h>
#include <handoff/view.h>

#include "cmd.h"
#include "keys.h"
#include "run.h"
#include "run_lines.h"
#include "run_terminal.h"

/* How the built-in guest begins its last line when it cannot go on. */
#define GUEST_ERROR "handoff-guest: error: "

#define STOP_GRACE_S                                                                               \
	10 /* from asking the VMM to stop to killing it: a drain may wait for a slow disk */

/* How soon a terminal is tried again that belongs to another job. */
#define TERMINAL_RETRY_MS 500

enum source {
	SOURCE_TALK,
	SOURCE_ERR,
	SOURCE_VMM,
	SOURCE_SIGNAL,
	SOURCE_TICK,
	SOURCE_STOP_TIME,
	SOURCE_STDIN,
	SOURCE_KEYS,
	SOURCES
};

struct watch {
	const struct run_options *o;
	pid_t vmm;
	struct run_pipes pipes;
	int pidfd, signal_fd, tick_fd, stop_fd;
	struct run_lines talk, err;
	struct screen *screen;
	struct keys *keys; /* NULL without a live screen */
	struct run_terminal terminal;
	bool terminal_retry;
	struct tracer *tracer;
	struct report *total, *before, *interval;
	bool ended, stopping, failed;
	int64_t stop_ns;
	int wait_status;
	char guest_result[2048], guest_error[256];
};

static void arm_timer(int fd, int64_t first_ns, int64_t every_ns)
{
	struct itimerspec spec = { .it_value = clock_timespec(first_ns),
				   .it_interval = clock_timespec(every_ns) };

	timerfd_settime(fd, 0, &spec, NULL);
}

/* Asks the VMM to end; a second time (not the echo of the first), or after the grace period, ends
 * it. */
static void stop_vmm(struct watch *w, bool kill_now)
{
	int64_t now_ns = clock_ns();

	if (w->ended)
		return;
	if (kill_now || (w->stopping && now_ns - w->stop_ns > NS_PER_S)) {
		kill(w->vmm, SIGKILL);
		return;
	}
	if (w->stopping)
		return;
	w->stopping = true;
	w->stop_ns = now_ns;
	/* Before the go the VMM reads nothing but this pipe. */
	if (w->pipes.go >= 0)
		close(w->pipes.go);
	w->pipes.go = -1;
	kill(w->vmm, SIGTERM);
	arm_timer(w->stop_fd, STOP_GRACE_S * NS_PER_S, 0);
}

static bool vmm_has_ended(const struct watch *w)
{
	struct pollfd fd = { w->pidfd, POLLIN, 0 };

	return w->ended || poll(&fd, 1, 0) > 0;
}

static void fail(struct watch *w, const char *what, const struct error *err)
{
	/* A VMM that died meanwhile is the cause, and said in another place. */
	if (!vmm_has_ended(w))
		log_error("run: %s%s", what, err->msg);
	w->failed = true;
	stop_vmm(w, false);
}

/* Without them the run is as good. */
static void start_keys(struct watch *w)
{
	const struct keys_config config = { .pid = w->vmm, .fd = w->pipes.qmp };
	struct error err;

	w->pipes.qmp = -1;
	w->keys = keys_new(&config, &err);
	if (!w->keys)
		screen_talk(w->screen, err.msg);
}

static void on_ready(struct watch *w)
{
	struct tracer_config config = {
		.pid = w->vmm,
		.use_bpf = w->o->trace,
		.no_bpf_reason = "not traced: run with --trace",
		.lost_after_ns = w->o->lost_after_ns,
	};
	struct screen_config screen;
	struct error err;

	w->tracer = tracer_new(&config, &err);
	if (!w->tracer || tracer_snapshot(w->tracer, w->before, &err) < 0) {
		fail(w, w->o->trace ? "--trace: " : "", &err);
		return;
	}
	screen = run_screen_config(w->o);
	w->screen = screen_new(&screen);
	if (!w->screen) {
		error_set(&err, -ENOMEM, "out of memory");
		fail(w, "", &err);
		return;
	}
	if (screen_is_live(w->screen))
		start_keys(w);
	w->terminal_retry = run_terminal_enter(&w->terminal);
	if (w->o->trace && w->o->interval_ns)
		arm_timer(w->tick_fd, (int64_t)w->o->interval_ns, (int64_t)w->o->interval_ns);
	if (write(w->pipes.go, "g", 1) != 1) {
		error_set(&err, -EPIPE, "the VMM ended before it started");
		fail(w, "", &err);
	}
	if (w->pipes.go >= 0)
		close(w->pipes.go);
	w->pipes.go = -1;
}

/* The built-in guest alone is believed: what another prints is no figure. */
static void on_guest_line(struct watch *w, const char *line)
{
	bool builtin = !w->o->machine.kernel;

	if (builtin && report_set_guest(w->total, line))
		snprintf(w->guest_result, sizeof(w->guest_result), "%s", line);
	else if (builtin && !strncmp(line, GUEST_ERROR, strlen(GUEST_ERROR)))
		snprintf(w->guest_error, sizeof(w->guest_error), "%s", line + strlen(GUEST_ERROR));
	else if (w->screen)
		screen_console(w->screen, line);
}

static void on_talk_line(void *opaque, const char *line)
{
	struct watch *w = opaque;

	if (!strncmp(line, "ready", 5)) {
		if (!w->tracer && !w->failed && !w->stopping)
			on_ready(w);
	} else if (!strncmp(line, "guest ", 6)) {
		on_guest_line(w, line + 6);
	}
}

static void on_err_line(void *opaque, const char *line)
{
	struct watch *w = opaque;

	if (w->screen)
		screen_talk(w->screen, line);
	else
		fprintf(stderr, "%s\n", line);
}

/* Only with a terminal as the console: it is to be in order while another job has it. */
static void on_job_control(struct watch *w, int signo)
{
	if (signo == SIGTSTP) {
		run_terminal_leave(&w->terminal);
		kill(getpid(), SIGSTOP);
	} else if (w->screen && !w->ended) {
		/* Whoever stopped us has most likely changed the mode. */
		run_terminal_forget(&w->terminal);
		w->terminal_retry = run_terminal_enter(&w->terminal);
	}
}

static void on_input(struct watch *w)
{
	enum view_event event;
	char line[KEYS_LINE];

	while (w->screen && (event = screen_input(w->screen)) != VIEW_NONE) {
		if (event == VIEW_QUIT) {
			stop_vmm(w, false);
			return;
		}
		keys_press(w->keys, event, screen_loop(w->screen), line);
		screen_status(w->screen, line);
	}
}

static void on_keys(struct watch *w)
{
	struct keys_done done;

	while (keys_take(w->keys, &done))
		screen_status(w->screen, done.line);
}

static void on_signal(struct watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGTSTP || si.ssi_signo == SIGCONT) {
			on_job_control(w, (int)si.ssi_signo);
			continue;
		}
		/* A terminal sent Ctrl-C to the VMM as well; asking twice does no harm there. */
		if (si.ssi_signo == SIGWINCH)
			on_input(w);
		else
			stop_vmm(w, false);
	}
}

static void on_tick(struct watch *w)
{
	struct error err;
	uint64_t ticks;
	struct report *swap = w->before;

	if (read(w->tick_fd, &ticks, sizeof(ticks)) < 0 || w->ended || w->failed)
		return;
	if (tracer_snapshot(w->tracer, w->total, &err) < 0) {
		fail(w, "--trace: ", &err);
		return;
	}
	report_subtract(w->interval, w->total, w->before);
	screen_interval(w->screen, w->interval, w->total);
	w->before = w->total;
	w->total = swap;
}

static void on_vmm_end(struct watch *w)
{
	if (waitpid(w->vmm, &w->wait_status, WNOHANG) == w->vmm)
		w->ended = true;
}

static void watch_once(struct watch *w)
{
	bool live = w->screen && screen_is_live(w->screen);
	struct pollfd fds[SOURCES] = {
		[SOURCE_TALK] = { w->talk.eof ? -1 : w->pipes.talk, POLLIN, 0 },
		[SOURCE_ERR] = { w->err.eof ? -1 : w->pipes.err, POLLIN, 0 },
		[SOURCE_VMM] = { w->ended ? -1 : w->pidfd, POLLIN, 0 },
		[SOURCE_SIGNAL] = { w->signal_fd, POLLIN, 0 },
		[SOURCE_TICK] = { w->tick_fd, POLLIN, 0 },
		[SOURCE_STOP_TIME] = { w->stop_fd, POLLIN, 0 },
		[SOURCE_STDIN] = { live ? STDIN_FILENO : -1, POLLIN, 0 },
		[SOURCE_KEYS] = { keys_fd(w->keys), POLLIN, 0 },
	};

	int ready = poll(fds, SOURCES, w->terminal_retry ? TERMINAL_RETRY_MS : -1);

	if (!ready)
		w->terminal_retry = run_terminal_enter(&w->terminal);
	if (ready <= 0)
		return;
	if (fds[SOURCE_SIGNAL].revents)
		on_signal(w);
	if (fds[SOURCE_ERR].revents)
		run_lines_read(&w->err, w->pipes.err, on_err_line, w);
	if (fds[SOURCE_TALK].revents)
		run_lines_read(&w->talk, w->pipes.talk, on_talk_line, w);
	if (fds[SOURCE_TICK].revents)
		on_tick(w);
	if (fds[SOURCE_STDIN].revents)
		on_input(w);
	if (fds[SOURCE_KEYS].revents)
		on_keys(w);
	if (fds[SOURCE_STOP_TIME].revents && !w->ended) {
		/* Said once: it may take the kernel a while to take the memory apart. */
		arm_timer(w->stop_fd, 0, 0);
		log_error("run: the VMM did not stop within %d s and is killed", STOP_GRACE_S);
		stop_vmm(w, true);
	}
	if (fds[SOURCE_VMM].revents)
		on_vmm_end(w);
}

static int finish(struct watch *w)
{
	const struct run_end end = {
		.wait_status = w->wait_status,
		.stopping = w->stopping,
		.failed = w->failed,
		.terminal = w->terminal.wanted,
		.guest_result = w->guest_result,
		.guest_error = w->guest_error,
		.tracer = w->tracer,
		.keys = w->keys,
		.total = w->total,
	};

	screen_free(w->screen);
	keys_end(w->keys);
	run_terminal_leave(&w->terminal);
	return run_end(w->o, &end);
}

/* SIGQUIT too: from a terminal it kills the VMM, and the screen is to be put in order. */
static int watch_signals(const struct run_terminal *terminal)
{
	sigset_t set;

	run_stop_signals(&set);
	if (terminal->wanted) {
		sigaddset(&set, SIGTSTP);
		sigaddset(&set, SIGCONT);
	}
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void watch_release(struct watch *w)
{
	keys_free(w->keys);
	tracer_free(w->tracer);
	report_free(w->total);
	report_free(w->before);
	report_free(w->interval);
	close(w->pidfd);
	close(w->signal_fd);
	close(w->tick_fd);
	close(w->stop_fd);
}

int run_watch(const struct run_options *o, pid_t vmm, struct run_pipes pipes)
{
	struct watch w = {
		.o = o,
		.vmm = vmm,
		.pipes = pipes,
		.err = { .eof = pipes.err < 0 },
		.pidfd = (int)syscall(SYS_pidfd_open, vmm, 0),
		.tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.stop_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
		.total = report_new(),
		.before = report_new(),
		.interval = report_new(),
	};
	int status;

	run_terminal_init(&w.terminal, o->console == RUN_CONSOLE_STDIO);
	w.signal_fd = watch_signals(&w.terminal);
	if (w.pidfd < 0 || w.signal_fd < 0 || w.tick_fd < 0 || w.stop_fd < 0 || !w.total ||
	    !w.before || !w.interval) {
		log_error("run: cannot watch the VMM: %s", strerror(errno));
		kill(vmm, SIGKILL);
		waitpid(vmm, NULL, 0);
		return CMD_FAILED;
	}
	while (!w.ended || !w.talk.eof || !w.err.eof)
		watch_once(&w);
	status = finish(&w);
	watch_release(&w);
	return status;
}
