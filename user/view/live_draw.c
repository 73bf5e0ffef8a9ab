// SPDX-License-Identifier: BSD-2-Clause
/* The picture on the live screen: see live.h. Neighbours: live.c, rows.h. */
#include "live.h"

#include <stdio.h>
#include <string.h>

#include <handoff/compiler.h>
#include <handoff/report.h>

#include "rows.h"

#define BOTTOM (LIVE_MESSAGES + 3) /* rows: what became of a key, the loop that is picked, keys */
#define ALARMS 3		   /* beside them the tables have room */

static const char *const sort_names[] = { "name", "arrivals", "kicks", "wasted kicks" };

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

static void draw_loops(const struct view_live *v, const struct report *r, int *y, int limit)
{
	const struct report_loop *picked = view_live_loop(v);
	struct view_columns c = view_columns(r);
	char row[VIEW_ROW];

	view_row_loop_header(c, row, sizeof(row));
	put(y, limit, A_REVERSE, row);
	for (uint32_t i = 0; i < r->n_loops; i++) {
		view_row_loop(&r->loop[i], c, row, sizeof(row));
		put(y, limit,
		    picked && picked->tid == r->loop[i].tid ? A_BOLD | A_UNDERLINE : A_NORMAL, row);
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
		"j, k next, previous loop   + - double, halve its poll-max-ns   "
		"c its next poll policy",
	};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++)
		put(y, limit, A_NORMAL, text[i]);
}

/* Bytes of a row of text, which is cut between words; the next begins at *rest. */
static size_t wrap(const char *text, const char **rest)
{
	size_t n = strnlen(text, (size_t)COLS), end = n;

	while (text[n] && end && text[end] != ' ')
		end--;
	n = end ? end : n;
	*rest = text + n + strspn(text + n, " ");
	return n;
}

/* What became of a key has as many rows as it takes, of those of older messages: how to mend it is
 * at its end. */
static void draw_messages(const struct view_live *v, int *y)
{
	const char *text, *rest;
	char row[VIEW_ROW];
	int rows = 1;

	for (wrap(v->status, &rest); *rest && rows <= LIVE_MESSAGES; wrap(rest, &rest))
		rows++;
	for (int i = rows - 1; i < LIVE_MESSAGES; i++)
		put(y, LINES - 1, A_DIM, v->message[i]);
	for (rest = v->status; rows--;) {
		text = rest;
		snprintf(row, sizeof(row), "%.*s", (int)wrap(text, &rest), text);
		put(y, LINES - 1, A_NORMAL, row);
	}
}

static void draw_picked(const struct view_live *v, int *y)
{
	const struct report_loop *l = view_live_loop(v);
	char settings[VIEW_ROW - 64] = "", text[VIEW_ROW];

	if (l)
		view_row_settings(l, settings, sizeof(settings));
	snprintf(text, sizeof(text), "> %-37s  j k loop  + - poll-max-ns  c policy", settings);
	put(y, LINES - 1, A_BOLD, l ? text : "");
}

static void draw_bottom(const struct view_live *v)
{
	char text[VIEW_ROW];
	int y = MAX(0, LINES - BOTTOM);

	draw_messages(v, &y);
	draw_picked(v, &y);
	snprintf(text, sizeof(text), "q quit  p pause  s sort: %s  w whole run  %s? help",
		 sort_names[v->sort], v->of > 1 ? "Tab next VM  " : "");
	put(&y, LINES, A_REVERSE, text);
}

void live_draw(struct view_live *v)
{
	const struct report *r = v->whole_run ? v->total : v->interval;
	int y = 0, limit = LINES - BOTTOM;

	erase();
	draw_title(v, &y, limit);
	if (v->help) {
		draw_help(&y, limit);
	} else {
		draw_alarms(v->total, &y, limit);
		draw_stages(v, r, &y, limit);
		draw_queues(v, r, &y, limit);
		draw_loops(v, r, &y, limit);
		draw_vcpus(r, &y, limit);
		draw_losses(r, &y, limit);
		draw_tracer(v->total, &y, limit);
	}
	draw_bottom(v);
	refresh();
}
