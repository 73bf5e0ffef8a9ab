/* SPDX-License-Identifier: BSD-2-Clause */
/* All of the tiny VMM. In memory shared with its child, if it has one. */
#ifndef TESTS_TINY_VMM_H
#define TESTS_TINY_VMM_H

#include <lib/tiny_consumer.h>
#include <lib/tiny_vm.h>
#include "options.h"

struct vmm {
	struct options o;
	struct tiny_vm vm;
	struct tiny_queue queue[TINY_MAX_QUEUES];
	struct tiny_consumer consumer[TINY_MAX_QUEUES]; /* o.styles of them */
	unsigned int registered;			/* queues */
	int progress;
	pid_t child;
	bool frozen;
	pthread_t churner;
	bool churn_end;
	uint64_t churns; /* ioeventfds registered and dropped; by its thread */
};

#endif
