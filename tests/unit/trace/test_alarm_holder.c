// SPDX-License-Identifier: BSD-2-Clause
/* Who else has an eventfd: other processes, of a real one. */
#include "alarm.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <lib/tap.h>

static uint32_t eventfd_id(int fd)
{
	char path[64], line[100];
	unsigned int id = ~0u;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		(void)!sscanf(line, "eventfd-id: %u", &id);
	if (f)
		fclose(f);
	return id;
}

static pid_t holder_start(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void holder_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A back end that was started again is found again; "nobody" is believed for some checks. */
static void test_alarm_holder__is_renewed(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct vm_eventfd e = { .ctx = 7, .id = eventfd_id(fd) };
	static struct alarm_holders all;
	uint32_t check = 1;
	pid_t first, second, found;

	memset(&all, 0, sizeof(all));
	if (e.id == ~0u)
		skip_because("this kernel does not tell an eventfd's id");
	first = holder_start();
	assert_int_equal(alarm_holder(&all, getpid(), &e, check), first);
	holder_end(first);
	second = holder_start();
	found = alarm_holder(&all, getpid(), &e, ++check);
	holder_end(second);
	assert_int_equal(found, second);
	assert_int_equal(alarm_holder(&all, getpid(), &e, ++check), 0);
	first = holder_start();
	assert_int_equal(alarm_holder(&all, getpid(), &e, ++check), 0);
	found = alarm_holder(&all, getpid(), &e, check + 20);
	holder_end(first);
	assert_int_equal(found, first);
	assert_int_equal(all.n, 1);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alarm_holder__is_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
