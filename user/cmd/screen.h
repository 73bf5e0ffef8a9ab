/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where `handoff run --trace` and `handoff trace` show what happens: ncurses on a terminal, else
 * lines, else nothing. Main thread.
 */
#ifndef HANDOFF_CMD_SCREEN_H
#define HANDOFF_CMD_SCREEN_H

#include <stdbool.h>
#include <stdio.h>
#include <handoff/compiler.h>
#include <handoff/view.h>

struct report;
struct report_loop;
struct screen;

struct screen_config {
	bool live;	 /* a live screen, if it can be had: ask screen_has_terminal first */
	bool several;	 /* VMs: each line begins with the pid */
	FILE *intervals; /* where interval lines go without a live screen; NULL = nowhere */
	FILE *guest;	 /* the guest's console likewise; NULL = not shown, live neither */
};

/* Are standard input and output a terminal? */
bool screen_has_terminal(void);

/* NULL when memory is exhausted. */
struct screen *screen_new(const struct screen_config *config) MUST_CHECK;
/* Restores the terminal and says on stderr what was said meanwhile. NULL is fine. */
void screen_free(struct screen *s);
bool screen_is_live(const struct screen *s);
/* Live: whose reports come from now on, the number-th VM of so many. */
void screen_select(struct screen *s, unsigned int number, unsigned int of);
void screen_interval(struct screen *s, const struct report *interval, const struct report *total);
/* A line from the guest's console; a line that would go to stderr. */
void screen_console(struct screen *s, const char *line);
void screen_talk(struct screen *s, const char *line);
/* Live: the loop that is picked, until the next interval; NULL: none was shown yet. */
const struct report_loop *screen_loop(const struct screen *s);
/* Live: what became of a key. */
void screen_status(struct screen *s, const char *line);
/* stdin became readable, or the terminal changed its size. */
enum view_event screen_input(struct screen *s);

#endif
