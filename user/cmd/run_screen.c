// SPDX-License-Identifier: BSD-2-Clause
/* Where `handoff run` shows what happens: a live screen, interval lines, or nothing. Main thread of
 * the watcher. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <handoff/log.h>
#include <handoff/view.h>

#include "run.h"

#define TALK_KEPT                                                                                  \
	64 /* lines said while the screen was live, repeated on stderr when it is gone             \
	    */

struct run_screen {
	const struct run_options *o;
	struct view_live *live;
	char *talk[TALK_KEPT];
	unsigned int n_talk, dropped;
};

static bool json_on_stdout(const struct run_options *o)
{
	return o->json && !strcmp(o->json, "-");
}

bool run_screen_wanted(const struct run_options *o)
{
	return o->trace && o->console != RUN_CONSOLE_STDIO && !json_on_stdout(o) &&
	       isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
}

struct run_screen *run_screen_new(const struct run_options *o)
{
	struct run_screen *s = calloc(1, sizeof(*s));
	struct error err;

	if (!s)
		return NULL;
	s->o = o;
	if (run_screen_wanted(o)) {
		s->live = view_live_new(&err);
		if (!s->live)
			log_warn("%s; showing lines instead", err.msg);
	}
	return s;
}

void run_screen_free(struct run_screen *s)
{
	if (!s)
		return;
	view_live_free(s->live);
	for (unsigned int i = 0; i < s->n_talk; i++) {
		fprintf(stderr, "%s\n", s->talk[i]);
		free(s->talk[i]);
	}
	if (s->dropped)
		log_info("%u more lines were not kept", s->dropped);
	free(s);
}

bool run_screen_is_live(const struct run_screen *s)
{
	return s->live != NULL;
}

void run_screen_interval(struct run_screen *s, const struct report *interval,
			 const struct report *total)
{
	if (s->live)
		view_live_update(s->live, interval, total);
	else if (s->o->console == RUN_CONSOLE_STDIO)
		view_interval_line(interval, total, stderr);
	else if (!json_on_stdout(s->o))
		view_interval_line(interval, total, stdout);
	fflush(stdout);
}

void run_screen_talk(struct run_screen *s, const char *line)
{
	if (!s->live) {
		fprintf(stderr, "%s\n", line);
		return;
	}
	view_live_message(s->live, line);
	if (s->n_talk == TALK_KEPT || !(s->talk[s->n_talk] = strdup(line)))
		s->dropped++;
	else
		s->n_talk++;
}

void run_screen_console(struct run_screen *s, const char *line)
{
	if (s->o->console != RUN_CONSOLE_LINES)
		return;
	if (s->live)
		view_live_message(s->live, line);
	else
		fprintf(json_on_stdout(s->o) ? stderr : stdout, "guest: %s\n", line);
}

bool run_screen_input(struct run_screen *s)
{
	return s->live && view_live_input(s->live) == VIEW_QUIT;
}
