/* SPDX-License-Identifier: BSD-2-Clause */
/* The tiny VMM's command line. */
#ifndef TESTS_TINY_OPTIONS_H
#define TESTS_TINY_OPTIONS_H

#include <lib/tiny_consumer.h>

enum tiny_irq { TINY_IRQFD, TINY_SIGNAL_MSI, TINY_NO_IRQ };

struct options {
	unsigned int queues, vcpus, first_vcpu, late, len, spacing, limit_s;
	unsigned int styles;
	enum tiny_style style[TINY_MAX_QUEUES];
	uint64_t kicks, pause;
	enum tiny_irq irq;
	int never_drain; /* -1 = no queue */
	bool datamatch, pio, userspace, sync, churn, process, run;
};

/* Ends the process where it makes no sense. */
void options_parse(struct options *o, int argc, char **argv);

#endif
