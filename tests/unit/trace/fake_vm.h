/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM as discovery would tell of it, for the tests of VMMs that are not ours. */
#ifndef TESTS_TRACE_FAKE_VM_H
#define TESTS_TRACE_FAKE_VM_H

#include "foreign.h"

#define FAKE_PID    4000000 /* no process has it: nothing is read of /proc */
#define FAKE_VM_MAX 80

/* Emptied, and its queues looked at anew: as after a walk that found nothing else. */
struct foreign *fake_foreign_new(void);
void fake_foreign_free(struct foreign *f);

/* Into the next walk. The eventfd's id is `id`, its descriptor id + 100, its context id + 1000. */
struct vm_queue *fake_vm_queue(struct foreign *f, uint64_t gpa, const char *device, uint32_t queue,
			       uint32_t id);
void fake_vm_consumer(struct vm_queue *q, uint32_t tid, enum consumer_how how, const char *comm);
/* An eventfd that is neither a queue's nor an irqfd's, numbered likewise; thread `tid` waits. */
void fake_vm_other(struct foreign *f, uint32_t id, uint64_t count, uint32_t tid);
/* Its context is id + 1000, too. */
void fake_vm_irqfd(struct foreign *f, uint32_t id, uint32_t address, uint32_t data);
/* Empties what the next walk finds. */
void fake_vm_clear(struct foreign *f);

/* The row of the queue at this address; FOREIGN_NONE if there is none. */
uint32_t fake_row(const struct foreign *f, uint64_t gpa);
/* Every row's word to the programs counts as told; how many had something new. */
uint32_t fake_told(struct foreign *f);

#endif
