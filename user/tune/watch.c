// SPDX-License-Identifier: BSD-2-Clause
/* See handoff/tune_watch.h. */
#include <handoff/tune_watch.h>

#include <stdio.h>
#include <string.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>

static const char *const action_names[] = {
	[TUNE_HOLD] = "hold",		[TUNE_SET] = "set",   [TUNE_KEEP] = "keep",
	[TUNE_ROLL_BACK] = "roll back", [TUNE_LOOK] = "look", [TUNE_RETURN] = "return",
};

const char *tune_watch_action_name(enum tune_watch_action action)
{
	return action_names[action];
}

void tune_watch_begin(struct tune_watch_loop *w, const char *id, uint32_t tid, int64_t max_ns)
{
	*w = (struct tune_watch_loop){ .tid = tid, .now_ns = max_ns, .good_ns = max_ns };
	snprintf(w->id, sizeof(w->id), "%s", id);
}

/* Is what is advised better than what stands by more than noise is? */
static bool is_worth_it(const struct advice *a, const struct advice_goal *goal)
{
	const struct advice_point *best = &a->point[a->best], *today;

	if (a->action != ADVICE_SET)
		return false;
	if (a->today >= a->n)
		return true;
	today = &a->point[a->today];
	if (goal->budget > 0)
		return today->cpu > goal->budget * (1 + TUNE_WATCH_HYSTERESIS) ||
		       best->hit_share >= today->hit_share + TUNE_WATCH_HYSTERESIS;
	return best->cost_ns <= today->cost_ns * (1 - TUNE_WATCH_HYSTERESIS);
}

static void pause_longer(struct tune_watch_loop *w)
{
	w->pause = MIN(MAX(2 * w->pause, 1u), (uint32_t)TUNE_WATCH_LONGEST_PAUSE);
	w->left = w->pause;
}

static void try_it(struct tune_watch_loop *w, const struct advice *a,
		   const struct advice_goal *goal, struct tune_watch_decision *d)
{
	const struct advice_point *best = &a->point[a->best];
	char cost[16];

	d->action = TUNE_SET;
	d->max_ns = best->max_ns;
	if (goal->budget > 0)
		snprintf(d->why, sizeof(d->why), "%.1f%% hits foretold, for %.1f%% of a core",
			 best->hit_share * 100, best->cpu * 100);
	else
		snprintf(d->why, sizeof(d->why), "%.1f%% hits foretold, and a wait to cost %s",
			 best->hit_share * 100, clock_format_ns(cost, (int64_t)best->cost_ns));
	w->state = TUNE_TRIED;
	w->tried++;
}

static void judge(struct tune_watch_loop *w, const struct advice *a, const struct advice_goal *goal,
		  struct tune_watch_decision *d)
{
	w->state = TUNE_STANDS;
	if (advice_is_better(&w->before, &a->before, goal, d->why)) {
		d->action = TUNE_KEEP;
		w->good_ns = w->now_ns;
		w->before = a->before;
		w->pause = 0;
		w->kept++;
		return;
	}
	d->action = TUNE_ROLL_BACK;
	d->max_ns = w->good_ns;
	pause_longer(w);
	w->rolled_back++;
}

/* Of what a look has shown, that 0 is best has been tried by the look itself. */
static void judge_look(struct tune_watch_loop *w, const struct advice *a,
		       const struct advice_goal *goal, struct tune_watch_decision *d)
{
	if (!is_worth_it(a, goal)) {
		d->action = TUNE_RETURN;
		d->max_ns = w->good_ns;
		w->state = TUNE_STANDS;
		pause_longer(w);
		snprintf(d->why, sizeof(d->why), "%s",
			 a->action == ADVICE_NONE ? a->why : "nothing is better by 10 % or more");
	} else if (a->point[a->best].max_ns == w->now_ns) {
		w->tried++;
		judge(w, a, goal, d);
	} else {
		try_it(w, a, goal, d);
	}
}

static void stand(struct tune_watch_loop *w, const struct advice *a, const struct advice_goal *goal,
		  struct tune_watch_decision *d)
{
	w->before = a->before;
	if (w->left) {
		snprintf(d->why, sizeof(d->why), "pauses, %u of %u intervals to go", w->left,
			 w->pause);
		w->left--;
	} else if (a->gaps_hidden && w->now_ns > 0) {
		d->action = TUNE_LOOK;
		d->max_ns = 0;
		w->state = TUNE_LOOKED;
		snprintf(d->why, sizeof(d->why), "what a spin finds leaves no trace here");
	} else if (is_worth_it(a, goal)) {
		try_it(w, a, goal, d);
	} else {
		snprintf(d->why, sizeof(d->why), "%s",
			 a->action == ADVICE_NONE ? a->why : "nothing is better by 10 % or more");
	}
}

static void note(struct tune_watch_loop *w, const struct advice_observed *o)
{
	if (!o->known)
		return;
	if (!w->first.known)
		w->first = *o;
	w->last = *o;
}

void tune_watch_decide(struct tune_watch_loop *w, const struct advice *a,
		       const struct advice_goal *goal, struct tune_watch_decision *d)
{
	*d = (struct tune_watch_decision){ .from_ns = w->now_ns, .max_ns = w->now_ns };
	note(w, &a->before);
	if (w->state == TUNE_TRIED)
		judge(w, a, goal, d);
	else if (w->state == TUNE_LOOKED)
		judge_look(w, a, goal, d);
	else
		stand(w, a, goal, d);
	w->now_ns = d->max_ns;
}

void tune_watch_taken(struct tune_watch_loop *w, int64_t now_ns, struct tune_watch_decision *d)
{
	*d = (struct tune_watch_decision){ .from_ns = now_ns, .max_ns = now_ns };
	snprintf(d->why, sizeof(d->why),
		 "somebody else has set it, from %lld: that stands from now on",
		 (long long)w->now_ns);
	w->state = TUNE_STANDS;
	w->now_ns = w->good_ns = now_ns;
	w->pause = w->left = 0;
}
