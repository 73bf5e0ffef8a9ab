/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process's threads by the numbers it knows them by: in a pid namespace of its own (a container)
 * they are not ours. Main thread.
 */
#ifndef CMD_NAMES_THREADS_H
#define CMD_NAMES_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <handoff/compiler.h>
#include <handoff/error.h>

struct names_threads {
	size_t n;
	struct names_thread {
		uint32_t inner, tid; /* its own number, ours */
	} * thread;
};

/* 0, or -errno with err: no such process, no memory. */
int names_threads_read(struct names_threads *t, pid_t pid, struct error *err) MUST_CHECK;
void names_threads_release(struct names_threads *t);

/* Our number of the thread that calls itself `inner`; 0 = there is none. */
uint32_t names_threads_find(const struct names_threads *t, int64_t inner);

/* Are we where every process has a number? In a container, VMs beside it have none. */
bool names_pids_are_hosts(void);
/* -ENOENT with err, which says so. */
int names_no_vm_inside(struct error *err);

#endif
