/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this folder share: the object behind struct tracer, made of parts that know
 * nothing of each other (kernel.h: programs and maps; stats_map.h: the VMM's stats page, or
 * foreign.h: what discovery tells of a VMM that has none; host.h), and the steps that join them
 * into a report.
 */
#ifndef TRACE_TRACER_H
#define TRACE_TRACER_H

#include <handoff/report.h>
#include <handoff/trace.h>
#include "cost.h"
#include "evidence.h"
#include "folded.h"
#include "foreign.h"
#include "host.h"
#include "kernel.h"
#include "stats_map.h"

/* What is gone with a loop's thread, or with its row: as it was last. */
struct tracer_loop {
	uint32_t kind; /* enum stats_loop_kind */
	char comm[STATS_NAME_LEN];
};

struct tracer {
	struct tracer_config config;
	char no_bpf_reason[REPORT_TEXT];
	int pidfd;
	struct kernel *kernel;	 /* NULL: no BPF */
	struct stats_map *stats; /* NULL: not our VMM */
	struct foreign *foreign; /* NULL: our VMM */
	struct alarms *alarms;	 /* NULL: none are looked for */
	struct folded *folded;	 /* NULL: not asked for */
	struct cost cost;
	uint64_t folded_kick_ns, folded_all_ns; /* folded_run_ns when the sample began */
	struct host host;
	int64_t start_ns, start_realtime_ns;
	bool late;	 /* the guest ran already */
	int64_t died_ns; /* when we first saw that the VMM was gone; 0 = it lives */
	/* Private copies: at the start, at this snapshot. Of a VMM that is not ours: made up from
	 * what discovery and the maps tell, `before` all 0. */
	struct stats_page *before, *now;
	struct kernel_view view; /* at this snapshot */
	uint32_t n_vcpus;
	struct vm_vcpu vcpu[REPORT_VCPUS]; /* that have run */
	struct tracer_loop loops[STATS_MAX_LOOPS];
	/* 1 + the loop that served the queue when it was last seen started; of our VMM. */
	uint32_t served_by[STATS_MAX_QUEUES];
	uint32_t queue_row[STATS_MAX_QUEUES]; /* of the report's queues: the row of the page */
	char comm[STATS_NAME_LEN];
};

/* Notes when the VMM has ended: a pidfd becomes readable then, whether or not it was waited for. */
void look_if_alive(struct tracer *t);
/* Where the queues are by a copy of the stats page, for programs that have heard nothing of them.
 */
void place_queues(struct kernel *k, const struct stats_page *page);

/* Keeps t->comm, loops and served_by up to date while there is something to read; `page` is a fresh
 * copy. */
void remember_names(struct tracer *t, const struct stats_page *page);

/* The name a thread gave itself, printable; left as it is when there is nothing to read any more.
 */
void read_comm(pid_t pid, uint32_t tid, char comm[STATS_NAME_LEN]);

/* Into t->vcpu: of a foreign VM by the last walk, else by the page. */
void take_vcpus(struct tracer *t, const struct stats_page *page);

/* The steps of a snapshot, in this order; `now_ns` is when t->now was copied. */
void join_queues(struct tracer *t, struct report *r, int64_t now_ns);
void join_irq_total(struct tracer *t, struct report *r);
void join_io(struct tracer *t, struct report *r);
void join_loops(struct tracer *t, struct report *r, int64_t now_ns);
void join_vcpus(struct tracer *t, struct report *r);
void join_exit_reasons(struct tracer *t, struct report *r);
void join_handovers(const struct tracer *t, struct report *r);

/* --- alarms (alarm.c), only for a VMM that is not ours ---------------------------------------- */

struct alarms;

/* Called once, at the end of tracer_new; NULL: none, which is no failure. */
struct alarms *alarms_new(const struct tracer *t);
void alarms_free(struct alarms *a);
/* At the end of a snapshot: fills r->alarm, n_alarms, alarms_total; looks for alarms itself if
 * tracer_check_alarms has not just done so. The VM and its queues by foreign_vm and foreign_queue,
 * kicks by t->view. */
void alarms_check(struct tracer *t, struct report *r, int64_t now_ns);

#endif
