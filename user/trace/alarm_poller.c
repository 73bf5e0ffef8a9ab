// SPDX-License-Identifier: BSD-2-Clause
/*
 * A queue of whose consumer nothing was ever seen may have one that never reads nor waits: it polls
 * the guest's memory, here or in another process that has the eventfd too (vhost-user). Then some
 * thread there runs all the time. The search for that process looks at every descriptor of the
 * machine: once for an eventfd, and only if its kick waits for too long.
 */
#include "alarm_look.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_eventfd(pid_t pid, const char *fd)
{
	char path[64], target[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.10s", (int)pid, fd);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	return !strcmp(target, "anon_inode:[eventfd]");
}

static bool has_id(pid_t pid, const char *fd, uint32_t id)
{
	char path[64], line[100];
	unsigned int found;
	bool is = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.10s", (int)pid, fd);
	f = fopen(path, "re");
	while (f && !is && fgets(line, sizeof(line), f))
		is = sscanf(line, "eventfd-id: %u", &found) == 1 && found == id;
	if (f)
		fclose(f);
	return is;
}

static bool process_has(pid_t pid, uint32_t id)
{
	struct dirent *e;
	bool has = false;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && !has && (e = readdir(dir)))
		has = e->d_name[0] != '.' && is_eventfd(pid, e->d_name) &&
		      has_id(pid, e->d_name, id);
	if (dir)
		closedir(dir);
	return has;
}

static pid_t search(pid_t but, uint32_t id)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	pid_t pid = 0;

	while (dir && !pid && (e = readdir(dir))) {
		pid = strtol(e->d_name, NULL, 10);
		if (pid <= 0 || pid == but || !process_has(pid, id))
			pid = 0;
	}
	if (dir)
		closedir(dir);
	return pid;
}

static pid_t other_holder(struct tracer *t, const struct vm_eventfd *e)
{
	struct alarms *a = t->alarms;
	struct alarm_holder *h;
	uint32_t i;

	for (i = 0; i < a->n_holders; i++)
		if (a->holder[i].ctx == e->ctx && a->holder[i].id == e->id)
			return a->holder[i].pid;
	/* Who has so many is looked for again. */
	h = &a->holder[a->n_holders < ALARM_HOLDERS ? a->n_holders++ : 0];
	*h = (struct alarm_holder){ .ctx = e->ctx, .id = e->id };
	h->pid = search(t->config.pid, e->id);
	return h->pid;
}

static enum alarm_poller poller_in(struct tracer *t, pid_t pid)
{
	enum alarm_poller found = POLLER_NONE;
	const struct watched_thread *w;
	struct dirent *e;
	char path[64];
	uint32_t tid;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && found != POLLER_THERE && (e = readdir(dir))) {
		tid = strtoul(e->d_name, NULL, 10);
		if (!tid || alarm_is_vcpu(t, tid))
			continue;
		w = alarm_watch_tid(t, tid);
		if (w && w->share.cpu < 0)
			found = POLLER_MAYBE;
		else if (w && alarm_runs_always(&w->share))
			found = POLLER_THERE;
	}
	if (dir)
		closedir(dir);
	return found;
}

enum alarm_poller alarm_find_poller(struct tracer *t, const struct vm_eventfd *e)
{
	enum alarm_poller here = poller_in(t, t->config.pid);
	pid_t other;

	if (here != POLLER_NONE)
		return here;
	other = other_holder(t, e);
	return other ? poller_in(t, other) : POLLER_NONE;
}
