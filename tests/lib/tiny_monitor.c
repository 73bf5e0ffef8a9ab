// SPDX-License-Identifier: BSD-2-Clause
/* Styles of waiting without io_uring, which has tiny_monitor_uring.c: see tiny_monitor.h. In the
 * consumer's thread. */
#include "tiny_monitor.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* As QEMU's poll-max-ns. */
#define SPIN_NS 32768

static void nothing(struct tiny_consumer *c)
{
}

/* --- epoll -------------------------------------------------------------------------------------
 */
static void epoll_arm(struct tiny_consumer *c)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = c->n };
	int fd = epoll_create1(EPOLL_CLOEXEC);
	unsigned int i;

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, c->poke, &event) < 0)
		err(1, "epoll");
	for (i = 0; i < c->n; i++) {
		event.data.u32 = i;
		if (epoll_ctl(fd, EPOLL_CTL_ADD, c->queue[i]->kick, &event) < 0)
			err(1, "epoll_ctl");
	}
	c->monitor = (void *)(intptr_t)fd;
}

static void epoll_turn(struct tiny_consumer *c)
{
	struct epoll_event event[TINY_MAX_QUEUES + 1];
	int i, n = epoll_wait((int)(intptr_t)c->monitor, event, TINY_MAX_QUEUES + 1, -1);

	for (i = 0; i < n; i++) {
		if (event[i].data.u32 == c->n)
			tiny_poke_take(c);
		else if (!c->queue[event[i].data.u32]->never_drain)
			tiny_queue_handle(c->queue[event[i].data.u32]);
	}
}

static void epoll_disarm(struct tiny_consumer *c)
{
	close((int)(intptr_t)c->monitor);
}

const struct tiny_monitor tiny_epoll = { epoll_arm, epoll_turn, epoll_disarm };

/* --- ppoll -------------------------------------------------------------------------------------
 */
static void ppoll_turn(struct tiny_consumer *c)
{
	struct pollfd fds[TINY_MAX_QUEUES + 1];
	unsigned int i;

	for (i = 0; i < c->n; i++)
		fds[i] = (struct pollfd){ .fd = c->queue[i]->kick, .events = POLLIN };
	fds[i] = (struct pollfd){ .fd = c->poke, .events = POLLIN };
	if (ppoll(fds, c->n + 1, NULL, NULL) < 0)
		return;
	for (i = 0; i < c->n; i++) {
		if (fds[i].revents && !c->queue[i]->never_drain)
			tiny_queue_handle(c->queue[i]);
	}
	if (fds[i].revents)
		tiny_poke_take(c);
}

const struct tiny_monitor tiny_ppoll = { nothing, ppoll_turn, nothing };

/* --- looks at guest memory ---------------------------------------------------------------------
 */
static bool posted(const struct tiny_queue *q)
{
	return __atomic_load_n(&q->ring->posted, __ATOMIC_ACQUIRE) != q->ring->served;
}

/* True: something was there. */
static bool look(struct tiny_consumer *c)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < c->n; i++) {
		if (posted(c->queue[i])) {
			tiny_queue_serve(c->queue[i], true);
			any = true;
		}
	}
	return any;
}

static void want_kicks(struct tiny_consumer *c, bool on)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		__atomic_store_n(&c->queue[i]->ring->no_notify, !on, __ATOMIC_RELAXED);
	/* Pairs with the guest's, between its post and its look at no_notify. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* A kick that was sent before they were switched off is read by the ppoll that follows. */
static void adaptive_turn(struct tiny_consumer *c)
{
	uint64_t until = now_ns() + SPIN_NS;

	want_kicks(c, false);
	do {
		if (look(c))
			until = now_ns() + SPIN_NS;
	} while (now_ns() < until && __atomic_load_n(&c->command, __ATOMIC_ACQUIRE) == TINY_RUN);
	want_kicks(c, true);
	if (!look(c))
		ppoll_turn(c);
}

static void adaptive_disarm(struct tiny_consumer *c)
{
	want_kicks(c, true);
}

const struct tiny_monitor tiny_adaptive = { nothing, adaptive_turn, adaptive_disarm };

static void spin_turn(struct tiny_consumer *c)
{
	look(c);
}

const struct tiny_monitor tiny_spin = { nothing, spin_turn, nothing };

/* --- read --------------------------------------------------------------------------------------
 */
static void read_turn(struct tiny_consumer *c)
{
	tiny_queue_handle(c->queue[0]);
}

const struct tiny_monitor tiny_read = { nothing, read_turn, nothing };

static void busy_turn(struct tiny_consumer *c)
{
	unsigned int i;

	for (i = 0; i < c->n; i++)
		tiny_queue_handle(c->queue[i]);
}

const struct tiny_monitor tiny_busy = { nothing, busy_turn, nothing };
