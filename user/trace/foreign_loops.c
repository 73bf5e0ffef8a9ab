// SPDX-License-Identifier: BSD-2-Clause
/*
 * The threads that serve queues, by what they did or how they wait, and how they are called: as
 * names say, else "main" for the first thread, else by their comm as far as that tells them apart.
 * A slot and a name stay a thread's.
 */
#include "foreign.h"

#include <stdio.h>
#include <string.h>
#include <handoff/compiler.h>
#include "tracer.h"

bool foreign_is_vcpu(const struct foreign *f, uint32_t tid)
{
	uint32_t i;

	for (i = 0; f->vm && i < f->vm->n_vcpus; i++)
		if (f->vm->vcpu[i].tid == tid)
			return true;
	return false;
}

/* False: there is no room. */
static bool take_vcpu(struct foreign *f, const struct vm_vcpu *vcpu)
{
	uint32_t i;

	for (i = 0; i < f->n_vcpus && f->vcpu[i].id < vcpu->id; i++)
		;
	if (i == f->n_vcpus || f->vcpu[i].id != vcpu->id) {
		if (f->n_vcpus == REPORT_VCPUS)
			return false;
		memmove(&f->vcpu[i + 1], &f->vcpu[i], (f->n_vcpus++ - i) * sizeof(*vcpu));
	}
	f->vcpu[i] = *vcpu;
	return true;
}

void foreign_take_vcpus(struct foreign *f)
{
	uint64_t no_room = 0;
	uint32_t i;

	for (i = 0; i < f->vm->n_vcpus; i++)
		if (f->vm->vcpu[i].tid && !take_vcpu(f, &f->vm->vcpu[i]))
			no_room++;
	f->no_room = MAX(f->no_room, no_room);
}

static bool id_is_taken(const struct foreign *f, const struct foreign_loop *loop, const char *id)
{
	uint32_t i;

	for (i = 0; i < STATS_MAX_LOOPS; i++)
		if (&f->loop[i] != loop && f->loop[i].tid && !strcmp(f->loop[i].id, id))
			return true;
	return false;
}

/* Threads that never named themselves have their process's comm, which tells nothing. */
static void name_loop(const struct foreign *f, struct foreign_loop *loop, const char *comm)
{
	char process[STATS_NAME_LEN] = "", id[STATS_NAME_LEN];

	read_comm(f->pid, f->pid, process);
	if (loop->tid == (uint32_t)f->pid)
		snprintf(id, sizeof(id), "main");
	else if (!comm[0] || !strcmp(comm, process))
		snprintf(id, sizeof(id), "io:%u", loop->tid);
	else if (id_is_taken(f, loop, comm))
		snprintf(id, sizeof(id), "%.20s:%u", comm, loop->tid);
	else
		snprintf(id, sizeof(id), "%s", comm);
	memcpy(loop->id, id, sizeof(loop->id));
}

/* What names say of it. */
static void take_names(struct foreign *f, struct foreign_loop *loop)
{
	uint32_t i;

	loop->named = 0;
	for (i = 0; f->has_names && i < f->names.n_loops && i < VM_NAMES_MAX; i++) {
		if (f->names.loop[i].tid != loop->tid)
			continue;
		loop->named = i + 1;
		if (f->names.loop[i].id[0])
			memcpy(loop->id, f->names.loop[i].id, sizeof(loop->id));
		loop->id[sizeof(loop->id) - 1] = '\0';
	}
}

static uint32_t loop_with_comm(struct foreign *f, uint32_t tid, const char *known_comm)
{
	char comm[STATS_NAME_LEN] = "";
	struct foreign_loop *loop;
	uint32_t i;

	if (!tid || foreign_is_vcpu(f, tid))
		return FOREIGN_NONE;
	for (i = 0; i < STATS_MAX_LOOPS; i++)
		if (f->loop[i].tid == tid)
			return i;
	for (i = 0; i < STATS_MAX_LOOPS && f->loop[i].tid; i++)
		;
	if (i == STATS_MAX_LOOPS) {
		f->no_room = MAX(f->no_room, 1);
		return FOREIGN_NONE;
	}
	loop = &f->loop[i];
	loop->tid = tid;
	if (known_comm && known_comm[0])
		snprintf(comm, sizeof(comm), "%s", known_comm);
	else
		read_comm(f->pid, tid, comm);
	name_loop(f, loop, comm);
	take_names(f, loop);
	return i;
}

uint32_t foreign_loop_of(struct foreign *f, uint32_t tid)
{
	return loop_with_comm(f, tid, NULL);
}

static const char *consumer_comm(const struct vm_queue *q, uint32_t tid)
{
	uint32_t i;

	for (i = 0; q && i < q->eventfd.n_consumers && i < VM_CONSUMERS; i++)
		if (q->eventfd.consumer[i].tid == tid)
			return q->eventfd.consumer[i].comm;
	return NULL;
}

void foreign_take_loops(struct foreign *f)
{
	uint32_t i, loop;

	for (i = 0; i < STATS_MAX_LOOPS; i++) {
		f->loop[i].waits = false;
		if (f->loop[i].tid)
			take_names(f, &f->loop[i]);
	}
	for (i = 0; f->has_names && i < f->names.n_loops && i < VM_NAMES_MAX; i++)
		foreign_loop_of(f, f->names.loop[i].tid);
	for (i = 0; i < STATS_MAX_QUEUES; i++) {
		struct foreign_row *row = &f->row[i];

		if (!row->used || !row->seen_tid)
			continue;
		loop = loop_with_comm(f, row->seen_tid,
				      consumer_comm(foreign_queue(f, i), row->seen_tid));
		if (loop == FOREIGN_NONE)
			continue;
		f->loop[loop].how = row->how;
		/* Who was seen to serve it is known better than who waits, whoever that is. */
		if (row->loop == FOREIGN_NONE || !f->loop[row->loop].served)
			row->loop = loop;
		f->loop[row->loop].waits = true;
	}
}
