/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interrupt sink that counts. A route's eventfd is read when somebody asks, as KVM's irqfd would
 * have at once; while masked it is left alone.
 *
 * Threads: routes under the BQL; counts are asked for by any thread.
 */
#ifndef TESTS_FAKE_IRQ_SINK_H
#define TESTS_FAKE_IRQ_SINK_H

#include <pthread.h>
#include <stdint.h>
#include <handoff/irq_sink.h>
#include <handoff/list.h>

#define FAKE_IRQ_MESSAGES 64

struct fake_irq_sink {
	struct irq_sink sink;
	pthread_mutex_t lock; /* of what follows */
	struct list_head routes;
	unsigned int n_routes;
	uint64_t fired[FAKE_IRQ_MESSAGES]; /* by message data */
	unsigned int routes_left;	   /* route_new fails when this is 0 */
};

void fake_irq_sink_init(struct fake_irq_sink *sink);
/* All routes are gone. */
void fake_irq_sink_release(struct fake_irq_sink *sink);
/* Interrupts so far with this message data, those that are signalled and unmasked included. */
uint64_t fake_irq_sink_fired(struct fake_irq_sink *sink, uint32_t data);

#endif
