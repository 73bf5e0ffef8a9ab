// SPDX-License-Identifier: BSD-2-Clause
/* What --watch tells: lines for a reader, or an object a line (schema handoff.tune-watch/1). Main
 * thread. */
#include <handoff/tune_watch.h>

#include <errno.h>
#include <stdlib.h>
#include <handoff/clock.h>
#include "json.h"
#include "words.h"

void tune_watch_text_head(const struct advice_report *r, double interval_s, FILE *to)
{
	char text[WORDS_MAX];

	fprintf(to, "handoff: tune --watch %s %d (%s), every %.3g s, %s\n", r->comm, (int)r->pid,
		r->vmm_kind, interval_s, words_goal(&r->goal, text));
	fprintf(to, "%9s %-8s %9s %6s %7s %8s %8s  %s\n", "TIME", "LOOP", "MAX-NS", "HITS", "CPU",
		"LATER BY", "COST", "DECISION");
}

void tune_watch_text(double seconds, const struct advice *a, const struct tune_watch_decision *d,
		     FILE *to)
{
	static const char *const verb[] = {
		[TUNE_HOLD] = "hold",	   [TUNE_SET] = "set",
		[TUNE_KEEP] = "keep",	   [TUNE_ROLL_BACK] = "roll back to",
		[TUNE_LOOK] = "look with", [TUNE_RETURN] = "return to",
	};
	const struct advice_observed *o = &a->before;
	char late[16], cost[16];

	fprintf(to, "%8.1fs %-8s %9lld ", seconds, a->loop, (long long)d->from_ns);
	if (o->known)
		fprintf(to, "%5.1f%% %6.1f%% %8s %8s  ", o->hit_share * 100, o->loop_cpu * 100,
			clock_format_ns(late, (int64_t)o->late_ns),
			clock_format_ns(cost, (int64_t)o->cost_ns));
	else
		fprintf(to, "%6s %7s %8s %8s  ", "?", "?", "?", "?");
	fprintf(to, "%s", verb[d->action]);
	if (d->action != TUNE_HOLD)
		fprintf(to, " %lld", (long long)d->max_ns);
	fprintf(to, ": %s\n", d->why);
}

static void text_of_loop(const struct tune_watch_loop *w, int64_t found_ns, FILE *to)
{
	char first[16], last[16];

	fprintf(to, "%s: %lld when it began, %lld at last; %u tried, %u kept, %u rolled back",
		w->id, (long long)found_ns, (long long)w->now_ns, w->tried, w->kept,
		w->rolled_back);
	if (w->last.known)
		fprintf(to, "; a wait cost %s at first, %s at last",
			clock_format_ns(first, (int64_t)w->first.cost_ns),
			clock_format_ns(last, (int64_t)w->last.cost_ns));
	fputc('\n', to);
}

void tune_watch_text_end(const struct tune_watch_end *end, FILE *to)
{
	uint32_t i;

	fprintf(to, "\nWatched for %.1f s, %u intervals; ended: %s.\n", end->seconds,
		end->intervals, end->reason);
	for (i = 0; i < end->n; i++)
		text_of_loop(&end->loop[i], end->found_ns[i], to);
}

static int put_line(json_t *object, FILE *to)
{
	if (!object)
		return -ENOMEM;
	json_dumpf(object, to, JSON_COMPACT | JSON_REAL_PRECISION(9));
	fputc('\n', to);
	json_decref(object);
	return 0;
}

int tune_watch_json(double seconds, const struct advice *a, const struct tune_watch_decision *d,
		    FILE *to)
{
	json_t *foretold = d->action == TUNE_SET ? json_of_point(&a->point[a->best]) : json_null();

	return put_line(json_pack("{ss ss sf ss sI ss sI sI ss so so}", "schema", TUNE_WATCH_SCHEMA,
				  "event", "decision", "seconds", seconds, "loop", a->loop, "tid",
				  (json_int_t)a->tid, "action", tune_watch_action_name(d->action),
				  "from_ns", (json_int_t)d->from_ns, "to_ns", (json_int_t)d->max_ns,
				  "why", d->why, "observed", json_of_observed(&a->before),
				  "predicted", foretold),
			to);
}

static json_t *json_of_loop(const struct tune_watch_loop *w, int64_t found_ns)
{
	return json_pack("{ss sI sI sI sI sI sI so so}", "id", w->id, "tid", (json_int_t)w->tid,
			 "found_ns", (json_int_t)found_ns, "last_ns", (json_int_t)w->now_ns,
			 "tried", (json_int_t)w->tried, "kept", (json_int_t)w->kept, "rolled_back",
			 (json_int_t)w->rolled_back, "first", json_of_observed(&w->first), "last",
			 json_of_observed(&w->last));
}

int tune_watch_json_end(const struct tune_watch_end *end, FILE *to)
{
	json_t *loops = json_array();
	uint32_t i;

	for (i = 0; i < end->n; i++)
		json_array_append_new(loops, json_of_loop(&end->loop[i], end->found_ns[i]));
	return put_line(json_pack("{ss ss ss sf sI sb so}", "schema", TUNE_WATCH_SCHEMA, "event",
				  "end", "reason", end->reason, "seconds", end->seconds,
				  "intervals", (json_int_t)end->intervals, "kept", end->kept,
				  "loops", loops),
			to);
}
