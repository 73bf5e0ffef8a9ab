/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folded stacks, for --folded: folded.c follows the loops (bpf/fold.bpf.c) and walks the stacks
 * that come, folded_lines.c adds them up. A line is "VMM;loop;running;frames", "VMM;loop;asleep;
 * woken by somebody;frames", outermost frame first, or "VMM;loop;runnable" where it waits for a
 * CPU, and its time in ns. One thread at a time.
 */
#ifndef TRACE_FOLDED_H
#define TRACE_FOLDED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <handoff/compiler.h>
#include <abi/stack.h>
#include <abi/stats.h>
#include <handoff/discover.h>
#include <handoff/error.h>
#include <handoff/report.h>

struct folded;

/* NULL with err: they cannot be had. switch_has_state: of sched_switch (variants.h). */
struct folded *folded_new(bool switch_has_state, struct error *err) MUST_CHECK;
void folded_free(struct folded *f);
/* The loops of the page are followed from now on, by these names; vCPUs are named as wakers. */
void folded_follow(struct folded *f, const struct stats_page *page, const struct vm_vcpu *vcpu,
		   uint32_t n_vcpus);
/* Readable when there is much to take: a quarter of the ring. */
int folded_fd(const struct folded *f);
/* Takes what has come: some 0.3 ms a record, 99 a second for each loop that runs. 20 ms and a
 * record at most: what comes faster fills the ring, and what finds no room there is told by its
 * time. */
void folded_take(struct folded *f);
/* Run time of its programs so far, as the kernel keeps it while it is asked to: of those in a
 * kick's way, and of all, less run_clock_ns for each run (run_time.h). */
void folded_run_ns(const struct folded *f, uint64_t run_clock_ns, uint64_t *kick_side_ns,
		   uint64_t *all_ns);
/* Ends collecting. 0 or -errno with err. */
int folded_write(struct folded *f, const char *vmm, pid_t pid, FILE *to,
		 struct error *err) MUST_CHECK;

#define FOLDED_LINES  16384
#define FOLDED_FRAMES 64

/* --- folded_lines.c: pure ----------------------------------------------------------------------
 */

struct folded_lines;

/* NULL: no memory. */
struct folded_lines *folded_lines_new(void) MUST_CHECK;
void folded_lines_free(struct folded_lines *l);

/*
 * Adds ns to the line of this thread and text. What there is no room for goes to a line of the
 * thread's that says so; without memory, or with no room even for that, it is lost: false.
 */
bool folded_lines_add(struct folded_lines *l, uint32_t tid, const char *text, uint64_t ns);

/* Calls `tell` for each line, by thread, then text. */
void folded_lines_each(const struct folded_lines *l,
		       void (*tell)(void *opaque, uint32_t tid, const char *text, uint64_t ns),
		       void *opaque);

/* A line's text, made frame by frame. What does not fit is left out at the end. */
struct folded_text {
	size_t used;
	char text[FOLDED_FRAMES * 2 * REPORT_FRAME];
};

/* ';' separates frames and a line break lines: in a name they become ':' and '?'. */
void folded_text_add(struct folded_text *t, const char *frame);

#endif
