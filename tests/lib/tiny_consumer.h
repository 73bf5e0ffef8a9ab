/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tiny VMM's consumers of kicks, one thread each, in every style there is. All of this may lie
 * in memory that is shared with a child, whose threads they may be. Failures end the process.
 */
#ifndef TESTS_TINY_CONSUMER_H
#define TESTS_TINY_CONSUMER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "tiny_vm.h"

enum tiny_style {
	TINY_EPOLL,
	TINY_PPOLL,
	TINY_URING_POLL, /* IORING_OP_POLL_ADD, then read() */
	TINY_URING_READ, /* IORING_OP_READ of the eventfd */
	TINY_READ,	 /* blocked in read(): one queue a thread */
	TINY_BUSY,	 /* read() again and again */
	TINY_SPIN,	 /* looks at guest memory; kicks come, and are never read */
	TINY_ADAPTIVE,	 /* as QEMU: looks at guest memory without kicks for a while, then ppoll */
	TINY_NONE,	 /* nobody comes */
	TINY_STYLES
};
const char *tiny_style_name(enum tiny_style style);

struct tiny_queue {
	unsigned int index;
	struct tiny_ring *ring;
	struct tiny_vm *vm;
	struct tiny_notify at;
	bool registered; /* the guest kicks it */
	bool ioeventfd;	 /* else its vCPU serves it */
	bool never_drain;
	bool irq_ioctl;	 /* KVM_SIGNAL_MSI instead of irqfd */
	int kick, irq;	 /* eventfds; -1 = none */
	int progress;	 /* eventfd: signalled from when served has reached target */
	uint64_t target; /* posts, when all are made */
	/* The truth: by the thread that serves it. */
	uint64_t reads, reads_empty, sum;
	uint64_t serves, spurious; /* posts were found, or none */
	uint64_t spin_hits;	   /* serves that no kick called for */
	uint64_t irqs;
	uint64_t user_kicks; /* by its vCPU */
};

enum tiny_command { TINY_RUN, TINY_FREEZE, TINY_HOLD, TINY_END_LOOP };

struct tiny_consumer {
	unsigned int id;
	enum tiny_style style;
	unsigned int n;
	struct tiny_queue *queue[TINY_MAX_QUEUES];
	pthread_t thread;
	pid_t process, tid;
	int poke, ack; /* eventfds: a command is there; it was obeyed */
	int command;   /* enum tiny_command, atomic */
	sem_t thaw;    /* of FREEZE and HOLD */
	uint64_t turns;
	void *monitor; /* what the style needs, while armed */
};

/* Nonblocking where the style wants it. */
int tiny_kick_new(enum tiny_style style);
void tiny_consumer_init(struct tiny_consumer *c, unsigned int id, enum tiny_style style);
/* Returns when its thread has told its tid, which may be before it waits for kicks. */
void tiny_consumer_start(struct tiny_consumer *c);
void tiny_consumer_join(struct tiny_consumer *c);

/*
 * FREEZE: it sleeps where it should not, until tiny_consumer_go_on. HOLD: likewise, but it has let
 * go of its queues, which may be changed meanwhile. END_LOOP: it ends. Returns when obeyed. One
 * thread at a time.
 */
void tiny_consumer_order(struct tiny_consumer *c, enum tiny_command command);
void tiny_consumer_go_on(struct tiny_consumer *c);

/* Serves what was posted, and interrupts the guest. The thread that consumes the queue, or its
 * vCPU's. */
void tiny_queue_serve(struct tiny_queue *q, bool spin);
/* The guest's posts are served, and its kicks read by whom reads them; the guest is idle. The
 * thread that gives orders. */
bool tiny_queue_drained(const struct tiny_queue *q, const struct tiny_consumer *c);
/* A kick's eventfd was read, with this result. */
void tiny_queue_took(struct tiny_queue *q, ssize_t n, uint64_t value);

#endif
