// SPDX-License-Identifier: BSD-2-Clause
/*
 * The stack of a thread that sleeps, taken from beside it. This file's functions are compiled
 * without frame pointers, as distributions' VMMs are: only .eh_frame can tell the way out.
 */
#pragma GCC optimize("omit-frame-pointer")
#include "privileged.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <handoff/clock.h>
#include "../../user/trace/stack.h"

#define DEEP __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

struct sleeper {
	pthread_t thread;
	_Atomic pid_t tid;
	int fd;
	atomic_bool spin, stop;
	volatile unsigned int turns;
};

int stack_test_innermost(struct sleeper *s);
int stack_test_middle(struct sleeper *s, int n);
int stack_test_outermost(struct sleeper *s);

DEEP int stack_test_innermost(struct sleeper *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	int ret = poll(&p, 1, -1);

	return ret + p.revents;
}

/* With room on its stack, which no frame pointer leads across. */
DEEP int stack_test_middle(struct sleeper *s, int n)
{
	volatile char room[300];

	room[n / 2] = n;
	return stack_test_innermost(s) + room[n / 3];
}

DEEP int stack_test_outermost(struct sleeper *s)
{
	return stack_test_middle(s, s->fd) + 1;
}

static void *sleep_there(void *opaque)
{
	struct sleeper *s = opaque;

	s->tid = syscall(SYS_gettid);
	while (s->spin && !s->stop)
		s->turns++;
	if (!s->stop)
		s->turns += stack_test_outermost(s);
	return NULL;
}

static void sleeper_start(struct sleeper *s, bool spin)
{
	memset(s, 0, sizeof(*s));
	s->spin = spin;
	s->fd = eventfd(0, EFD_CLOEXEC);
	assert_true(s->fd >= 0);
	assert_int_equal(pthread_create(&s->thread, NULL, sleep_there, s), 0);
	while (!s->tid)
		sched_yield();
}

static void sleeper_end(struct sleeper *s)
{
	uint64_t one = 1;

	s->stop = true;
	assert_int_equal(write(s->fd, &one, sizeof(one)), sizeof(one));
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* Bounded by time, not by turns: the machine may be slow. */
static void until_asleep(struct stacks *stacks, pid_t tid, struct thread_stack *out)
{
	int64_t end = clock_ns() + 30 * NS_PER_S;

	do {
		assert_int_equal(stacks_take(stacks, tid, out), 0);
	} while (out->state != 'S' && clock_ns() < end);
}

static void show(const struct thread_stack *t)
{
	uint32_t i;

	print_message("# state %c, kernel: %s\n", t->state, t->kernel_why);
	for (i = 0; i < t->n_kernel; i++)
		print_message("#   %s\n", t->kernel[i]);
	print_message("# user: %s\n", t->user_why);
	for (i = 0; i < t->n_user; i++)
		print_message("#   %s\n", t->user[i]);
}

/* Index of the first frame at or after `from` whose function's name begins so; -1. */
static int frame_of(char frame[][REPORT_FRAME], uint32_t n, uint32_t from, const char *name)
{
	uint32_t i;

	for (i = from; i < n; i++)
		if (!strncmp(frame[i], name, strlen(name)))
			return i;
	return -1;
}

static struct stacks *stacks_or_fail(void)
{
	struct error err = { "" };
	struct stacks *s = stacks_new(&err);

	if (!s)
		fail_msg("%s", err.msg);
	return s;
}

static void assert_not_traced(void)
{
	char line[200];
	int tracer = -1;
	FILE *f = fopen("/proc/self/status", "re");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	fclose(f);
	assert_int_equal(tracer, 0);
}

/* The user stack of a sleeping thread has its functions in their order, found without frame
 * pointers; nobody traces it. */
static void test_stack__names_a_sleeping_chain(void **state)
{
	static const char *const chain[] = { "stack_test_innermost", "stack_test_middle",
					     "stack_test_outermost", "sleep_there" };
	struct thread_stack t;
	struct sleeper s;
	struct stacks *stacks;
	int at = -1;
	size_t i;

	NEED_PRIVILEGE();
	stacks = stacks_or_fail();
	sleeper_start(&s, false);
	until_asleep(stacks, s.tid, &t);
	assert_not_traced();
	sleeper_end(&s);
	stacks_free(stacks);
	show(&t);
	assert_int_equal(t.state, 'S');
	assert_string_equal(t.user_why, "");
	for (i = 0; i < ARRAY_SIZE(chain); i++) {
		at = frame_of(t.user, t.n_user, at + 1, chain[i]);
		if (at < 0)
			fail_msg("%s is not there, or not in its place", chain[i]);
	}
	assert_non_null(strstr(t.user[at], "(test_stack)"));
	/* Outside of it: the C library's begin of a thread. */
	assert_true((uint32_t)at + 1 < t.n_user);
	assert_true(t.syscall == SYS_poll || t.syscall == SYS_ppoll);
	assert_int_equal(t.arg[1], 1);
}

/* Its kernel stack says what it sleeps in. */
static void test_stack__names_the_sleep_in_the_kernel(void **state)
{
	struct thread_stack t;
	struct sleeper s;
	struct stacks *stacks;

	NEED_PRIVILEGE();
	stacks = stacks_or_fail();
	sleeper_start(&s, false);
	until_asleep(stacks, s.tid, &t);
	sleeper_end(&s);
	stacks_free(stacks);
	if (t.kernel_why[0])
		skip_because("%s", t.kernel_why);
	assert_true(t.n_kernel >= 3);
	/* 6.1 has poll_schedule_timeout() inlined there, so it is the first; the kernel leaves the
	 * scheduler's own frames out. */
	assert_true(frame_of(t.kernel, t.n_kernel, 0, "do_sys_poll") >= 0);
}

/* A thread that runs has no stack that holds still: it is said. */
static void test_stack__says_that_it_was_running(void **state)
{
	int64_t end = clock_ns() + 30 * NS_PER_S;
	struct thread_stack t;
	struct sleeper s;
	struct stacks *stacks;

	NEED_PRIVILEGE();
	stacks = stacks_or_fail();
	sleeper_start(&s, true);
	/* On one CPU it never runs while we look. */
	do {
		assert_int_equal(stacks_take(stacks, s.tid, &t), 0);
		assert_int_equal(t.state, 'R');
	} while (!t.on_cpu && sysconf(_SC_NPROCESSORS_ONLN) > 1 && clock_ns() < end);
	sleeper_end(&s);
	stacks_free(stacks);
	assert_true(s.turns > 0);
	if (!t.on_cpu)
		skip_because("one CPU: it does not run while we do");
	assert_string_equal(t.user_why, "it was running: this is where it last entered the kernel");
	assert_string_equal(t.kernel_why, "it was running");
}

/* A thread that is not there is no stack of another. */
static void test_stack__no_such_thread(void **state)
{
	struct thread_stack t;
	struct stacks *stacks;
	struct sleeper s;
	pid_t tid;

	NEED_PRIVILEGE();
	stacks = stacks_or_fail();
	sleeper_start(&s, false);
	tid = s.tid;
	sleeper_end(&s);
	assert_int_equal(stacks_take(stacks, tid, &t), -ESRCH);
	stacks_free(stacks);
}

/* A thread of a process that was just started, once it sleeps deep inside. */
static bool take_settled(struct stacks *stacks, pid_t tid, struct thread_stack *t)
{
	int64_t end = clock_ns() + 60 * NS_PER_S;

	do {
		if (stacks_take(stacks, tid, t))
			return false;
	} while (clock_ns() < end &&
		 (t->state != 'S' || frame_of(t->user, t->n_user, 0, "ppoll") != 0));
	return t->state == 'S';
}

/* Debian's QEMU has neither symbols nor frame pointers: the walk out of its main loop gets to where
 * the C library began it. */
static void test_stack__walks_out_of_a_stripped_qemu(void **state)
{
	char *const argv[] = { "qemu-system-x86_64",
			       "-machine",
			       "none",
			       "-display",
			       "none",
			       "-nodefaults",
			       "-S",
			       "-monitor",
			       "none",
			       "-serial",
			       "none",
			       NULL };
	posix_spawn_file_actions_t files;
	struct stacks *stacks;
	struct thread_stack t;
	bool settled;
	pid_t pid;

	NEED_PRIVILEGE();
	stacks = stacks_or_fail();
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &files, NULL, argv, environ))
		skip_because("qemu-system-x86_64 is not installed");
	settled = take_settled(stacks, pid, &t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&files);
	stacks_free(stacks);
	show(&t);
	assert_true(settled);
	assert_true(t.n_user >= 5);
	assert_true(frame_of(t.user, t.n_user, 0, "main_loop_wait") > 0);
	assert_true(frame_of(t.user, t.n_user, 0, "__libc_start") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stack__names_a_sleeping_chain),
		cmocka_unit_test(test_stack__names_the_sleep_in_the_kernel),
		cmocka_unit_test(test_stack__says_that_it_was_running),
		cmocka_unit_test(test_stack__no_such_thread),
		cmocka_unit_test(test_stack__walks_out_of_a_stripped_qemu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
