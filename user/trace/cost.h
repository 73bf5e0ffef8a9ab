/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tracer itself costs, by samples: the kernel's accounting of BPF run times, some 60 ns an
 * event of every BPF program on this machine, is on between two snapshots: for one interval in
 * eight, and until there is a result in those that follow one with kicks. Results are kept between.
 * One thread at a time.
 */
#ifndef TRACE_COST_H
#define TRACE_COST_H

#include <stdbool.h>
#include <stdint.h>

#define COST_EVERY 8

struct cost {
	bool wanted, on;
	uint32_t intervals;  /* that have ended */
	int64_t since_ns;    /* the sample under way */
	uint64_t kicks;	     /* until it began */
	uint64_t last_kicks; /* until the last interval ended */
	double cpu, kick_ns; /* of the last sample that had something to say; < 0 = none had */
};

/* Nothing is known; `wanted` as it is. */
void cost_init(struct cost *c, bool wanted);
/* The sample that is under way ends, with all kicks so far and what the programs took in it. Pure.
 */
void cost_take(struct cost *c, int64_t now_ns, uint64_t kicks, uint64_t kick_side_ns,
	       uint64_t all_ns);
/* An interval ends, with all kicks so far; is the next one a sample? Pure. */
bool cost_next(struct cost *c, uint64_t kicks);

#endif
