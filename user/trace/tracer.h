/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this folder share: the object behind struct tracer, made of three parts that
 * know nothing of each other (kernel.h: programs and maps; stats_map.h: the VMM's stats page;
 * host.h), and the steps that join them into a report.
 */
#ifndef TRACE_TRACER_H
#define TRACE_TRACER_H

#include <handoff/report.h>
#include <handoff/trace.h>
#include "evidence.h"
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
	struct kernel *kernel; /* NULL: no BPF */
	struct stats_map *stats;
	struct host host;
	int64_t start_ns, start_realtime_ns;
	int64_t died_ns;		 /* when we first saw that the VMM was gone; 0 = it lives */
	struct stats_page *before, *now; /* private copies: at the start, at this snapshot */
	struct kernel_view view;	 /* at this snapshot */
	struct tracer_loop loops[STATS_MAX_LOOPS];
	char comm[STATS_NAME_LEN];
};

/* Keeps t->comm and t->loops up to date while there is something to read; `page` is a fresh copy.
 */
void remember_names(struct tracer *t, const struct stats_page *page);

/* The steps of a snapshot, in this order; `now_ns` is when t->now was copied. */
void join_queues(struct tracer *t, struct report *r, int64_t now_ns);
void join_irq_total(struct tracer *t, struct report *r);
void join_io(struct tracer *t, struct report *r);
void join_loops(struct tracer *t, struct report *r, int64_t now_ns);
void join_vcpus(struct tracer *t, struct report *r);
void join_exit_reasons(struct tracer *t, struct report *r);
void join_handovers(const struct tracer *t, struct report *r);

#endif
