/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of the tables, as text: the summary prints them, the live screen draws them, so that
 * both say the same. Pure functions; each writes at most `size` bytes with the NUL and never a
 * newline. Main thread.
 */
#ifndef HANDOFF_VIEW_ROWS_H
#define HANDOFF_VIEW_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <abi/model.h>

struct report;
struct report_alarm;
struct report_io;
struct report_loop;
struct report_queue;
struct report_stage;
struct report_vcpu;
struct hist;

#define VIEW_ROW    512 /* bytes of a row: UTF-8 blocks take three each */
#define VIEW_FIGURE 16
#define VIEW_NAME   48

/*
 * Columns of names, as wide as the report's names need. Rows have 80 columns with short ones, 100
 * at most.
 */
struct view_columns {
	int queue, loop;
};
struct view_columns view_columns(const struct report *r);

/* The spark: buckets of a power of two from 128 ns to 17 ms, one column each. */
#define VIEW_SPARK_FIRST_LOG2 7
#define VIEW_SPARK_COLUMNS    18

void view_row_stage_header(char *buf, size_t size);
void view_row_stage(const struct report_stage *stage, enum stage s, bool utf8, char *buf,
		    size_t size);
void view_row_queue_header(struct view_columns c, char *buf, size_t size);
void view_row_queue(const struct report_queue *q, struct view_columns c, char *buf, size_t size);
/* What the kicks met. */
void view_row_kicks_header(struct view_columns c, char *buf, size_t size);
void view_row_kicks(const struct report_queue *q, struct view_columns c, char *buf, size_t size);
void view_row_loop_header(struct view_columns c, char *buf, size_t size);
void view_row_loop(const struct report_loop *l, struct view_columns c, char *buf, size_t size);
/* Its poll settings: all that the VMM tells. */
void view_row_settings(const struct report_loop *l, char *buf, size_t size);
/* The place of the loop of this thread; if there is none, of the first iothread, else of the first
 * loop; -1: there are no loops. */
int view_loop_at(const struct report *r, uint32_t tid);
void view_row_vcpu_header(char *buf, size_t size);
void view_row_vcpu(const struct report_vcpu *v, char *buf, size_t size);
/* A sentence: kicks and other writes to device memory, where mmio_evidence is not absent. */
void view_row_writes(const struct report_io *io, char *buf, size_t size);

void view_row_alarm(const struct report_alarm *a, char *buf, size_t size);
/* All of them with their stacks, on lines of their own. */
void view_alarms(const struct report *r, unsigned int width, FILE *to);
/* The figures of all queues as sentences, behind an empty line. */
void view_verdict(const struct report *r, FILE *to);

/* "disk0.0"; "~0xfe003000.0" if the name is a guess, "?" in front if not even that. Returns buf. */
char *view_queue_name(const struct report_queue *q, char buf[VIEW_NAME]);
void view_spark(const struct hist *h, bool utf8, char *buf, size_t size);
/*
 * What is not known stays off every screen and is null in the JSON. Without evidence from the
 * kernel nobody saw how an arrival was met that the fd handler served: busy and lost stand under
 * notified.
 */
bool view_outcome_known(const struct report_queue *q, enum outcome o);
bool view_wasted_known(const struct report_queue *q);
/* "tracer: 0.41us a kick, 1.2% of a CPU"; false where nobody measured it. */
bool view_tracer(const struct report *r, char *buf, size_t size);
/* A program was attached: only then there was something to lose. */
bool view_watched(const struct report *r);
/* Did anyone watch the vCPUs? */
bool view_vcpus_known(const struct report *r);
/* Bytes of `text` that fill at most `columns` columns, without trailing blanks. */
size_t view_cut(const char *text, unsigned int columns);
/* "1234567" as "1.23M": at most 6 characters. Returns buf. */
char *view_count(char buf[VIEW_FIGURE], uint64_t n);
/* part of whole as "12.3%"; "-" when whole is 0. Returns buf. */
char *view_percent(char buf[VIEW_FIGURE], uint64_t part, uint64_t whole);
/* The same by its evidence: "?" if absent, "~" in front if inferred. Return buf. */
char *view_figure(char buf[VIEW_FIGURE], enum evidence evidence, uint64_t n);
char *view_share(char buf[VIEW_FIGURE], enum evidence evidence, uint64_t part, uint64_t whole);
/* Does the terminal's character set have the blocks? */
bool view_utf8(void);

#endif
