// SPDX-License-Identifier: BSD-2-Clause
/*
 * The life of alarms: raised once, kept up while a check confirms them, over when one does not, and
 * kept in the report ever after.
 */
#include "alarm_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/compiler.h>
#include "stack_regs.h"

uint64_t alarm_stuck_ns(const struct tracer *t)
{
	return t->config.stuck_ns ? t->config.stuck_ns : ALARM_STUCK_NS;
}

struct stacks *alarm_stacks(struct alarms *a)
{
	struct error err = { "" };

	if (a->stacks || a->stacks_why[0])
		return a->stacks;
	a->stacks = stacks_new(&err);
	if (!a->stacks)
		snprintf(a->stacks_why, sizeof(a->stacks_why), "%.*s", REPORT_TEXT - 1, err.msg);
	return a->stacks;
}

static bool same_key(const struct alarm_key *a, const struct alarm_key *b)
{
	return a->kind == b->kind && a->row == b->row && a->tid == b->tid && a->id == b->id &&
	       a->ctx == b->ctx;
}

static struct alarm_entry *find(struct alarms *a, const struct alarm_key *key)
{
	uint32_t i;

	for (i = 0; i < a->n; i++)
		if (a->entry[i].active && same_key(&a->entry[i].key, key))
			return &a->entry[i];
	return NULL;
}

/* Of any process's thread: a queue may be served from outside of the VMM. */
static void thread_comm(uint32_t tid, char comm[STATS_NAME_LEN])
{
	char path[64];
	ssize_t n, i;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/comm", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, comm, STATS_NAME_LEN - 1);
	close(fd);
	for (i = 0; i < n && comm[i] != '\n'; i++)
		if (comm[i] < ' ' || comm[i] > '~')
			comm[i] = '?';
	comm[MAX(i, 0)] = '\0';
}

static void why_no_stack(struct report_alarm *a, const char *why)
{
	a->n_kernel = a->n_user = 0;
	snprintf(a->kernel_why, sizeof(a->kernel_why), "%s", why);
	snprintf(a->user_why, sizeof(a->user_why), "%s", why);
}

/* Milliseconds: only when it is somewhere else than it was. */
static void put_stack(struct alarms *alarms, struct alarm_entry *e)
{
	struct stacks *stacks = alarm_stacks(alarms);
	struct thread_stack *s = &alarms->stack;
	struct stack_record record;

	if (!stacks) {
		why_no_stack(&e->a, alarms->stacks_why);
		return;
	}
	if (stacks_look(stacks, e->a.tid, &record)) {
		why_no_stack(&e->a, "it has ended");
		return;
	}
	e->a.state = stack_state(&record);
	if (e->pc && e->pc == stack_regs_pc(record.regs) && e->sp == stack_regs_sp(record.regs) &&
	    !record.on_cpu)
		return;
	if (stacks_take(stacks, e->a.tid, s))
		return;
	e->pc = stack_regs_pc(record.regs);
	e->sp = stack_regs_sp(record.regs);
	e->a.state = s->state;
	e->a.n_kernel = s->n_kernel;
	e->a.n_user = s->n_user;
	memcpy(e->a.kernel, s->kernel, sizeof(s->kernel));
	memcpy(e->a.user, s->user, sizeof(s->user));
	memcpy(e->a.kernel_why, s->kernel_why, sizeof(s->kernel_why));
	memcpy(e->a.user_why, s->user_why, sizeof(s->user_why));
}

static void put_thread(struct alarms *alarms, struct alarm_entry *e, uint32_t tid)
{
	if (e->a.tid != tid)
		e->pc = 0;
	e->a.tid = tid;
	e->a.state = '?';
	e->a.comm[0] = '\0';
	if (!tid) {
		why_no_stack(&e->a, "nobody was seen to wait for it");
		return;
	}
	thread_comm(tid, e->a.comm);
	e->a.state = alarm_thread_state(tid);
	put_stack(alarms, e);
}

/* The first are kept; of the others it is known how many there were. */
static struct alarm_entry *new_entry(struct tracer *t, const struct alarm_key *key)
{
	struct alarms *a = t->alarms;
	struct alarm_entry *e;

	a->total++;
	if (a->n == REPORT_ALARMS)
		return NULL;
	e = &a->entry[a->n++];
	e->key = *key;
	e->active = true;
	e->a.kind = key->kind;
	e->a.t_ns = MAX(a->watch.now_ns - t->start_ns, 0);
	return e;
}

void alarm_raise(struct tracer *t, const struct alarm_key *key, const struct vm_eventfd *eventfd,
		 uint32_t row, uint32_t tid, int64_t since_ns, double cpu)
{
	struct alarms *a = t->alarms;
	struct alarm_entry *e = find(a, key);

	if (!e)
		e = new_entry(t, key);
	if (!e)
		return;
	e->seen = a->watch.check;
	/* Signs of service that were seen late must not make it younger. */
	if (!e->since_ns || since_ns < e->since_ns)
		e->since_ns = since_ns;
	e->a.age_ns = MAX(a->watch.now_ns - e->since_ns, 0);
	e->a.fd = eventfd->n_fds ? eventfd->fd[0] : -1;
	e->a.eventfd_id = eventfd->id;
	e->a.count = eventfd->count;
	e->a.cpu_share = MAX(cpu, 0);
	if (row < STATS_MAX_QUEUES) {
		memcpy(e->a.device, t->now->queue[row].device, sizeof(e->a.device));
		e->a.queue = t->now->queue[row].queue;
	}
	put_thread(a, e, tid);
}

bool alarm_count_known(pid_t pid, const struct vm_eventfd *in, struct vm_eventfd *out)
{
	*out = *in;
	return in->ctx || (in->n_fds && alarm_eventfd_count(pid, in->fd[0], &out->count));
}

bool alarm_is_vcpu(const struct tracer *t, uint32_t tid)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_VCPUS; i++)
		if (t->now->vcpu_tid[i] == tid)
			return true;
	return false;
}

const struct watched_thread *alarm_watch_tid(struct tracer *t, uint32_t tid)
{
	const struct thread_row *row = kernel_view_thread(&t->view, tid);
	struct thread_times times = { 0 };

	if (!tid || !alarm_times(tid, &times))
		return NULL;
	if (row) {
		times.consumes = row->loop.consumes;
		times.irqs = row->loop.irqs;
	}
	return watch_thread(&t->alarms->watch, tid, &times);
}

static void put_alarms(const struct alarms *a, struct report *r)
{
	uint32_t i;

	r->n_alarms = a->n;
	r->alarms_total = a->total;
	for (i = 0; i < a->n; i++)
		r->alarm[i] = a->entry[i].a;
}

static void end_alarms(struct alarms *a)
{
	uint32_t i;

	for (i = 0; i < a->n; i++) {
		if (!a->entry[i].active || a->entry[i].seen == a->watch.check)
			continue;
		a->entry[i].active = false;
		a->entry[i].a.over = true;
	}
}

/* Times and counts now, for the next check to compare with. */
static void watch_all(struct tracer *t)
{
	const struct vm *vm = foreign_vm(t->foreign);
	struct vm_eventfd e;
	uint32_t i;

	for (i = 0; i < STATS_MAX_LOOPS; i++)
		alarm_watch_tid(t, t->now->loop[i].tid);
	for (i = 0; vm && i < vm->n_queues; i++)
		if (alarm_count_known(t->config.pid, &vm->queue[i].eventfd, &e))
			watch_eventfd(&t->alarms->watch, &e);
	for (i = 0; vm && i < vm->n_others; i++)
		if (alarm_count_known(t->config.pid, &vm->other[i], &e))
			watch_eventfd(&t->alarms->watch, &e);
}

struct alarms *alarms_new(const struct tracer *t)
{
	return t->foreign ? calloc(1, sizeof(struct alarms)) : NULL;
}

void alarms_free(struct alarms *a)
{
	if (!a)
		return;
	stacks_free(a->stacks);
	free(a);
}

void alarms_check(struct tracer *t, struct report *r, int64_t now_ns)
{
	struct alarms *a = t->alarms;

	if (!a)
		return;
	watch_begin(&a->watch, now_ns);
	if (r->vmm_alive && foreign_vm(t->foreign)) {
		watch_all(t);
		alarm_look_stuck(t);
		alarm_look_spin(t);
	}
	end_alarms(a);
	put_alarms(a, r);
}
