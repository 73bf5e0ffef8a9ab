// SPDX-License-Identifier: BSD-2-Clause
/* See screen.h. */
#include "screen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <handoff/log.h>

/* Lines said while the screen was live, repeated on stderr when it is gone. */
#define TALK_KEPT 64

struct screen {
	struct screen_config config;
	struct view_live *live;
	char *talk[TALK_KEPT];
	unsigned int n_talk, dropped;
};

bool screen_has_terminal(void)
{
	return isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
}

struct screen *screen_new(const struct screen_config *config)
{
	struct screen *s = calloc(1, sizeof(*s));
	struct error err;

	if (!s)
		return NULL;
	s->config = *config;
	if (config->live) {
		s->live = view_live_new(&err);
		if (!s->live)
			log_warn("%s; showing lines instead", err.msg);
	}
	return s;
}

void screen_free(struct screen *s)
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

bool screen_is_live(const struct screen *s)
{
	return s->live != NULL;
}

void screen_select(struct screen *s, unsigned int number, unsigned int of)
{
	if (s->live)
		view_live_select(s->live, number, of);
}

void screen_interval(struct screen *s, const struct report *interval, const struct report *total)
{
	if (s->live)
		view_live_update(s->live, interval, total);
	else if (s->config.intervals)
		view_interval_line(interval, total, s->config.several, s->config.intervals);
	fflush(stdout);
}

void screen_talk(struct screen *s, const char *line)
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

void screen_console(struct screen *s, const char *line)
{
	if (!s->config.guest)
		return;
	if (s->live) {
		view_live_message(s->live, line);
	} else {
		fprintf(s->config.guest, "guest: %s\n", line);
		fflush(s->config.guest); /* whoever reads a pipe or a file waits for just that */
	}
}

const struct report_loop *screen_loop(const struct screen *s)
{
	return s->live ? view_live_loop(s->live) : NULL;
}

void screen_status(struct screen *s, const char *line)
{
	if (s->live)
		view_live_status(s->live, line);
}

enum view_event screen_input(struct screen *s)
{
	return s->live ? view_live_input(s->live) : VIEW_NONE;
}
