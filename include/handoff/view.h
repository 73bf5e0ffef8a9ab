/* SPDX-License-Identifier: BSD-2-Clause */
/* Renderings of a report: JSON, text, live screen. They read reports and nothing else. Main thread.
 */
#ifndef HANDOFF_VIEW_H
#define HANDOFF_VIEW_H

#include <stdbool.h>
#include <stdio.h>
#include <handoff/error.h>

struct report;
struct report_loop;
struct view_live;

/*
 * Writes the document with a newline at the end. 0, or -errno if writing failed (EPIPE, ENOSPC)
 * with err.
 */
int view_json(const struct report *r, FILE *to, struct error *err) MUST_CHECK;
/* To a file, as handoff/out_file.h has it. */
int view_json_file(const struct report *r, const char *path, struct error *err) MUST_CHECK;

/* Several VMs: {"schema": VIEW_REPORTS_SCHEMA, "reports": [...]}, each a report as above. */
#define VIEW_REPORTS_SCHEMA "handoff.reports/1"
int view_json_reports_file(const struct report *const *report, size_t n, const char *path,
			   struct error *err) MUST_CHECK;

/*
 * The summary at the end: ten stage rows with a small histogram each, queues, loops, losses, guest.
 * At most `width` columns.
 */
void view_summary(const struct report *r, unsigned int width, FILE *to);

/*
 * One interval on one or few lines, for a pipe: `interval` = what happened since the last, `total`
 * = since the start. by_pid: each line begins with the VMM's pid.
 */
void view_interval_line(const struct report *interval, const struct report *total, bool by_pid,
			FILE *to);

/* LONGER .. POLICY: of the loop that is picked. */
enum view_event {
	VIEW_NONE,
	VIEW_QUIT,
	VIEW_NEXT,
	VIEW_PREVIOUS,
	VIEW_LONGER,
	VIEW_SHORTER,
	VIEW_POLICY
};

/*
 * Full screen (ncurses). NULL with err if the terminal cannot do it (TERM unset or dumb): fall back
 * to interval lines.
 */
struct view_live *view_live_new(struct error *err) MUST_CHECK;
/* Restores the terminal. Safe to call after SIGWINCH, errors, or twice with NULL. */
void view_live_free(struct view_live *v);
/* The VM that is shown from the next update on, of several: number 1 .. of. Ends a pause. */
void view_live_select(struct view_live *v, unsigned int number, unsigned int of);
/* Draws; nothing moves while paused. */
void view_live_update(struct view_live *v, const struct report *interval,
		      const struct report *total);
/*
 * Call when stdin is readable, until it says VIEW_NONE: keys to sort, pause, quit, help, resize,
 * another VM, another loop and its settings. Redraws by itself.
 */
enum view_event view_live_input(struct view_live *v);
/* The loop that is picked, valid until the next update; NULL: nothing with a loop was shown yet. */
const struct report_loop *view_live_loop(const struct view_live *v);
/* What became of a key, until another loop is picked. */
void view_live_status(struct view_live *v, const char *line);
/* A line of talk (guest console, warnings) for the bottom of the screen. */
void view_live_message(struct view_live *v, const char *line);

#endif
