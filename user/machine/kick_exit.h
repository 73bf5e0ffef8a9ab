/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps what a kick costs a vCPU of this host (C_exit of tuning.md), which the loops' policies
 * count with, up to date: a host changes its pace, and a VM its host. Main thread.
 */
#ifndef MACHINE_KICK_EXIT_H
#define MACHINE_KICK_EXIT_H

#include <handoff/error.h>

struct kick_exit;

/*
 * Measures now, and returns once that is known, then every `every_ms` in a thread of its own; each
 * time anew by a process that is gone when it has measured (some 10 ms of a CPU, at the lowest
 * priority but for the first), so that no tracer takes its VM and kicks for ours. NULL with err:
 * cannot be measured here.
 */
struct kick_exit *kick_exit_start(const char *device, unsigned int every_ms, struct error *err);
/* No measurement is under way after it. NULL is fine. */
void kick_exit_stop(struct kick_exit *k);

#endif
