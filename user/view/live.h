/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The live screen: stages, queues and loops of the last interval (or of the whole run), drawn with
 * ncurses. Reads reports and the keyboard, nothing else. Main thread; one at a time, since ncurses
 * has one screen. live.c has the keys, live_draw.c the picture.
 */
#ifndef HANDOFF_VIEW_LIVE_H
#define HANDOFF_VIEW_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <ncursesw/ncurses.h>
#include <handoff/view.h>

#define LIVE_MESSAGES 4

enum sort { SORT_NAME, SORT_ARRIVALS, SORT_KICKS, SORT_WASTED, SORTS };

struct view_live {
	SCREEN *screen;
	struct report *interval, *total;
	enum sort sort;
	bool paused, help, whole_run, utf8, drawn;
	int first_queue;
	uint32_t picked;	 /* thread of the loop; one that is not there is none */
	unsigned int number, of; /* of several VMs */
	char message[LIVE_MESSAGES][160], status[400];
};

void live_draw(struct view_live *v);

#endif
