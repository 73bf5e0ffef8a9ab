// SPDX-License-Identifier: BSD-2-Clause
/*
 * The live screen: stages, queues and loops of the last interval (or of the whole run), drawn with
 * ncurses. Reads reports and the keyboard, nothing else. Main thread; one at a time, since ncurses
 * has one screen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <ncursesw/ncurses.h>

#include <handoff/compiler.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "rows.h"

#define MESSAGES 4
#define ALARMS	 3 /* beside them the tables have room */

enum sort { SORT_NAME, SORT_ARRIVALS, SORT_KICKS, SORT_WASTED, SORTS };

static const char *const sort_names[] = { "name", "arrivals", "kicks", "wasted kicks" };

struct view_live {
	SCREEN *screen;
	struct report *interval, *total;
	enum sort sort;
	bool paused, help, whole_run, utf8, drawn;
	int first_queue;
	unsigned int number, of; /* of several VMs */
	char message[MESSAGES][160];
};

static int open_screen(struct view_live *v, struct error *err)
{
	const char *term = getenv("TERM");

	if (!term || !*term || !strcmp(term, "dumb"))
		return error_set(err, -ENOTTY, "no live screen: TERM is %s",
				 term && *term ? term : "not set");
	v->utf8 = view_utf8();
	v->screen = newterm(NULL, stdout, stdin);
	if (!v->screen)
		return error_set(err, -ENOTTY, "no live screen: terminal type %s is unknown here",
				 term);
	set_term(v->screen);
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	if (has_colors()) {
		start_color();
		use_default_colors();
	}
	return 0;
}

struct view_live *view_live_new(struct error *err)
{
	struct view_live *v = calloc(1, sizeof(*v));

	if (v) {
		v->interval = report_new();
		v->total = report_new();
	}
	if (!v || !v->interval || !v->total) {
		error_set(err, -ENOMEM, "no live screen: out of memory");
		view_live_free(v);
		return NULL;
	}
	if (open_screen(v, err)) {
		view_live_free(v);
		return NULL;
	}
	return v;
}

void view_live_free(struct view_live *v)
{
	if (!v)
		return;
	if (v->screen) {
		endwin();
		delscreen(v->screen);
	}
	report_free(v->interval);
	report_free(v->total);
	free(v);
}

/* Draws one row at *y if it is on the screen above `limit`. */
static void put(int *y, int limit, attr_t attr, const char *text)
{
	if (*y < limit) {
		attrset(attr);
		mvaddnstr(*y, 0, text, (int)view_cut(text, (unsigned int)COLS));
		clrtoeol();
	}
	(*y)++;
	attrset(A_NORMAL);
}

static uint64_t sort_value(const struct report_queue *q, enum sort sort)
{
	return sort == SORT_ARRIVALS ? q->arrivals
	       : sort == SORT_KICKS  ? q->kicks
				     : q->wasted_kicks;
}

/* Positions of the queues in the order chosen; ties keep the report's own order. */
static void sort_queues(const struct report *r, enum sort sort, uint32_t order[STATS_MAX_QUEUES])
{
	for (uint32_t i = 0; i < r->n_queues; i++) {
		uint32_t at = i;

		while (sort != SORT_NAME && at > 0 &&
		       sort_value(&r->queue[order[at - 1]], sort) <
			       sort_value(&r->queue[i], sort)) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = i;
	}
}

static void draw_title(const struct view_live *v, int *y, int limit)
{
	char text[VIEW_ROW], place[40] = "";

	if (v->of > 1)
		snprintf(place, sizeof(place), "  VM %u of %u", v->number, v->of);
	snprintf(text, sizeof(text), "handoff  %s %u%s  %.0fs  %s%s%s", v->total->comm,
		 v->total->pid, place, (double)v->total->duration_ns / 1e9,
		 v->whole_run ? "whole run" : "last interval", v->paused ? "  PAUSED" : "",
		 v->total->vmm_alive ? "" : "  VMM ended");
	put(y, limit, A_BOLD, text);
	put(y, limit, A_NORMAL, "");
}

/* Those that last; the summary has all, with stacks. */
static void draw_alarms(const struct report *r, int *y, int limit)
{
	unsigned int shown = 0, more = 0;
	char row[VIEW_ROW];

	for (uint32_t i = 0; i < r->n_alarms; i++) {
		if (r->alarm[i].over)
			continue;
		if (shown == ALARMS) {
			more++;
			continue;
		}
		view_row_alarm(&r->alarm[i], row, sizeof(row));
		put(y, limit, A_BOLD, row);
		shown++;
	}
	snprintf(row, sizeof(row), "and %u alarms more", more);
	if (more)
		put(y, limit, A_BOLD, row);
	if (shown)
		put(y, limit, A_NORMAL, "");
}

static void draw_stages(const struct view_live *v, const struct report *r, int *y, int limit)
{
	char row[VIEW_ROW];

	view_row_stage_header(row, sizeof(row));
	put(y, limit, A_REVERSE, row);
	for (enum stage s = 0; s < STAGES; s++) {
		view_row_stage(&r->stage[s], s, v->utf8, row, sizeof(row));
		put(y, limit, r->stage[s].evidence == EVIDENCE_ABSENT ? A_DIM : A_NORMAL, row);
	}
	put(y, limit, A_NORMAL, "");
}

static void draw_queues(struct view_live *v, const struct report *r, int *y, int limit)
{
	struct view_columns c = view_columns(r);
	uint32_t order[STATS_MAX_QUEUES];
	char row[VIEW_ROW];

	sort_queues(r, v->sort, order);
	v->first_queue = MAX(0, MIN(v->first_queue, (int)r->n_queues - 1));
	view_row_queue_header(c, row, sizeof(row));
	put(y, limit, A_REVERSE, row);
	for (uint32_t i = (uint32_t)v->first_queue; i < r->n_queues; i++) {
		const struct report_queue *q = &r->queue[order[i]];

		view_row_queue(q, c, row, sizeof(row));
		put(y, limit, q->outcome[OUTCOME_LOST] ? A_BOLD : A_NORMAL, row);
	}
	put(y, limit, A_NORMAL, "");
	view_row_kicks_header(c, row, sizeof(row));
	put(y, limit, A_REVERSE, row);
	for (uint32_t i = (uint32_t)v->first_queue; i < r->n_queues; i++) {
		view_row_kicks(&r->queue[order[i]], c, row, sizeof(row));
		put(y, limit, A_NORMAL, row);
	}
	put(y, limit, A_NORMAL, "");
}

static void draw_loops(const struct report *r, int *y, int limit)
{
	struct view_columns c = view_columns(r);
	char row[VIEW_ROW];

	view_row_loop_header(c, row, sizeof(row));
	put(y, limit, A_REVERSE, row);
	for (uint32_t i = 0; i < r->n_loops; i++) {
		view_row_loop(&r->loop[i], c, row, sizeof(row));
		put(y, limit, A_NORMAL, row);
	}
}

static void draw_vcpus(const struct report *r, int *y, int limit)
{
	char row[VIEW_ROW];

	if (!view_vcpus_known(r))
		return;
	put(y, limit, A_NORMAL, "");
	view_row_vcpu_header(row, sizeof(row));
	put(y, limit, A_REVERSE, row);
	for (uint32_t i = 0; i < r->n_vcpus; i++) {
		view_row_vcpu(&r->vcpu[i], row, sizeof(row));
		put(y, limit, A_NORMAL, row);
	}
}

static void draw_losses(const struct report *r, int *y, int limit)
{
	char row[VIEW_ROW];

	if (!r->loss[LOSS_RECORDS] && !r->loss[LOSS_LOOKUPS] && !r->loss[LOSS_MAPS] &&
	    !r->loss[LOSS_CLOCK])
		return;
	snprintf(row, sizeof(row),
		 "losses: records %llu, lookups %llu, maps %llu, clock steps %llu",
		 (unsigned long long)r->loss[LOSS_RECORDS],
		 (unsigned long long)r->loss[LOSS_LOOKUPS], (unsigned long long)r->loss[LOSS_MAPS],
		 (unsigned long long)r->loss[LOSS_CLOCK]);
	put(y, limit, A_BOLD, row);
}

static void draw_tracer(const struct report *r, int *y, int limit)
{
	char row[VIEW_ROW];

	if (!view_tracer(r, row, sizeof(row)))
		return;
	put(y, limit, A_NORMAL, "");
	put(y, limit, A_NORMAL, row);
}

static void draw_help(int *y, int limit)
{
	static const char *const text[] = {
		"polled     a spinning loop saw the work, kicked or not",
		"notified   the loop slept and was woken",
		"busy       the loop was awake doing something else and came to it",
		"userspace  no ioeventfd took the kick: the vCPU thread left to user space",
		"lost       nobody served it in time",
		"",
		"woke       kicks that found the loop asleep and woke it",
		"awake      kicks that found it awake, spinning or busy",
		"coalesced  kicks that found an earlier signal nobody had taken yet",
		"wasted     kicks whose work was polled or busy: the exit bought nothing",
		"",
		"~ inferred, the JSON report says how   ? not known   ",
		"",
		"q quit   p pause   s sort queues   w whole run / last interval   "
		"up, down scroll   Tab, n next VM   ? back",
	};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		put(y, limit, A_NORMAL, text[i]);
}

static void draw_bottom(const struct view_live *v)
{
	char text[VIEW_ROW];
	int y = MAX(0, LINES - 1 - MESSAGES);

	for (int i = 0; i < MESSAGES; i++)
		put(&y, LINES - 1, A_DIM, v->message[i]);
	snprintf(text, sizeof(text), "q quit  p pause  s sort: %s  w whole run  %s? help",
		 sort_names[v->sort], v->of > 1 ? "Tab next VM  " : "");
	put(&y, LINES, A_REVERSE, text);
}

static void draw(struct view_live *v)
{
	const struct report *r = v->whole_run ? v->total : v->interval;
	int y = 0, limit = LINES - 1 - MESSAGES;

	erase();
	draw_title(v, &y, limit);
	if (v->help) {
		draw_help(&y, limit);
	} else {
		draw_alarms(v->total, &y, limit);
		draw_stages(v, r, &y, limit);
		draw_queues(v, r, &y, limit);
		draw_loops(r, &y, limit);
		draw_vcpus(r, &y, limit);
		draw_losses(r, &y, limit);
		draw_tracer(v->total, &y, limit);
	}
	draw_bottom(v);
	refresh();
}

void view_live_update(struct view_live *v, const struct report *interval,
		      const struct report *total)
{
	if (v->paused)
		return;
	*v->interval = *interval;
	*v->total = *total;
	v->drawn = true;
	draw(v);
}

void view_live_select(struct view_live *v, unsigned int number, unsigned int of)
{
	/* What is frozen is another VM's. */
	if (v->number != number)
		v->paused = false;
	v->number = number;
	v->of = of;
}

static enum view_event handle_key(struct view_live *v, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return VIEW_QUIT;
	case 'p':
	case ' ':
		v->paused = !v->paused;
		break;
	case 's':
		v->sort = (v->sort + 1) % SORTS;
		break;
	case 'w':
		v->whole_run = !v->whole_run;
		break;
	case '?':
	case 'h':
		v->help = !v->help;
		break;
	case '\t':
	case 'n':
		return v->of > 1 ? VIEW_NEXT : VIEW_NONE;
	case KEY_BTAB:
	case 'N':
		return v->of > 1 ? VIEW_PREVIOUS : VIEW_NONE;
	case KEY_UP:
		v->first_queue--;
		break;
	case KEY_DOWN:
		v->first_queue++;
		break;
	default:
		break; /* KEY_RESIZE: drawing anew is all it takes */
	}
	return VIEW_NONE;
}

/* The caller takes SIGWINCH by a file descriptor, so ncurses does not hear of it. */
static void follow_terminal_size(void)
{
	struct winsize ws;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_row && ws.ws_col &&
	    (ws.ws_row != LINES || ws.ws_col != COLS))
		resizeterm(ws.ws_row, ws.ws_col);
}

enum view_event view_live_input(struct view_live *v)
{
	enum view_event event = VIEW_NONE;
	int key;

	follow_terminal_size();
	while (event == VIEW_NONE && (key = getch()) != ERR)
		event = handle_key(v, key);
	if (v->drawn && event == VIEW_NONE)
		draw(v);
	return event;
}

void view_live_message(struct view_live *v, const char *line)
{
	memmove(v->message[0], v->message[1], sizeof(v->message[0]) * (MESSAGES - 1));
	snprintf(v->message[MESSAGES - 1], sizeof(v->message[0]), "%s", line);
	/* The guest chose these bytes: nothing but printable ones reaches the terminal. */
	for (char *p = v->message[MESSAGES - 1]; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '.';
	if (v->drawn)
		draw(v);
}
