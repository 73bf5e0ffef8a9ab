/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine is: once at the start; steal time at each snapshot. */
#ifndef TRACE_HOST_H
#define TRACE_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host {
	char kernel[64], kvm[64], cpu[64];
	bool hypervisor;   /* the host is a guest itself */
	uint64_t steal_ns; /* of all CPUs, since boot */
};

void host_read(struct host *host);
uint64_t host_steal_ns(void);

#endif
