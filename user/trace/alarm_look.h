/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct alarms, for alarm.c (life, report) and those who look: alarm_stuck.c, alarm_spin.c,
 * alarm_poller.c. One thread at a time.
 */
#ifndef TRACE_ALARM_LOOK_H
#define TRACE_ALARM_LOOK_H

#include "alarm.h"
#include "alarm_list.h"
#include "stack.h"
#include "tracer.h"

#define ALARM_SPINS 16 /* threads that spin at once */

/* A thread that spins, maybe not long enough yet. */
struct alarm_spin {
	struct alarm_key key;
	uint32_t seen, checks;
	int64_t since_ns;
};

struct alarms {
	struct stacks *stacks; /* made with the first alarm; NULL with stacks_why: cannot be had */
	char stacks_why[REPORT_TEXT];
	struct alarm_watch watch;
	struct thread_stack stack; /* too large for ours */
	uint32_t n_spins;
	struct alarm_spin spin[ALARM_SPINS];
	struct alarm_holders holders;
	struct alarm_list list;
	int timer_fd; /* every alarm_period_ns; -1 = cannot be had */
};

uint64_t alarm_stuck_ns(const struct tracer *t);
/* NULL, with a->stacks_why, where the kernel does not give any. */
struct stacks *alarm_stacks(struct alarms *a);

/* With the count /proc tells where the walk could not. False: nobody knows it. */
bool alarm_count_known(pid_t pid, const struct vm_eventfd *in, struct vm_eventfd *out);
bool alarm_is_vcpu(const struct tracer *t, uint32_t tid);
/* Reads its times; NULL: no such thread, or no room. */
const struct watched_thread *alarm_watch_tid(struct tracer *t, uint32_t tid);

/* May a thread that was never seen to consume serve this eventfd's queue? alarm_poller.c */
enum alarm_poller {
	POLLER_NONE,  /* no thread could: all sleep now and then */
	POLLER_MAYBE, /* known at the next check */
	POLLER_THERE, /* a thread runs all the time */
};
enum alarm_poller alarm_find_poller(struct tracer *t, const struct vm_eventfd *e);

/*
 * Raises an alarm, or keeps it up: count, age, where the thread is now. `e` is its eventfd, `row`
 * its queue's, ~0: none's.
 */
void alarm_raise(struct tracer *t, const struct alarm_key *key, const struct vm_eventfd *e,
		 uint32_t row, uint32_t tid, int64_t since_ns, double cpu);

/* It cannot be told at this check: one that lasts goes on. */
void alarm_hold(struct tracer *t, const struct alarm_key *key);

void alarm_look_stuck(struct tracer *t);
void alarm_look_spin(struct tracer *t);

#endif
