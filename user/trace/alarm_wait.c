// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a thread waits for, by its last system call and its arguments, as its saved registers have
 * them: a loop that finds an eventfd readable at once is in no wait queue that a walk could see.
 * And what /proc says of it.
 */
#include "alarm.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include <handoff/compiler.h>
#include "stack_regs.h"

#define POLL_FDS 1024 /* of a poll set that are looked at */

static bool is_one_of(int32_t fd, const int32_t *fds, uint32_t n_fds)
{
	uint32_t i;

	for (i = 0; i < n_fds; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

static enum wait_link in_poll_set(pid_t pid, uint64_t addr, uint64_t n, const int32_t *fds,
				  uint32_t n_fds)
{
	struct pollfd set[POLL_FDS];
	size_t bytes = MIN(n, POLL_FDS) * sizeof(set[0]), i;
	struct iovec to = { set, bytes }, from = { (void *)(uintptr_t)addr, bytes };

	if (!bytes)
		return WAITS_NOT;
	if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)bytes)
		return WAITS_MAY;
	for (i = 0; i < bytes / sizeof(set[0]); i++)
		if ((set[i].events & (POLLIN | POLLRDNORM)) && is_one_of(set[i].fd, fds, n_fds))
			return WAITS_FOR_IT;
	return n > POLL_FDS ? WAITS_MAY : WAITS_NOT;
}

/* The sets of an epoll set are not followed. */
static enum wait_link in_epoll_set(pid_t pid, int32_t epoll, const int32_t *fds, uint32_t n_fds)
{
	enum wait_link link = WAITS_MAY;
	char path[64], line[200];
	int32_t fd;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, epoll);
	f = fopen(path, "re");
	if (!f)
		return WAITS_MAY;
	while (link != WAITS_FOR_IT && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "tfd: %d", &fd) != 1)
			continue;
		link = is_one_of(fd, fds, n_fds) ? WAITS_FOR_IT : WAITS_NOT;
	}
	fclose(f);
	return link;
}

enum wait_link alarm_waits_for(pid_t pid, const struct stack_record *record, const int32_t *fds,
			       uint32_t n_fds)
{
	if (record->regs_bytes < STACK_REGS_BYTES)
		return WAITS_MAY; /* a thread of the kernel's */
	/* Another process: the numbers are of the VMM's table. */
	if (record->tgid != (uint32_t)pid)
		n_fds = 0;
	switch (stack_regs_syscall(record->regs)) {
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		return n_fds ? in_poll_set(pid, stack_regs_arg(record->regs, 0),
					   stack_regs_arg(record->regs, 1), fds, n_fds)
			     : WAITS_MAY;
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
#ifdef SYS_epoll_pwait2
	case SYS_epoll_pwait2:
#endif
	case SYS_epoll_pwait:
		return n_fds ? in_epoll_set(pid, stack_regs_arg(record->regs, 0), fds, n_fds)
			     : WAITS_MAY;
#ifdef SYS_select
	case SYS_select:
#endif
	case SYS_pselect6:
	case SYS_io_uring_enter:
		return WAITS_MAY;
	}
	return WAITS_NOT;
}

static bool read_text(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, line, size - 1);
	close(fd);
	line[MAX(n, 0)] = '\0';
	return n > 0;
}

bool alarm_eventfd_count(pid_t pid, int32_t fd, uint64_t *count)
{
	char path[64], text[400], *at;
	unsigned long long n;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	if (!read_text(path, text, sizeof(text)))
		return false;
	at = strstr(text, "eventfd-count:");
	if (!at || sscanf(at, "eventfd-count: %llx", &n) != 1)
		return false;
	*count = n;
	return true;
}

/* Up to 2 KB of text, which the kernel makes of many small parts: one read takes it. */
static bool read_status(pid_t tid, struct thread_times *times)
{
	static const char sleeps[] = "\nvoluntary_ctxt_switches:";
	unsigned long long n;
	char path[64], text[4096], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if (!read_text(path, text, sizeof(text)))
		return false;
	at = strstr(text, "\nState:\t");
	times->runnable = at && at[strlen("\nState:\t")] == 'R';
	at = strstr(text, sleeps);
	if (!at || sscanf(at + strlen(sleeps), "%llu", &n) != 1)
		return false;
	times->switches = n;
	return true;
}

bool alarm_times(pid_t tid, struct thread_times *times)
{
	unsigned long long run_ns, wait_ns;
	char path[64], text[100];

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)tid);
	if (!read_text(path, text, sizeof(text)) ||
	    sscanf(text, "%llu %llu", &run_ns, &wait_ns) != 2)
		return false;
	if (!read_status(tid, times))
		return false;
	times->run_ns = run_ns;
	times->wait_ns = wait_ns;
	return true;
}

char alarm_thread_state(pid_t tid)
{
	char path[64], text[400], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	if (!read_text(path, text, sizeof(text)))
		return '?';
	at = strrchr(text, ')'); /* its name may hold any character */
	return at && at[1] == ' ' && at[2] ? at[2] : '?';
}
