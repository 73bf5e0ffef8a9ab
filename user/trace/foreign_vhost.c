// SPDX-License-Identifier: BSD-2-Clause
/*
 * The worker that serves a VM's vhost queues. An eventfd's wait queue tells that there is one and
 * not who it is; its name tells whose VM's it is, so it is known where that has only one. Each NIC
 * brings its own: with other eventfds it is looked for anew.
 */
#include "foreign.h"

#include <handoff/compiler.h>
#include "discover.h"

/* Walks after a look that found none, or several: one of them may have been about to end. A look
 * reads the comm of each of the VMM's threads, and up to 6.3 of each process of the machine: some
 * ms. */
#define LOOK_AGAIN 8

static bool is_for_vhost(const struct vm_eventfd *e)
{
	uint32_t i;

	for (i = 0; i < e->n_consumers && i < VM_CONSUMERS; i++)
		if (e->consumer[i].how == CONSUMER_VHOST)
			return true;
	return false;
}

/* Which they are, in one number (FNV-1a, by words); 0 = there are none. */
static uint64_t vhost_eventfds(const struct vm *vm)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	bool any = false;
	uint32_t i;

	for (i = 0; i < vm->n_queues; i++) {
		const struct vm_eventfd *e = &vm->queue[i].eventfd;

		if (!is_for_vhost(e))
			continue;
		hash = (hash ^ e->ctx) * 0x100000001b3ull;
		hash = (hash ^ e->id) * 0x100000001b3ull;
		any = true;
	}
	return any ? hash : 0;
}

/* Of the same eventfds: the thread may have ended, or may be alone by now. */
static bool is_looked_for(struct foreign *f)
{
	if (f->vhost_tid)
		return is_vhost_worker(f->pid, f->vhost_tid);
	return ++f->vhost_walks < LOOK_AGAIN;
}

void foreign_look_for_vhost(struct foreign *f)
{
	uint64_t eventfds = vhost_eventfds(f->vm);
	bool same = eventfds == f->vhost_eventfds;

	f->vhost_eventfds = eventfds;
	if (eventfds && same && is_looked_for(f))
		return;
	f->vhost_walks = 0;
	f->vhost_tid = eventfds ? find_vhost_worker(f->pid) : 0;
}

bool foreign_is_unwatched(const struct foreign_row *row)
{
	return row->how == CONSUMER_VHOST && !row->seen_tid;
}
