// SPDX-License-Identifier: BSD-2-Clause
/* The live screen's life and its keys: see live.h. Neighbour: live_draw.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <ncursesw/ncurses.h>

#include <handoff/report.h>
#include <handoff/view.h>

#include "live.h"
#include "rows.h"

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

const struct report_loop *view_live_loop(const struct view_live *v)
{
	int i = view_loop_at(v->interval, v->picked);

	return i < 0 ? NULL : &v->interval->loop[i];
}

static void pick(struct view_live *v, int step)
{
	int n = (int)v->interval->n_loops, at = view_loop_at(v->interval, v->picked);

	if (at < 0)
		return;
	v->picked = v->interval->loop[(at + n + step) % n].tid;
	v->status[0] = '\0';
}

void view_live_update(struct view_live *v, const struct report *interval,
		      const struct report *total)
{
	if (v->paused)
		return;
	*v->interval = *interval;
	*v->total = *total;
	v->drawn = true;
	live_draw(v);
}

void view_live_select(struct view_live *v, unsigned int number, unsigned int of)
{
	/* What is frozen is another VM's, and so is the loop. */
	if (v->number != number) {
		v->paused = false;
		v->status[0] = '\0';
	}
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
	case 'j':
		pick(v, 1);
		break;
	case 'k':
		pick(v, -1);
		break;
	case '+':
	case '=': /* the same key on most keyboards */
		return VIEW_LONGER;
	case '-':
		return VIEW_SHORTER;
	case 'c':
		return VIEW_POLICY;
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
		live_draw(v);
	return event;
}

/* The guest, or a server, chose these bytes: nothing but printable ones reaches the terminal. */
static void make_printable(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = '.';
}

void view_live_status(struct view_live *v, const char *line)
{
	snprintf(v->status, sizeof(v->status), "%s", line);
	make_printable(v->status);
	if (v->drawn)
		live_draw(v);
}

void view_live_message(struct view_live *v, const char *line)
{
	memmove(v->message[0], v->message[1], sizeof(v->message[0]) * (LIVE_MESSAGES - 1));
	snprintf(v->message[LIVE_MESSAGES - 1], sizeof(v->message[0]), "%s", line);
	make_printable(v->message[LIVE_MESSAGES - 1]);
	if (v->drawn)
		live_draw(v);
}
