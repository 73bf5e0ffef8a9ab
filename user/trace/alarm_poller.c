// SPDX-License-Identifier: BSD-2-Clause
/*
 * A queue of whose consumer nothing was ever seen may have one that never reads nor waits: it polls
 * the guest's memory, here or in another process that has the eventfd too (vhost-user). Then some
 * thread there runs all the time.
 */
#include "alarm_look.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

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
	other = alarm_holder(&t->alarms->holders, t->config.pid, e, t->alarms->watch.check);
	return other ? poller_in(t, other) : POLLER_NONE;
}
