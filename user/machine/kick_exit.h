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
 * Every `every_ms` from now on a thread of its own runs the program `argv`, which is to print that
 * cost, in ns. A program, so that no tracer takes its VM and its kicks for ours, and so that
 * nothing of ours is copied for a fork; it runs at the lowest priority, and is killed after 10 s.
 * argv must outlive it. NULL with err.
 */
struct kick_exit *kick_exit_start(const char *const *argv, unsigned int every_ms,
				  struct error *err);
/* No program runs after it. NULL is fine. */
void kick_exit_stop(struct kick_exit *k);

#endif
