/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Discovery's parts: the object and its walks (discover.c), a walk's records in order
 * (discover_walk.c) and as VMs (discover_build.c), which queue is whose (discover_name.c), whose
 * process it is (discover_process.c). One thread at a time.
 */
#ifndef TRACE_DISCOVER_H
#define TRACE_DISCOVER_H

#include <abi/discover.h>
#include <handoff/discover.h>

/* What one run of the iterator found; kept sorted, and each thing once (walk_sort). */
struct walk {
	uint32_t n, room;
	struct discover_record *record;
	struct discover_out out;
};

/* Into the order walk_same asks for, and without what was met twice. Pure. */
void walk_sort(struct walk *w);
/* Do both tell of the same VMs, vCPUs and registrations? Neither was torn. Pure. */
bool walk_same(const struct walk *a, const struct walk *b);
/* Leaves in w what `before` has too. Descriptors stay: the kernel keeps their table whole. Pure. */
void walk_intersect(struct walk *w, const struct walk *before);
void walk_release(struct walk *w);

/* Appends the VMs of a sorted walk to the list, queues not named yet. 0 or -ENOMEM. */
int vm_list_add(struct vm_list *list, const struct walk *w) MUST_CHECK;
/* Another look at the same VMs: who waits, and what has been signalled since. Pure. */
void vm_list_look(struct vm_list *list, const struct walk *w);

/* MMIO first, then by address and value. Pure. */
int compare_ways(const struct kick_key *a, const struct kick_key *b);

/* comm, command and kind of vm->pid, from /proc. */
void vm_read_process(struct vm *vm);
/* The only thread that is called as a vhost worker of this process (vhost-PID), a kernel thread up
 * to 6.3 and its own later; 0 = none, or several. */
uint32_t find_vhost_worker(pid_t pid);
/* Is that thread there, and called so? */
bool is_vhost_worker(pid_t pid, uint32_t tid);
/* Ends the text at `size`, and makes of it what a terminal may be sent. */
void make_printable(char *text, size_t size);

#endif
