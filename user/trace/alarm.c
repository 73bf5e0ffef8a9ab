// SPDX-License-Identifier: BSD-2-Clause
/* Checks, at a pace of their own, and what an alarm shows. */
#include "alarm_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <handoff/clock.h>
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

void alarm_raise(struct tracer *t, const struct alarm_key *key, const struct vm_eventfd *eventfd,
		 uint32_t row, uint32_t tid, int64_t since_ns, double cpu)
{
	struct alarms *a = t->alarms;
	struct alarm_entry *e = alarm_list_raise(&a->list, key, a->watch.check);

	if (!e)
		return;
	if (!e->since_ns)
		e->a.t_ns = MAX(a->watch.now_ns - t->start_ns, 0);
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
	return t->foreign && foreign_is_vcpu(t->foreign, tid);
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

void alarm_hold(struct tracer *t, const struct alarm_key *key)
{
	alarm_list_hold(&t->alarms->list, key, t->alarms->watch.check);
}

/* Times and counts now, for the next check to compare with. False: nothing is readable. */
static bool watch_eventfds(struct tracer *t)
{
	const struct vm *vm = foreign_vm(t->foreign);
	struct vm_eventfd e;
	bool any = false;
	uint32_t i;

	for (i = 0; i < vm->n_queues + vm->n_others; i++) {
		if (!alarm_count_known(t->config.pid,
				       i < vm->n_queues ? &vm->queue[i].eventfd
							: &vm->other[i - vm->n_queues],
				       &e)) {
			any = true;
			continue;
		}
		watch_eventfd(&t->alarms->watch, &e);
		any |= e.count != 0;
	}
	return any;
}

struct alarms *alarms_new(const struct tracer *t)
{
	struct alarms *a = t->foreign ? calloc(1, sizeof(*a)) : NULL;
	struct itimerspec spec;

	if (!a)
		return NULL;
	spec.it_interval = clock_timespec((int64_t)alarm_period_ns(alarm_stuck_ns(t)));
	spec.it_value = spec.it_interval;
	/* Without one only snapshots check. */
	a->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->timer_fd >= 0)
		timerfd_settime(a->timer_fd, 0, &spec, NULL);
	return a;
}

void alarms_free(struct alarms *a)
{
	if (!a)
		return;
	stacks_free(a->stacks);
	if (a->timer_fd >= 0)
		close(a->timer_fd);
	free(a);
}

/* Has a check been made as lately as `ns` ago? Another would see too short a time. */
static bool is_recent(const struct alarms *a, int64_t now_ns, uint64_t ns)
{
	return a->watch.check && now_ns - a->watch.now_ns < (int64_t)ns;
}

/* The walk is fresh; the maps need not be while nothing is readable: with that no kick is stuck,
 * and nobody spins for it. */
static bool begin_check(struct tracer *t, int64_t now_ns)
{
	struct alarms *a = t->alarms;
	bool any;

	watch_begin(&a->watch, now_ns);
	any = tracer_vm_is_there(t) && foreign_vm(t->foreign) && watch_eventfds(t);
	if (!any)
		alarm_list_end(&a->list, a->watch.check);
	return any;
}

static void end_check(struct tracer *t)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_LOOPS; i++)
		alarm_watch_tid(t, t->now->loop[i].tid);
	alarm_look_stuck(t);
	alarm_look_spin(t);
	alarm_list_end(&t->alarms->list, t->alarms->watch.check);
}

void alarms_check(struct tracer *t, struct report *r, int64_t now_ns)
{
	struct alarms *a = t->alarms;

	if (!r->vmm_alive || !is_recent(a, now_ns, alarm_period_ns(alarm_stuck_ns(t))))
		if (begin_check(t, now_ns))
			end_check(t);
	alarm_list_put(&a->list, r);
}

int tracer_alarm_fd(const struct tracer *t)
{
	return t->alarms ? t->alarms->timer_fd : -1;
}

void tracer_check_alarms(struct tracer *t)
{
	uint64_t ticks;
	struct error err;

	if (!t->alarms || read(t->alarms->timer_fd, &ticks, sizeof(ticks)) < 0 ||
	    is_recent(t->alarms, clock_ns(), alarm_period_ns(alarm_stuck_ns(t)) / 2))
		return;
	/* A walk that fails is made again the next time: what is known stands. */
	(void)!tracer_refresh(t, &err);
	if (!begin_check(t, clock_ns()))
		return;
	/* What cannot be read now may be the next time; what lasts is over till then. */
	if (t->kernel && kernel_read(t->kernel, &t->view)) {
		alarm_list_end(&t->alarms->list, t->alarms->watch.check);
		return;
	}
	foreign_learn(t->foreign, &t->view);
	foreign_tell(t->foreign, t->kernel);
	foreign_fill(t->foreign, t->now);
	remember_names(t, t->now);
	end_check(t);
}
