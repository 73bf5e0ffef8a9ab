// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who else has an eventfd of the VMM's. The search looks at every descriptor of the machine, and is
 * remembered: while that process has the eventfd still, and some checks long if nobody was found.
 */
#include "alarm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEARCH_AGAIN 8 /* checks after a search that found nobody */

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

static struct alarm_holder *find(struct alarm_holders *all, const struct vm_eventfd *e)
{
	uint32_t i;

	for (i = 0; i < all->n; i++)
		if (all->holder[i].ctx == e->ctx && all->holder[i].id == e->id)
			return &all->holder[i];
	return NULL;
}

pid_t alarm_holder(struct alarm_holders *all, pid_t vmm, const struct vm_eventfd *e, uint32_t check)
{
	struct alarm_holder *h = find(all, e);

	if (h && (h->pid ? process_has(h->pid, e->id) : check - h->searched < SEARCH_AGAIN))
		return h->pid;
	if (!h)
		h = &all->holder[all->n < ALARM_HOLDERS ? all->n++ : all->next++ % ALARM_HOLDERS];
	*h = (struct alarm_holder){ .ctx = e->ctx, .id = e->id, .searched = check };
	h->pid = search(vmm, e->id);
	return h->pid;
}
