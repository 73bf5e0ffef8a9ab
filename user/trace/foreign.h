/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM that is not ours, as discovery sees it, made into the rows of a private stats page, so that
 * join.c and loops.c work for it too. A row belongs to a queue by its first way to be kicked (bus,
 * address, value): so it survives a reset, where a VMM makes new eventfds; one whose queue has gone
 * keeps its counts. Files: foreign.c (life, page), foreign_given.c, foreign_vhost.c,
 * foreign_rows.c, foreign_loops.c, foreign_votes.c. One thread at a time.
 */
#ifndef TRACE_FOREIGN_H
#define TRACE_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <abi/stats.h>
#include <handoff/discover.h>
#include <handoff/report.h>
#include <handoff/trace.h>
#include "kernel.h"

#define FOREIGN_NONE ~0u

struct foreign_row {
	bool used;
	bool present;	       /* the VM has the queue now */
	bool stale;	       /* `to_tell` is not what the programs were told */
	bool had_eventfd;      /* some time: else nobody's reads can be seen */
	struct kick_key first; /* whose row it is */
	char device[VM_NAME];
	uint32_t queue;
	enum evidence name_evidence;
	char name_reason[VM_TEXT];
	uint32_t vm_queue; /* if present: of f->vm */
	uint32_t seen_tid; /* whom discovery saw waiting last; 0 = nobody yet */
	bool outside;	   /* that is no thread of the VMM's */
	enum consumer_how how;
	uint32_t loop; /* of f->loop, FOREIGN_NONE = nobody is known to serve it */
	/* inferred: by the order of eventfds, a guess, or by votes of some queues only; exact: by
	 * votes, and by the irqfd of what was voted for */
	enum evidence msi_evidence;
	uint64_t msi_ctx;	/* of the eventfd of the irqfd that carries it; 0 = not known */
	uint32_t msi_id;	/* and its id: either is used again */
	struct irq_key msi_was; /* before its irqfd was moved, since votes were last taken */
	struct kernel_queue to_tell;
};

struct foreign_loop {
	uint32_t tid;		 /* 0 = free */
	bool served;		 /* it has served a queue */
	bool waits;		 /* or was seen to wait for one, which nobody else served */
	char id[STATS_NAME_LEN]; /* kept; names may better it */
	enum consumer_how how;
	uint32_t named; /* 1 + index in names.loop; 0 = names do not know it */
};

/* Votes that have been used already. */
struct foreign_votes {
	uint32_t n;
	struct {
		struct irq_vote vote;
		uint64_t count;
	} seen[MODEL_MAX_VOTES];
};

/* A queue's address that no walk told of. */
#define FOREIGN_GIVEN (2 * STATS_MAX_QUEUES)
struct foreign_given {
	struct kick_key way;
	int32_t fd; /* of the eventfd that was registered for it; -1 = given by hand */
};

struct foreign {
	pid_t pid;
	struct discover *discover; /* NULL: see evidence of vm */
	struct vm_list list;
	struct vm *vm; /* of list; NULL = none yet. Stays as it was last when it is gone */
	bool is_there; /* the last walk found it */
	bool has_names;
	struct vm_names names;
	uint32_t n_given;
	struct foreign_given given[FOREIGN_GIVEN];
	struct foreign_row row[STATS_MAX_QUEUES];
	struct foreign_loop loop[STATS_MAX_LOOPS];
	struct foreign_votes votes;
	/* By id. One that was taken out stays, until another has its number. */
	uint32_t n_vcpus;
	struct vm_vcpu vcpu[REPORT_VCPUS];
	uint64_t no_room; /* queues, loops and vCPUs that found no row */
	bool rings;	  /* the programs watch io_uring */
	/* The VM's only vhost worker; 0 = none, or several. As it was looked for when the VM had
	 * these vhost eventfds, so many walks ago (foreign_vhost.c). */
	uint32_t vhost_tid;
	uint32_t vhost_walks;
	uint64_t vhost_eventfds;
};

/* Looks at the process once. NULL with err: no VM in it, no privilege. */
struct foreign *foreign_new(const struct tracer_config *config, struct error *err) MUST_CHECK;
void foreign_free(struct foreign *f);

/*
 * Walks again, and tells the programs what has changed. A VM that is gone changes
 * nothing. 0 or -errno with err.
 */
int foreign_refresh(struct foreign *f, struct kernel *k, struct error *err) MUST_CHECK;
void foreign_set_names(struct foreign *f, const struct vm_names *names);
/* Does any queue's eventfd wait for an io_uring? */
bool foreign_has_rings(const struct foreign *f);
/* Tells the programs of the rows that have changed. */
void foreign_tell(struct foreign *f, struct kernel *k);

/* Who serves which queue, and whose each interrupt is, by what the programs saw. */
void foreign_learn(struct foreign *f, const struct kernel_view *view);
/* The page: rows of queues and loops. vCPUs are f->vcpu: a page has no room for any id. */
void foreign_fill(const struct foreign *f, struct stats_page *page);

/* The VM at the last walk, NULL if there was none yet; and a row's queue in it, NULL if it has
 * gone. */
const struct vm *foreign_vm(const struct foreign *f);
const struct vm_queue *foreign_queue(const struct foreign *f, uint32_t row);
/* Is this thread a vCPU of the VM, as the last walk found it? */
bool foreign_is_vcpu(const struct foreign *f, uint32_t tid);
/* Its kicks are taken by a vhost worker, and which is not known: nobody is seen to take them. */
bool foreign_is_unwatched(const struct foreign_row *row);

/* Who is f->vhost_tid now that f->vm is there: asks /proc. */
void foreign_look_for_vhost(struct foreign *f);

/* --- the files' own, each pure -------------------------------------------------------------- */

/* An address given by hand, and a registration that was heard of. */
void foreign_give(struct foreign *f, const struct kick_key *way);
void foreign_hear(struct foreign *f, const struct vm_change *change);
/* Into f->vm. */
void foreign_add_given(struct foreign *f);
/* All of the VM that f->vm is now. */
void foreign_take_vm(struct foreign *f);
/* Rows of the queues of f->vm. */
void foreign_take_rows(struct foreign *f);
/* Slots of the threads that serve or wait, and their names. */
void foreign_take_loops(struct foreign *f);
void foreign_take_vcpus(struct foreign *f);
/* The slot of a thread, a new one if need be; FOREIGN_NONE if it is a vCPU's, or there is no room.
 */
uint32_t foreign_loop_of(struct foreign *f, uint32_t tid);
/* MSI messages of rows: by votes, as the irqfd of those that were voted for has it now, else by
 * order. */
void foreign_take_votes(struct foreign *f, const struct kernel_view *view);
void foreign_follow_messages(struct foreign *f);
void foreign_guess_messages(struct foreign *f);

#endif
