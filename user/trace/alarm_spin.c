// SPDX-License-Identifier: BSD-2-Clause
/*
 * Looks for threads that run all the time for nothing: those that have had a CPU, against the
 * eventfds that nobody has drained. Only while there is such an eventfd are all threads of the VMM
 * looked at.
 */
#include "alarm_look.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/compiler.h>

#define UNDRAINED 64 /* eventfds that are looked at */
#define LOOKS	  8  /* at what a thread does: its last system call may be another than its wait */

struct undrained {
	struct vm_eventfd e;
	uint64_t count_before;
	uint32_t consumer_tid;
	uint32_t row; /* ~0: no queue's */
	bool drained; /* just now */
};

struct search {
	struct tracer *t;
	uint32_t n, n_spinning; /* eventfds; threads that never sleep */
	struct undrained at[UNDRAINED];
	uint32_t spinning[ALARM_SPINS];
};

static void add(struct search *s, const struct vm_eventfd *in, uint32_t row)
{
	const struct watched_eventfd *known;
	struct vm_eventfd e;

	if (s->n == UNDRAINED || !alarm_count_known(s->t->config.pid, in, &e) || !e.count)
		return;
	known = watch_eventfd(&s->t->alarms->watch, &e);
	if (!known || !known->count_before || known->count < known->count_before)
		return;
	/* A vhost worker is called, and leaves the count as it is. */
	if (known->how == CONSUMER_VHOST)
		return;
	s->at[s->n++] = (struct undrained){ .e = e,
					    .count_before = known->count_before,
					    .consumer_tid = known->consumer_tid,
					    .row = row };
}

static void find_undrained(struct search *s)
{
	const struct vm *vm = foreign_vm(s->t->foreign);
	const struct vm_queue *q;
	uint32_t i;

	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		q = foreign_queue(s->t->foreign, i);
		if (q)
			add(s, &q->eventfd, i);
	}
	for (i = 0; i < vm->n_others; i++)
		add(s, &vm->other[i], ~0u);
}

static void add_thread(struct search *s, uint32_t tid)
{
	const struct watched_thread *w;
	uint32_t i;

	for (i = 0; i < s->n_spinning; i++)
		if (s->spinning[i] == tid)
			return;
	if (alarm_is_vcpu(s->t, tid))
		return;
	w = alarm_watch_tid(s->t, tid);
	if (w && alarm_never_sleeps(&w->share) && !w->worked && s->n_spinning < ALARM_SPINS)
		s->spinning[s->n_spinning++] = tid;
}

static void find_spinning(struct search *s)
{
	struct dirent *e;
	char path[64];
	uint32_t i;
	DIR *dir;

	for (i = 0; i < s->n; i++)
		add_thread(s, s->at[i].consumer_tid); /* it may be another process's */
	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->t->config.pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)))
		if (e->d_name[0] != '.')
			add_thread(s, strtoul(e->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}

/* Is it still there, never less than before? One that is read now and then is not undrained. */
static bool stays_readable(struct search *s, struct undrained *u)
{
	uint64_t count;

	if (!u->e.n_fds || !alarm_eventfd_count(s->t->config.pid, u->e.fd[0], &count))
		return true;
	u->drained |= count < u->e.count;
	u->e.count = count;
	return !u->drained;
}

static enum wait_link link_of(struct search *s, uint32_t tid, struct undrained *u)
{
	struct stacks *stacks = alarm_stacks(s->t->alarms);
	enum wait_link best = WAITS_NOT, link;
	struct stack_record record;
	int i;

	for (i = 0; stacks && i < LOOKS && best != WAITS_FOR_IT; i++) {
		if (stacks_look(stacks, tid, &record))
			return WAITS_NOT;
		link = alarm_waits_for(s->t->config.pid, &record, u->e.fd, MIN(u->e.n_fds, VM_FDS));
		best = MAX(best, link);
		if (!stays_readable(s, u))
			return WAITS_NOT;
	}
	return best;
}

static struct alarm_spin *find_spin(struct alarms *a, const struct alarm_key *key)
{
	uint32_t i;

	for (i = 0; i < a->n_spins; i++)
		if (alarm_key_same(&a->spin[i].key, key))
			return &a->spin[i];
	return NULL;
}

/* How long it has been so: NULL if there is no room to remember. */
static struct alarm_spin *remember(struct alarms *a, const struct alarm_key *key, int64_t since_ns)
{
	struct alarm_spin *spin = find_spin(a, key);

	if (!spin && a->n_spins == ALARM_SPINS)
		return NULL;
	if (!spin) {
		spin = &a->spin[a->n_spins++];
		*spin = (struct alarm_spin){ .key = *key, .since_ns = since_ns };
	}
	spin->seen = a->watch.check;
	spin->checks++;
	return spin;
}

static void hold(struct tracer *t, const struct alarm_key *key)
{
	struct alarm_spin *spin = find_spin(t->alarms, key);

	if (spin)
		spin->seen = t->alarms->watch.check;
	alarm_hold(t, key);
}

static void forget_old(struct alarms *a)
{
	uint32_t i, n = 0;

	for (i = 0; i < a->n_spins; i++)
		if (a->spin[i].seen == a->watch.check)
			a->spin[n++] = a->spin[i];
	a->n_spins = n;
}

static void judge(struct search *s, uint32_t tid, struct undrained *u, int64_t last_ns)
{
	const struct watched_thread *w = alarm_watch_tid(s->t, tid);
	struct alarms *a = s->t->alarms;
	struct spin_facts f = { .count_before = u->count_before,
				.known = u->consumer_tid == tid ||
					 (!u->consumer_tid && s->n_spinning == 1) };
	const struct alarm_key key = {
		.kind = ALARM_SPINNING, .row = ~0u, .tid = tid, .id = u->e.id, .ctx = u->e.ctx
	};
	struct alarm_spin *spin;

	if (!w)
		return;
	f.link = link_of(s, tid, u);
	f.thread = w->share;
	f.worked = w->worked;
	f.count = u->e.count;
	if (u->drained)
		return;
	if (!alarm_spins(&f)) {
		if (alarm_may_spin(&f))
			hold(s->t, &key);
		return;
	}
	spin = remember(a, &key, last_ns);
	if (spin &&
	    alarm_spin_is_due(spin->since_ns, a->watch.now_ns, spin->checks, alarm_stuck_ns(s->t)))
		alarm_raise(s->t, &key, &u->e, u->row, tid, spin->since_ns, w->share.cpu);
}

void alarm_look_spin(struct tracer *t)
{
	struct search *s = calloc(1, sizeof(*s));
	uint32_t i, j;

	/* Without memory this check sees none; the next may. */
	if (!s)
		return;
	s->t = t;
	find_undrained(s);
	if (s->n)
		find_spinning(s);
	for (i = 0; i < s->n_spinning; i++)
		for (j = 0; j < s->n; j++)
			judge(s, s->spinning[i], &s->at[j], t->alarms->watch.last_ns);
	forget_old(t->alarms);
	free(s);
}
