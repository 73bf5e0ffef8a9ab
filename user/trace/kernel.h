/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's side: the BPF programs that this host takes, attached to one process, and what their
 * maps hold. All of it hangs on file descriptors of this process. One thread at a time.
 */
#ifndef TRACE_KERNEL_H
#define TRACE_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <abi/model.h>
#include "programs.h"

struct kernel;

struct kernel_config {
	pid_t pid;
	uint64_t lost_after_ns;
	bool skip[PROGRAMS]; /* leave these out */
	bool foreign;	     /* not our VMM: no USDT; eventfd reads and registrations are watched */
	bool waits;	     /* keep each, and its kick's exit: costs each kick and each arrival */
	bool uprobes;	     /* of a foreign VMM: on functions it exports, where they are cheap */
	bool uprobes_slow;   /* and elsewhere */
	const char *uprobe_on; /* all on this function instead: a trial. NULL = their own */
	bool rings;	       /* of a foreign VMM: kernel_watch_rings from the start */
	/* Called when the VMM's word on where its queues are is heard, before anything is counted:
	 * the time for kernel_place. May be NULL. */
	void (*place)(struct kernel *k, void *opaque);
	void *opaque;
};

/* What became of one program. */
struct kernel_program {
	bool loaded, attached;
	char why[200]; /* if not */
};

/*
 * Loads what can be loaded, attaches what can be attached, and remembers why the rest could not.
 * NULL with err only if nothing works: no privilege, no BTF, or the process is not there.
 */
struct kernel *kernel_new(const struct kernel_config *config, struct error *err) MUST_CHECK;
void kernel_free(struct kernel *k);
/* The process has ended: what comes under its number from now on is another's. The programs notice
 * by themselves if they were there then. */
void kernel_stop(struct kernel *k);

/* What sched_switch tells here (variants.h). */
bool kernel_switch_has_state(const struct kernel *k);
const struct kernel_program *kernel_program(const struct kernel *k, enum program p);
/* Readable after the VM has registered or dropped an eventfd; kernel_changes empties it and tells
 * how often. -1: not foreign. */
int kernel_changes_fd(const struct kernel *k);
uint64_t kernel_changes(struct kernel *k);

/*
 * The oldest registration that kernel_changes has counted and this has not given yet. False: none.
 * Of thousands at once the oldest are dropped.
 */
bool kernel_next_change(struct kernel *k, struct vm_change *change);

/*
 * Also sees eventfds that are read by io_uring, from now on: every completion of a ring on this
 * machine pays for it where eventfd_read() cannot be hooked. 0 or -errno.
 */
int kernel_watch_rings(struct kernel *k) MUST_CHECK;

/*
 * The tracer's own cost, measured for a while: the kernel keeps run times between the two, which
 * itself costs some 60 ns an event (what of it would be counted in is taken off: run_time.h).
 * kick_side_ns: of the programs in a vCPU's way when it kicks; all_ns: of all. 0 or -errno: the
 * kernel keeps none for us.
 */
int kernel_cost_begin(struct kernel *k) MUST_CHECK;
int kernel_cost_end(struct kernel *k, uint64_t *kick_side_ns, uint64_t *all_ns) MUST_CHECK;
/* What was taken off for each run; 0 = nothing, or no kernel_cost_begin yet. */
uint64_t kernel_run_clock_ns(const struct kernel *k);

/*
 * Tells the programs where the queue of this row of the stats page is. If the VMM has told of the
 * row itself (handoff:queue_placed), that stands. 0 or -errno.
 */
int kernel_place(struct kernel *k, uint32_t row, const struct queue_place *place) MUST_CHECK;

/* What is known of a queue of a VMM that is not ours. */
struct kernel_queue {
	struct queue_ways ways;
	uint64_t ctx; /* of its eventfd; 0 = not known */
	uint32_t n_fds;
	int32_t fd[4];
	struct irq_key msi; /* all 0 = not known */
	bool msi_seen;	    /* it came after kicks of this queue alone; else a guess */
	/* Only of a consumer that is no thread of the VMM or reads no eventfd (vhost): its queues
	 * are looked at whenever it runs. Else 0. */
	uint32_t consumer_tid;
};

/*
 * Tells the programs whose a row is from now on, instead of what was told of the row before; what
 * was counted at an address that another row had stays with that row. All 0: nobody's. 0 or
 * -errno.
 */
int kernel_bind(struct kernel *k, uint32_t row, const struct kernel_queue *queue) MUST_CHECK;

struct kernel_kick {
	struct kick_key key;
	struct kick_state state;
};

struct kernel_irq {
	struct irq_set set;
	struct irq_state state;
};

struct kernel_exit {
	struct exit_key key;
	uint64_t count;
};

/* A copy of the maps. */
struct kernel_view {
	uint32_t n_kicks, n_irqs, n_exits, n_threads;
	uint32_t kicks_room, irqs_room, exits_room;
	struct kernel_kick *kick;
	struct kernel_irq *irq;
	struct kernel_exit *exit;
	struct thread_row thread[MODEL_MAX_THREADS];
	struct queue_state queue[MODEL_MAX_QUEUES];
	uint32_t n_votes;
	struct {
		struct irq_vote vote;
		uint64_t count;
	} vote[MODEL_MAX_VOTES];
	struct trace_seen seen;
	uint64_t loss[LOSSES];
	/* Not copied: MODEL_MAX_QUEUES rows of KICK_STAGES, shared with the programs. */
	const struct hist *hists;
	/* Likewise; MODEL_MAX_LOOPS rows of LOOP_HISTS. */
	const struct hist *loop_hists;
	/* Likewise, one; NULL = there are none. */
	const struct loop_waits *waits;
};

/* Refills view (zeroed before its first use). 0 or -errno: memory is short, or a map cannot be
 * read. */
int kernel_read(struct kernel *k, struct kernel_view *view) MUST_CHECK;
void kernel_view_release(struct kernel_view *view);

/* The histogram of a queue, by its row of the stats page, and a stage below KICK_STAGES; out is
 * emptied first. */
void kernel_stage_hist(const struct kernel_view *view, uint32_t row, enum stage stage,
		       struct hist *out);
/* One of a thread's own; empty if it has none. */
void kernel_loop_hist(const struct kernel_view *view, const struct thread_row *thread,
		      enum loop_hist which, struct hist *out);
/* Copies the waits into out (LOOP_WAITS), oldest first, and returns how many; *total: there were.
 */
uint32_t kernel_waits(const struct kernel_view *view, struct loop_wait *out, uint64_t *total);
/* A histogram as the programs keep it (abi/model.h) into an ordinary one. */
void kernel_hist_read(const struct hist *shared, struct hist *out);

const struct thread_row *kernel_view_thread(const struct kernel_view *view, uint32_t tid);

#endif
