// SPDX-License-Identifier: BSD-2-Clause
/*
 * Alarms on a VMM that misbehaves on purpose: the tiny one (tests/tiny), in every way that is
 * wrong, and in those that only look so.
 */
#include "privileged.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/report.h>
#include <handoff/trace.h>

#define INTERVAL_MS 100
#define STUCK_NS    (300 * NS_PER_MS)

struct tiny {
	pid_t pid, consumer;
	int in;
	FILE *out;
	struct tracer *tracer;
	struct report *report;
};

static void tiny_say(struct tiny *v, const char *command, char answer[400])
{
	assert_int_equal(write(v->in, command, strlen(command)), strlen(command));
	if (!fgets(answer, 400, v->out))
		fail_msg("the VMM does not answer to %s", command);
}

/* What it may say on its standard error belongs to the test's output. */
static void tiny_start(struct tiny *v, const char *const *options)
{
	posix_spawn_file_actions_t files;
	char path[4096], line[400], *argv[16] = { path };
	int in[2], out[2], i, pid, consumer;

	memset(v, 0, sizeof(*v));
	built("tests/tiny_vmm", path);
	if (access("/dev/kvm", R_OK | W_OK) || access(path, X_OK))
		skip_because("no /dev/kvm, or no %s", path);
	for (i = 0; options[i]; i++)
		argv[i + 1] = (char *)options[i];
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in[0], 0);
	posix_spawn_file_actions_adddup2(&files, out[1], 1);
	assert_int_equal(posix_spawn(&v->pid, path, &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	close(in[0]);
	close(out[1]);
	v->in = in[1];
	v->out = fdopen(out[0], "r");
	assert_non_null(v->out);
	if (!fgets(line, sizeof(line), v->out) ||
	    sscanf(line, "ready pid=%d consumer=%d", &pid, &consumer) != 2)
		fail_msg("the VMM does not get ready");
	v->consumer = consumer;
}

static void tiny_trace(struct tiny *v)
{
	const struct tracer_config config = { .pid = v->pid,
					      .use_bpf = true,
					      .stuck_ns = STUCK_NS };
	struct error err = { "" };

	v->report = report_new();
	v->tracer = tracer_new(&config, &err);
	if (!v->tracer)
		fail_msg("%s", err.msg);
}

static void tiny_end(struct tiny *v)
{
	tracer_free(v->tracer);
	report_free(v->report);
	kill(v->pid, SIGKILL);
	kill(v->pid, SIGCONT);
	waitpid(v->pid, NULL, 0);
	close(v->in);
	fclose(v->out);
}

static void snapshot(struct tiny *v)
{
	struct error err = { "" };

	if (tracer_snapshot(v->tracer, v->report, &err))
		fail_msg("%s", err.msg);
}

/* Intervals like those of the command, until there is an alarm of this kind, on or over. */
static const struct report_alarm *until_alarm(struct tiny *v, enum report_alarm_kind kind,
					      bool over)
{
	int64_t end = clock_ns() + 30 * NS_PER_S;
	uint32_t i;

	do {
		poll(NULL, 0, INTERVAL_MS);
		snapshot(v);
		for (i = 0; i < v->report->n_alarms; i++)
			if (v->report->alarm[i].kind == kind && v->report->alarm[i].over == over)
				return &v->report->alarm[i];
	} while (clock_ns() < end);
	return NULL;
}

static void look_for(struct tiny *v, int64_t ns)
{
	int64_t end = clock_ns() + ns;

	do {
		poll(NULL, 0, INTERVAL_MS);
		snapshot(v);
	} while (clock_ns() < end);
}

/* Some intervals, several times as long as it takes to be stuck. */
static void assert_no_alarm(struct tiny *v)
{
	int i;

	for (i = 0; i < 16; i++) {
		poll(NULL, 0, INTERVAL_MS);
		snapshot(v);
		if (v->report->n_alarms)
			fail_msg("%s: %s queue %u, thread %u (%c), %.1f of a CPU, count %llu",
				 alarm_kind_name(v->report->alarm[0].kind),
				 v->report->alarm[0].device, v->report->alarm[0].queue,
				 v->report->alarm[0].tid, v->report->alarm[0].state,
				 v->report->alarm[0].cpu_share,
				 (unsigned long long)v->report->alarm[0].count);
	}
}

static void show(const struct report_alarm *a)
{
	uint32_t i;

	print_message("# %s: age %.3f s, %s/%u, thread %u %s (%c), cpu %.2f, fd %d id %u count "
		      "%llu\n",
		      alarm_kind_name(a->kind), a->age_ns / 1e9, a->device, a->queue, a->tid,
		      a->comm, a->state, a->cpu_share, a->fd, a->eventfd_id,
		      (unsigned long long)a->count);
	print_message("# kernel: %s\n", a->kernel_why);
	for (i = 0; i < a->n_kernel; i++)
		print_message("#   %s\n", a->kernel[i]);
	print_message("# user: %s\n", a->user_why);
	for (i = 0; i < a->n_user; i++)
		print_message("#   %s\n", a->user[i]);
}

static bool has_frame(const char frame[][REPORT_FRAME], uint32_t n, const char *name)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		if (!strncmp(frame[i], name, strlen(name)))
			return true;
	return false;
}

/* A consumer that never drains a queue's eventfd: the thread and the eventfd are named, once. */
static void test_alarms__spinning_is_named(void **state)
{
	static const char *const options[] = { "--queues",	"2", "--style", "epoll",
					       "--never-drain", "1", NULL };
	const struct report_alarm *a;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_trace(&v);
	snapshot(&v);
	tiny_say(&v, "kick 3\n", answer);
	a = until_alarm(&v, ALARM_SPINNING, false);
	assert_non_null(a);
	show(a);
	assert_int_equal(a->queue, 1);
	assert_true(a->device[0]);
	assert_true(a->tid && a->tid != (uint32_t)v.pid);
	assert_true(a->cpu_share > 0);
	assert_true(a->count >= 1);
	assert_true(a->fd >= 0);
	assert_true(a->n_user > 0);
	/* It lasts: the same alarm. */
	look_for(&v, NS_PER_S);
	if (v.report->n_alarms != 1)
		for (uint32_t i = 0; i < v.report->n_alarms; i++)
			show(&v.report->alarm[i]);
	assert_int_equal(v.report->n_alarms, 1);
	assert_int_equal(v.report->alarms_total, 1);
	tiny_end(&v);
}

static bool all_stopped(pid_t pid)
{
	char path[64], line[400], *at;
	struct dirent *e;
	bool all = true;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (all && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/stat", (int)pid, e->d_name);
		f = fopen(path, "re");
		at = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		all = at && at[2] == 'T';
		if (f)
			fclose(f);
	}
	closedir(dir);
	return all;
}

/* The signal is only on its way when kill returns. */
static void stop(pid_t pid)
{
	int64_t end = clock_ns() + 30 * NS_PER_S;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	while (!all_stopped(pid) && clock_ns() < end)
		sched_yield();
	assert_true(all_stopped(pid));
}

/* Its consumer was stopped, and a kick waits: stuck, in T; when it goes on, the alarm is over and
 * stays in the report. */
static void test_alarms__stopped_consumer_is_stuck(void **state)
{
	static const char *const options[] = { "--style", "ppoll", "--consumer-process", NULL };
	const struct report_alarm *a;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_trace(&v);
	tiny_say(&v, "go 3\n", answer);
	snapshot(&v);
	stop(v.consumer);
	tiny_say(&v, "kick 2\n", answer);
	a = until_alarm(&v, ALARM_STUCK, false);
	assert_non_null(a);
	show(a);
	assert_int_equal(a->state, 'T');
	assert_true(a->count >= 1);
	assert_true(a->age_ns >= (uint64_t)STUCK_NS);
	assert_true(has_frame(a->kernel, a->n_kernel, "do_signal_stop") || a->kernel_why[0]);
	assert_true(has_frame(a->user, a->n_user, "ppoll") ||
		    has_frame(a->user, a->n_user, "__GI_ppoll"));
	kill(v.consumer, SIGCONT);
	a = until_alarm(&v, ALARM_STUCK, true);
	assert_non_null(a);
	assert_int_equal(v.report->n_alarms, 1);
	assert_int_equal(v.report->alarms_total, 1);
	tiny_end(&v);
}

/* Consumers that wait in a lock: where they do is shown. */
static void test_alarms__stuck_shows_where_it_sleeps(void **state)
{
	static const char *const options[] = { "--style", "epoll", NULL };
	const struct report_alarm *a;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_trace(&v);
	tiny_say(&v, "go 3\n", answer);
	tiny_say(&v, "freeze\n", answer);
	tiny_say(&v, "kick 2\n", answer);
	a = until_alarm(&v, ALARM_STUCK, false);
	assert_non_null(a);
	show(a);
	assert_int_equal(a->state, 'S');
	assert_true(a->n_user > 1);
	assert_true(has_frame(a->kernel, a->n_kernel, "futex_wait") || a->kernel_why[0]);
	tiny_say(&v, "cont\n", answer);
	assert_non_null(until_alarm(&v, ALARM_STUCK, true));
	tiny_end(&v);
}

/* A kick that was there before the tracer: its eventfd's count tells. */
static void test_alarms__stuck_before_we_came(void **state)
{
	static const char *const options[] = { "--style", "ppoll", NULL };
	const struct report_alarm *a;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_say(&v, "freeze\n", answer);
	tiny_say(&v, "kick 2\n", answer);
	tiny_trace(&v);
	a = until_alarm(&v, ALARM_STUCK, false);
	assert_non_null(a);
	assert_true(a->count >= 1);
	tiny_end(&v);
}

/* Loops that spin for their work, with interrupts and without, and idle ones, alarm nobody. */
static void test_alarms__polling_is_no_alarm(void **state)
{
	static const char *const ways[][8] = {
		{ "--style", "adaptive", NULL },
		{ "--style", "spin", NULL },
		{ "--style", "spin", "--irq", "none", NULL },
		{ "--style", "spin", "--irq", "none", "--consumer-process", NULL },
		{ "--style", "busy", NULL },
		{ "--style", "uring-poll", NULL },
		{ "--style", "read", NULL },
	};
	char answer[400];
	struct tiny v;
	size_t i;

	NEED_PRIVILEGE();
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		print_message("# %s %s\n", ways[i][1], ways[i][2] ? "without interrupts" : "");
		tiny_start(&v, ways[i]);
		tiny_trace(&v);
		tiny_say(&v, "go 50\n", answer);
		assert_no_alarm(&v);
		tiny_end(&v);
	}
}

static const struct report_alarm *stuck_for(struct tiny *v, const char *what)
{
	const struct report_alarm *a = until_alarm(v, ALARM_STUCK, false);

	if (!a)
		fail_msg("%s: no alarm", what);
	return a;
}

/* A poller that never reads its eventfd leaves each kick pending: when it stops for a moment that
 * is no alarm, and when it stops for longer the age is the stop's, not the kick's. */
static void test_alarms__stopped_poller_has_served_old_kicks(void **state)
{
	static const char *const options[] = {
		"--style", "spin", "--irq", "none", "--consumer-process", NULL
	};
	const struct report_alarm *a;
	int64_t stopped_ns;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_trace(&v);
	tiny_say(&v, "go 50\n", answer);
	look_for(&v, 2 * NS_PER_S);
	stopped_ns = clock_ns();
	stop(v.consumer);
	poll(NULL, 0, 2 * INTERVAL_MS);
	snapshot(&v);
	kill(v.consumer, SIGCONT);
	/* Not on time, it is another test. */
	if (clock_ns() - stopped_ns < (int64_t)STUCK_NS)
		assert_int_equal(v.report->n_alarms, 0);
	look_for(&v, NS_PER_S);
	stopped_ns = clock_ns();
	stop(v.consumer);
	a = stuck_for(&v, "a poller that stopped");
	show(a);
	assert_true(a->age_ns >= (uint64_t)STUCK_NS);
	/* The check before saw it run: at most an interval ago, and the period of a check. */
	assert_true((int64_t)a->age_ns <= clock_ns() - stopped_ns + NS_PER_S);
	tiny_end(&v);
}

/* Ten queues stuck, twice: more alarms than a report holds. Each is counted once, and the second
 * incident is shown whole. */
static void test_alarms__second_incident_is_shown(void **state)
{
	static const char *const options[] = { "--style", "ppoll", "--queues", "10", NULL };
	int64_t end = clock_ns() + 60 * NS_PER_S;
	uint32_t incident, i, last;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_trace(&v);
	for (incident = 1; incident <= 2; incident++) {
		tiny_say(&v, "freeze\n", answer);
		tiny_say(&v, "kick 2\n", answer);
		for (last = 0; last < 10 && clock_ns() < end;) {
			look_for(&v, 0);
			for (i = last = 0; i < v.report->n_alarms; i++)
				last += !v.report->alarm[i].over;
		}
		assert_int_equal(last, 10);
		look_for(&v, NS_PER_S);
		assert_int_equal(v.report->n_alarms, incident == 1 ? 10 : REPORT_ALARMS);
		assert_int_equal(v.report->alarms_total, 10 * incident);
		tiny_say(&v, "cont\n", answer);
		tiny_say(&v, "drain\n", answer);
		look_for(&v, NS_PER_S);
		for (i = 0; i < v.report->n_alarms; i++)
			assert_true(v.report->alarm[i].over);
	}
	tiny_end(&v);
}

/* When the next check began that is made for certain: one within half a period (STUCK_NS / 4) of
 * the one before, which came late, is left out, since it would see too short a time. *last_ns: when
 * the one before was over. */
static int64_t check_in_time(struct tiny *v, int64_t *last_ns)
{
	struct pollfd due = { tracer_alarm_fd(v->tracer), POLLIN, 0 };
	int64_t before_ns, began_ns;

	do {
		before_ns = *last_ns;
		assert_int_equal(poll(&due, 1, 10000), 1);
		began_ns = clock_ns();
		tracer_check_alarms(v->tracer);
		*last_ns = clock_ns();
	} while (began_ns - before_ns < (int64_t)STUCK_NS / 4);
	return began_ns;
}

/* Checks have a pace of their own: what came and went between two snapshots is in the second. */
static void test_alarms__checks_do_not_wait_for_snapshots(void **state)
{
	static const char *const options[] = { "--style", "ppoll", NULL };
	int64_t end, kicked, checked = 0, last;
	char answer[400];
	struct tiny v;

	NEED_PRIVILEGE();
	tiny_start(&v, options);
	tiny_trace(&v);
	assert_true(tracer_alarm_fd(v.tracer) >= 0);
	snapshot(&v);
	last = clock_ns();
	tiny_say(&v, "freeze\n", answer);
	tiny_say(&v, "kick 2\n", answer);
	kicked = clock_ns();
	for (end = kicked + 2 * NS_PER_S; clock_ns() < end;)
		checked = check_in_time(&v, &last);
	tiny_say(&v, "cont\n", answer);
	tiny_say(&v, "drain\n", answer);
	check_in_time(&v, &last);
	snapshot(&v);
	assert_int_equal(v.report->n_alarms, 1);
	show(&v.report->alarm[0]);
	assert_int_equal(v.report->alarm[0].kind, ALARM_STUCK);
	assert_true(v.report->alarm[0].over);
	/* Its age at the last check that found it so. The one that raised it may be the last: on a
	 * slow CPU it takes seconds to name the frames. */
	assert_true(v.report->alarm[0].age_ns >= (uint64_t)STUCK_NS);
	assert_true((int64_t)v.report->alarm[0].age_ns >= checked - kicked);
	tiny_end(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarms__spinning_is_named),
		cmocka_unit_test(test_alarms__stopped_consumer_is_stuck),
		cmocka_unit_test(test_alarms__stuck_shows_where_it_sleeps),
		cmocka_unit_test(test_alarms__stuck_before_we_came),
		cmocka_unit_test(test_alarms__polling_is_no_alarm),
		cmocka_unit_test(test_alarms__stopped_poller_has_served_old_kicks),
		cmocka_unit_test(test_alarms__second_incident_is_shown),
		cmocka_unit_test(test_alarms__checks_do_not_wait_for_snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
