/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a PCI device's interrupts go: implemented by kvm/ (MSI routes with irqfds) and by tests.
 * PCI never sees KVM. A route is a prepared MSI message with an eventfd that fires it: signalling
 * it takes one write(2), from any thread.
 */
#ifndef HANDOFF_IRQ_SINK_H
#define HANDOFF_IRQ_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/error.h>

struct EventNotifier;
struct irq_route;

struct msi_message {
	uint64_t address;
	uint32_t data;
};

struct irq_sink;
struct irq_sink_ops {
	/* Sends a message once, from the main context. 0 or -errno. */
	int (*send)(struct irq_sink *sink, const struct msi_message *msg);
	/*
	 * A route that fires msg whenever e is signalled. Main context. NULL with err (out of GSIs,
	 * irqfd refused).
	 */
	struct irq_route *(*route_new)(struct irq_sink *sink, const struct msi_message *msg,
				       struct EventNotifier *e, struct error *err);
	/*
	 * Changes the message. A signal before this returns goes to the old or the new one, never
	 * lost.
	 */
	int (*route_set)(struct irq_route *route, const struct msi_message *msg);
	/*
	 * Masked: e's signals are no longer consumed by the sink but stay pending in the eventfd
	 * (the device model polls them). Unmasked: a signal that is pending then fires at once.
	 */
	int (*route_mask)(struct irq_route *route, bool masked);
	void (*route_free)(struct irq_route *route);
};

struct irq_sink {
	const struct irq_sink_ops *ops;
};

#endif
