/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Alarms, file by file: alarm_decide.c decides on plain facts; alarm_wait.c finds out what a thread
 * waits for, alarm_holder.c who else has an eventfd; alarm_watch.c keeps what a check has to know
 * of those before, alarm_list.h what was raised; alarm_look.h and the rest look. One thread at a
 * time.
 */
#ifndef TRACE_ALARM_H
#define TRACE_ALARM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <abi/stack.h>
#include <handoff/discover.h>
#include <handoff/report.h>

#define ALARM_STUCK_NS 1000000000ull /* if the user says nothing */

/*
 * What a thread did since the last check, as shares of that time; < 0 = not known. awake: on a CPU
 * or waiting for one, as far as the scheduler has told it yet.
 */
struct thread_share {
	double cpu, awake;
	bool never_slept; /* it was runnable at both ends, and did not give up a CPU between */
};

/* --- decisions (pure) ------------------------------------------------------------------------- */

/* It never sleeps: it runs whenever others let it. One that gets no CPU at all does not count. */
bool alarm_runs_always(const struct thread_share *share);

/* The same, but it may have had no CPU at all. */
bool alarm_never_sleeps(const struct thread_share *share);

/* Of a queue's eventfd. All times CLOCK_MONOTONIC; 0 = none. */
struct stuck_facts {
	int64_t now_ns;
	uint64_t stuck_ns;
	int64_t kicked_ns; /* the oldest kick that nobody was seen to consume */
	int64_t last_kick_ns;
	bool count_known;    /* the VMM, or KVM, holds the eventfd, and a walk saw its count */
	int64_t readable_ns; /* the first of the walks in a row that saw it readable, undrained */
	int64_t served_ns;   /* the newest sign of service: eventfd read, handler, interrupt */
	int64_t polled_ns;   /* the last check at which somebody ran all the time, maybe for it */
	bool drained;	     /* some time: somebody does read it */
	bool unwatched;	     /* nobody could be seen to come for it */
	enum consumer_how how;
	struct thread_share consumer;
};

/*
 * Since when there is a kick that nobody has come for; else 0. A loop in poll mode serves without
 * reading the eventfd: a sign of service, and running all the time, which may be polling for a
 * guest that takes no interrupts, make it younger. The eventfd of a consumer that never reads it (a
 * vhost worker, an edge-triggered epoll) is readable for ever: then only kicks count. Of a worker
 * that is not known nothing does.
 */
int64_t alarm_pending_since(const struct stuck_facts *f);
/* The same, if that is too long, and the consumer does not run all the time. */
int64_t alarm_stuck_since(const struct stuck_facts *f);

/* Does a thread wait for an eventfd? By its last system call. */
enum wait_link {
	WAITS_NOT, /* it does not wait, or for others */
	WAITS_MAY, /* it waits, and cannot be asked for what */
	WAITS_FOR_IT,
};

/* Of a thread and an eventfd, since the last check. */
struct spin_facts {
	struct thread_share thread;
	bool worked;		      /* it consumed a kick or sent an interrupt */
	uint64_t count_before, count; /* of the eventfd, at the last check and now */
	enum wait_link link;
	bool known; /* the thread was seen waiting for it some time, or nobody else could be meant
		     */
};

/* A period of checks at which what lasts for stuck_ns is seen soon after; bounded for their cost.
 */
uint64_t alarm_period_ns(uint64_t stuck_ns);

/* Ready again and again, and nothing comes of it. */
bool alarm_spins(const struct spin_facts *f);
/* Nothing speaks against it: one that was seen to spin goes on. Where a thread without a CPU, or
 * between two waits, was when it was looked at tells nothing. */
bool alarm_may_spin(const struct spin_facts *f);

/* Is it time to tell? It lasts since then, seen by so many checks in a row. */
bool alarm_spin_is_due(int64_t since_ns, int64_t now_ns, uint32_t checks, uint64_t stuck_ns);

/* A thread's totals. */
struct thread_times {
	uint64_t run_ns, wait_ns; /* on a CPU; runnable, waiting for one */
	uint64_t switches;	  /* to sleep */
	bool runnable;
	uint64_t consumes, irqs;
};

/* --- what a thread waits for ------------------------------------------------------------------ */

/* `fds`: numbers of the eventfd in process `pid`, whose thread left `record`. */
enum wait_link alarm_waits_for(pid_t pid, const struct stack_record *record, const int32_t *fds,
			       uint32_t n_fds);
/* The count that /proc tells; false: no such descriptor, or no eventfd. */
bool alarm_eventfd_count(pid_t pid, int32_t fd, uint64_t *count);
/* All that /proc tells; false: no such thread. */
bool alarm_times(pid_t tid, struct thread_times *times);
/* As ps has it; '?' = no such thread. */
char alarm_thread_state(pid_t tid);

/* --- who else has an eventfd ------------------------------------------------------------------ */

#define ALARM_HOLDERS 64 /* eventfds of which it is remembered */

/* Another process that has the eventfd; 0 = none was found, at check `searched`. */
struct alarm_holder {
	uint64_t ctx;
	uint32_t id, searched;
	pid_t pid;
};

struct alarm_holders {
	uint32_t n, next; /* next: whose place is taken when all are */
	struct alarm_holder holder[ALARM_HOLDERS];
};

/* Another process than the VMM's that has it now; 0 = none, as far as a search some checks ago
 * could tell. */
pid_t alarm_holder(struct alarm_holders *all, pid_t vmm, const struct vm_eventfd *e,
		   uint32_t check);

/* --- from check to check ---------------------------------------------------------------------- */

#define WATCH_EVENTFDS 256
#define WATCH_THREADS  512

struct watched_eventfd {
	uint64_t ctx;
	uint32_t id;
	uint32_t seen; /* check it was last seen at */
	uint64_t count, count_before;
	int64_t readable_ns; /* as in stuck_facts */
	bool drained;
	enum consumer_how how; /* of whom was last seen waiting for it */
	uint32_t consumer_tid; /* 0 = nobody yet */
};

/* Of a queue, while it has the same eventfd. */
struct watched_queue {
	uint64_t ctx;
	uint32_t id;
	int64_t polled_ns; /* as in stuck_facts */
	uint32_t stuck;	   /* so many checks in a row said so, the last of them this: */
	uint32_t stuck_at;
};

struct watched_thread {
	uint32_t tid;
	uint32_t seen;
	struct thread_times times;
	int64_t t_ns;
	struct thread_share share;
	bool worked; /* as in spin_facts */
};

/* What does not fit is not watched: more eventfds than any VMM has been seen with. */
struct alarm_watch {
	uint32_t check;		 /* number of this one, from 1 */
	int64_t now_ns, last_ns; /* last_ns: of the check before; 0 = this is the first */
	uint32_t n_eventfds, n_threads;
	struct watched_eventfd eventfd[WATCH_EVENTFDS];
	struct watched_thread thread[WATCH_THREADS];
	struct watched_queue queue[STATS_MAX_QUEUES]; /* by row */
};

/* Begins a check: what the one before did not see any more is forgotten. */
void watch_begin(struct alarm_watch *w, int64_t now_ns);
/* NULL: no room. */
const struct watched_eventfd *watch_eventfd(struct alarm_watch *w, const struct vm_eventfd *e);
/* `row`: less than STATS_MAX_QUEUES. */
struct watched_queue *watch_queue(struct alarm_watch *w, uint32_t row, const struct vm_eventfd *e);
/* This check finds its kick stuck. True: as the check before did, so it is time to tell. */
bool watch_stuck(const struct alarm_watch *w, struct watched_queue *q);
/* NULL: no room. */
const struct watched_thread *watch_thread(struct alarm_watch *w, uint32_t tid,
					  const struct thread_times *times);

#endif
