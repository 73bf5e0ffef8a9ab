/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a consumer waits: one of these for each style. arm takes the consumer's queues as they are;
 * turn waits, serves what came, and returns soon after a poke; disarm lets go of them.
 */
#ifndef TESTS_TINY_MONITOR_H
#define TESTS_TINY_MONITOR_H

#include "tiny_consumer.h"

struct tiny_monitor {
	void (*arm)(struct tiny_consumer *c);
	void (*turn)(struct tiny_consumer *c);
	void (*disarm)(struct tiny_consumer *c);
};

extern const struct tiny_monitor tiny_epoll, tiny_ppoll, tiny_adaptive, tiny_read, tiny_busy,
	tiny_spin, tiny_uring_poll, tiny_uring_read;

/* Reads the kick, and serves the queue if there was one. */
void tiny_queue_handle(struct tiny_queue *q);
void tiny_poke_take(struct tiny_consumer *c);

#endif
