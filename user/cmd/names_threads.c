// SPDX-License-Identifier: BSD-2-Clause
/* See names_threads.h. Neighbour: names.c. */
#include "names_threads.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* PROC_PID_INIT_INO of the kernel's include/linux/proc_ns.h. */
#define INITIAL_NAMESPACE "pid:[4026531836]"

/* The last column of NSpid: "NSpid:\t4711\t12", from our namespace inwards. 0 = it has ended. */
static uint32_t inner_number(int task_fd, const char *tid)
{
	char path[64], line[256];
	uint32_t inner = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%.20s/status", task_fd, tid);
	status = fopen(path, "re");
	if (!status)
		return 0;
	while (!inner && fgets(line, sizeof(line), status)) {
		const char *last = strrchr(line, '\t');

		if (!strncmp(line, "NSpid:", 6) && last)
			inner = (uint32_t)strtoul(last, NULL, 10);
	}
	fclose(status);
	return inner;
}

static int add_thread(struct names_threads *t, int task_fd, const char *tid, struct error *err)
{
	struct names_thread *more;
	uint32_t inner = inner_number(task_fd, tid);

	if (!inner)
		return 0;
	more = reallocarray(t->thread, t->n + 1, sizeof(*more));
	if (!more)
		return error_set(err, -ENOMEM, "out of memory");
	t->thread = more;
	more[t->n++] = (struct names_thread){ inner, (uint32_t)strtoul(tid, NULL, 10) };
	return 0;
}

int names_threads_read(struct names_threads *t, pid_t pid, struct error *err)
{
	struct dirent *entry;
	char path[32];
	int ret = 0;
	DIR *tasks;

	*t = (struct names_threads){};
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return error_set(err, -errno, "process %d: %s: %s", (int)pid, path,
				 strerror(errno));
	while (!ret && (entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			ret = add_thread(t, dirfd(tasks), entry->d_name, err);
	closedir(tasks);
	if (ret)
		names_threads_release(t);
	return ret;
}

void names_threads_release(struct names_threads *t)
{
	free(t->thread);
	*t = (struct names_threads){};
}

uint32_t names_threads_find(const struct names_threads *t, int64_t inner)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->thread[i].inner == inner)
			return t->thread[i].tid;
	return 0;
}

bool names_pids_are_hosts(void)
{
	char link[64] = "";

	/* Without an answer there is nothing to say. */
	return readlink("/proc/self/ns/pid", link, sizeof(link) - 1) < 0 ||
	       !strcmp(link, INITIAL_NAMESPACE);
}

int names_no_vm_inside(struct error *err)
{
	return error_set(err, -ENOENT,
			 "no VM is seen from inside this pid namespace; run it in the host's pid "
			 "namespace");
}
