// SPDX-License-Identifier: BSD-2-Clause
/*
 * The semaphores of our USDT points. A tracer's uprobe names one as its reference counter: the
 * kernel raises it when the probe is attached and lowers it when the tracer lets go or dies. The
 * section's name is what systemtap's notes point into.
 */
#include <handoff/probes.h>

#define PROBE(name, nargs, args)                                                                   \
	volatile unsigned short handoff_##name##_semaphore __attribute__((section(".probes")));
#include <abi/probes.def>
