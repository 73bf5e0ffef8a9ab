// SPDX-License-Identifier: BSD-2-Clause
/*
 * While `handoff trace` runs: ticks, keys, signals, VMs that come and go. Main thread; everything
 * it waits for is a file descriptor.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/report.h>
#include <handoff/trace.h>

#include "cmd.h"
#include "fleet.h"
#include "keys.h"
#include "screen.h"
#include "trace.h"
#include "trace_names.h"

#define LOOK_NS NS_PER_S

enum source {
	SOURCE_SIGNAL,
	SOURCE_TICK,
	SOURCE_LOOK,
	SOURCE_TIME,
	SOURCE_STDIN,
	SOURCE_KEYS,
	SOURCES
};
/* Behind them some for each VM. */
enum vm_source { VM_SOURCE_END, VM_SOURCE_CHANGE, VM_SOURCE_STACKS, VM_SOURCE_ALARM, VM_SOURCES };

struct watch {
	const struct trace_options *o;
	int signal_fd, tick_fd, look_fd, time_fd;
	struct fleet fleet;
	struct screen *screen; /* NULL until there is a VM to show */
	uint32_t shown;	       /* live: the VM on the screen */
	struct keys *keys;     /* live */
	struct report *interval;
	struct trace_names names;
	bool stop;
};

static void arm_timer(int fd, uint64_t first_ns, uint64_t every_ns)
{
	struct itimerspec spec = { .it_value = clock_timespec((int64_t)first_ns),
				   .it_interval = clock_timespec((int64_t)every_ns) };

	timerfd_settime(fd, 0, &spec, NULL);
}

static void say(void *opaque, const char *line)
{
	const struct watch *w = opaque;
	char text[600];

	if (!w->screen || !screen_is_live(w->screen)) {
		log_info("trace: %s", line);
		return;
	}
	snprintf(text, sizeof(text), "handoff: trace: %s", line);
	screen_talk(w->screen, text);
}

static void show_vm(struct watch *w, const struct fleet_vm *vm)
{
	/* One that has ended did nothing in the last interval. */
	report_subtract(w->interval, vm->total, vm->before ? vm->before : vm->total);
	screen_interval(w->screen, w->interval, vm->total);
}

static void show(struct watch *w)
{
	if (!w->screen)
		return;
	if (screen_is_live(w->screen)) {
		screen_select(w->screen, w->shown + 1, w->fleet.n);
		show_vm(w, &w->fleet.vm[w->shown]);
		return;
	}
	for (uint32_t i = 0; i < w->fleet.n; i++)
		if (w->fleet.vm[i].tracer)
			show_vm(w, &w->fleet.vm[i]);
	/* Whoever reads the lines has seen enough; a report has a time of its own. */
	if (ferror(stdout) && !w->o->duration_given)
		w->stop = true;
}

/* Without them the trace is as good. */
static void start_keys(struct watch *w)
{
	const struct keys_config config = {
		.pid = w->fleet.vm[0].pid,
		.path = w->o->qmp,
		.fd = -1,
		.why_not = trace_is_of_several(w->o)
				   ? "this key is for a trace of one VM: -p PID --qmp PATH"
			   : !w->o->qmp ? "this key needs --qmp PATH, the VM's QMP socket"
					: NULL,
	};
	struct error err;

	w->keys = keys_new(&config, &err);
	if (!w->keys)
		say(w, err.msg);
}

/* The first VM is there. */
static void need_screen(struct watch *w)
{
	bool taken = trace_stdout_is_taken(w->o);
	const struct screen_config config = {
		.live = !taken && screen_has_terminal(),
		.several = trace_is_of_several(w->o),
		.intervals = taken ? NULL : stdout,
	};

	if (w->screen || !w->fleet.n)
		return;
	w->screen = screen_new(&config);
	if (!w->screen)
		log_warn("trace: out of memory: nothing is shown");
	else if (screen_is_live(w->screen))
		start_keys(w);
}

static void on_tick(struct watch *w)
{
	uint64_t ticks;

	if (read(w->tick_fd, &ticks, sizeof(ticks)) < 0)
		return;
	fleet_tick(&w->fleet);
	trace_names_renew(&w->names, &w->fleet);
	show(w);
}

static void on_look(struct watch *w)
{
	uint64_t ticks;

	if (read(w->look_fd, &ticks, sizeof(ticks)) < 0)
		return;
	fleet_look(&w->fleet);
	need_screen(w);
}

static void on_input(struct watch *w)
{
	enum view_event event;
	char line[KEYS_LINE];

	if (!w->screen)
		return;
	while ((event = screen_input(w->screen)) != VIEW_NONE) {
		uint32_t step = event == VIEW_NEXT ? 1 : w->fleet.n - 1;

		if (event == VIEW_QUIT) {
			w->stop = true;
			return;
		}
		if (event == VIEW_NEXT || event == VIEW_PREVIOUS) {
			w->shown = (w->shown + step) % w->fleet.n;
			show(w);
		} else {
			keys_press(w->keys, event, screen_loop(w->screen), line);
			screen_status(w->screen, line);
		}
	}
}

static void on_keys(struct watch *w)
{
	struct keys_done done;

	while (keys_take(w->keys, &done)) {
		if (done.found)
			trace_names_set(&w->names, &w->fleet, &done);
		screen_status(w->screen, done.line);
	}
}

static void on_signal(struct watch *w)
{
	struct signalfd_siginfo si;

	while (read(w->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			on_input(w);
		else
			w->stop = true;
	}
}

/* fleet_init and fleet_look ask. */
static bool is_stopped(void *opaque)
{
	struct watch *w = opaque;

	on_signal(w);
	return w->stop;
}

/* What a VM is waited for by, and the ms until a change that is put off, at most as many as before;
 * -1 = for ever. */
static int wait_for_vm(const struct fleet_vm *vm, int64_t now_ns, struct pollfd fds[VM_SOURCES],
		       int timeout_ms)
{
	struct tracer *t = vm->tracer;
	int64_t left_ns = vm->next_walk_ns - now_ns;
	bool walks = t && left_ns <= 0;
	int ms;

	fds[VM_SOURCE_END] = (struct pollfd){ t ? vm->pidfd : -1, POLLIN, 0 };
	fds[VM_SOURCE_CHANGE] = (struct pollfd){ walks ? tracer_refresh_fd(t) : -1, POLLIN, 0 };
	fds[VM_SOURCE_STACKS] = (struct pollfd){ t ? tracer_stacks_fd(t) : -1, POLLIN, 0 };
	fds[VM_SOURCE_ALARM] = (struct pollfd){ t ? tracer_alarm_fd(t) : -1, POLLIN, 0 };
	if (!t || (walks && !vm->missed_walks))
		return timeout_ms;
	ms = walks ? 0 : (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
	return timeout_ms < 0 ? ms : MIN(ms, timeout_ms);
}

static void on_vm(struct fleet *f, struct fleet_vm *vm, const struct pollfd fds[VM_SOURCES])
{
	if (fds[VM_SOURCE_END].revents)
		fleet_on_end(f, vm);
	else if (fds[VM_SOURCE_CHANGE].revents ||
		 (vm->missed_walks && clock_ns() >= vm->next_walk_ns))
		fleet_on_change(f, vm);
	if (fds[VM_SOURCE_STACKS].revents && vm->tracer)
		tracer_take_stacks(vm->tracer);
	if (fds[VM_SOURCE_ALARM].revents && vm->tracer)
		tracer_check_alarms(vm->tracer);
}

static void watch_once(struct watch *w)
{
	bool live = w->screen && screen_is_live(w->screen);
	struct fleet *f = &w->fleet;
	uint32_t n = f->n; /* those that come meanwhile are not among fds */
	int64_t now_ns = clock_ns();
	int timeout_ms = -1;
	struct pollfd fds[SOURCES + FLEET_MAX * VM_SOURCES] = {
		[SOURCE_SIGNAL] = { w->signal_fd, POLLIN, 0 },
		[SOURCE_TICK] = { w->tick_fd, POLLIN, 0 },
		[SOURCE_LOOK] = { w->look_fd, POLLIN, 0 },
		[SOURCE_TIME] = { w->time_fd, POLLIN, 0 },
		[SOURCE_STDIN] = { live ? STDIN_FILENO : -1, POLLIN, 0 },
		[SOURCE_KEYS] = { keys_fd(w->keys), POLLIN, 0 },
	};
	struct pollfd *of_vm = fds + SOURCES;

	for (uint32_t i = 0; i < n; i++)
		timeout_ms = wait_for_vm(&f->vm[i], now_ns, of_vm + i * VM_SOURCES, timeout_ms);
	if (poll(fds, SOURCES + n * VM_SOURCES, timeout_ms) < 0)
		return;
	if (fds[SOURCE_SIGNAL].revents)
		on_signal(w);
	if (fds[SOURCE_STDIN].revents)
		on_input(w);
	if (fds[SOURCE_KEYS].revents)
		on_keys(w);
	/* The terminal is gone, maybe without SIGHUP: it would be readable for ever. */
	if (fds[SOURCE_STDIN].revents & (POLLHUP | POLLERR | POLLNVAL))
		w->stop = true;
	for (uint32_t i = 0; i < n && !w->stop; i++)
		on_vm(f, &f->vm[i], of_vm + i * VM_SOURCES);
	if (fds[SOURCE_TICK].revents && !w->stop)
		on_tick(w);
	if (fds[SOURCE_LOOK].revents && !w->stop)
		on_look(w);
	/* After the tick: a duration of so many intervals shows as many. */
	w->stop |= fds[SOURCE_TIME].revents || (!w->o->all && !fleet_living(f));
}

static void signals_of_ours(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGWINCH);
}

static int watch_signals(void)
{
	sigset_t set;

	signals_of_ours(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Nothing is held in the kernel or on the terminal any more: from here on a signal ends us, should
 * nobody take the report. Those that have come by now did their work. */
static void release_signals(struct watch *w)
{
	sigset_t set;

	on_signal(w);
	signals_of_ours(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* 0, or -errno with err. */
static int watch_init(struct watch *w, struct error *err)
{
	const struct fleet_owner owner = { say, is_stopped, w };

	/* From here on no signal ends us halfway. */
	w->signal_fd = watch_signals();
	w->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	w->look_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	w->time_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->signal_fd < 0 || w->tick_fd < 0 || w->look_fd < 0 || w->time_fd < 0)
		return error_set(err, -errno, "cannot watch: %s", strerror(errno));
	w->interval = report_new();
	if (trace_names_init(&w->names, w->o->qmp) || !w->interval)
		return error_set(err, -ENOMEM, "out of memory");
	return fleet_init(&w->fleet, w->o, w->names.of, &owner, err);
}

static void watch_release(struct watch *w)
{
	keys_free(w->keys);
	fleet_release(&w->fleet);
	report_free(w->interval);
	trace_names_release(&w->names);
	close(w->signal_fd);
	close(w->tick_fd);
	close(w->look_fd);
	close(w->time_fd);
}

int trace_watch(const struct trace_options *o)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct error err;
	int status = CMD_FAILED;

	if (!w) {
		log_error("trace: out of memory");
		return CMD_FAILED;
	}
	w->o = o;
	if (watch_init(w, &err)) {
		log_error("trace: %s", err.msg);
		goto out;
	}
	if (!w->fleet.n)
		say(w, "no VM runs yet; waiting for the first");
	need_screen(w);
	arm_timer(w->tick_fd, o->interval_ns, o->interval_ns);
	if (o->all)
		arm_timer(w->look_fd, LOOK_NS, LOOK_NS);
	if (o->duration_given)
		arm_timer(w->time_fd, o->duration_ns, 0);
	while (!w->stop)
		watch_once(w);
	fleet_end(&w->fleet);
	screen_free(w->screen);
	w->screen = NULL;
	keys_end(w->keys);
	release_signals(w);
	status = trace_end(o, &w->fleet, w->keys);
out:
	watch_release(w);
	free(w);
	return status;
}
