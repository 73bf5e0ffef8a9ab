/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `handoff tune --watch`: a loop's poll-max-ns kept right while its load changes. After each
 * interval one decision, from what is advised by it and what was observed in it:
 *
 *	stands -- worth a change --> tried -- better --> kept: it stands from now on
 *	   ^                           '---- worse ---> rolled back: a pause, twice as long each
 *time
 *	   |--- spins hide waits ---> looked: poll-max-ns 0 for an interval, then tried, or back
 *
 * Pure: the caller measures, sets and tells. One thread at a time.
 */
#ifndef HANDOFF_TUNE_WATCH_H
#define HANDOFF_TUNE_WATCH_H

#include <handoff/advisor.h>

#define TUNE_WATCH_SCHEMA "handoff.tune-watch/1"

/* Foretold to cost so much less, or, with a budget, to find so much more of the waits: a change for
 * less would go to and fro with the noise. */
#define TUNE_WATCH_HYSTERESIS	 0.10
/* Intervals after which a change is thought of again: 1 at first. */
#define TUNE_WATCH_LONGEST_PAUSE 64

enum tune_watch_state { TUNE_STANDS, TUNE_TRIED, TUNE_LOOKED };

enum tune_watch_action {
	TUNE_HOLD,
	TUNE_SET,	/* try it */
	TUNE_KEEP,	/* what was tried stands */
	TUNE_ROLL_BACK, /* what was tried was worse */
	TUNE_LOOK,	/* with 0, behind the spins */
	TUNE_RETURN,	/* from there, to what stood */
};

struct tune_watch_loop {
	char id[STATS_NAME_LEN];
	uint32_t tid;
	enum tune_watch_state state;
	int64_t now_ns;		       /* poll-max-ns */
	int64_t good_ns;	       /* what stands: gone back to from a trial */
	struct advice_observed before; /* while it stood */
	uint32_t pause, left;	       /* intervals: how long the last pause was, what is left */
	uint32_t tried, kept, rolled_back;
	struct advice_observed first, last; /* the first and the last interval that was known */
};

struct tune_watch_decision {
	enum tune_watch_action action;
	int64_t from_ns, max_ns; /* the same where nothing is to be set */
	char why[ADVICE_TEXT];
};

/* What is set when it begins. */
void tune_watch_begin(struct tune_watch_loop *w, const char *id, uint32_t tid, int64_t max_ns);

/*
 * Decides, and takes for granted that it is done. `a` with a->before: of the interval; in state
 * TUNE_LOOKED advised against good_ns.
 */
void tune_watch_decide(struct tune_watch_loop *w, const struct advice *a,
		       const struct advice_goal *goal, struct tune_watch_decision *d);

/* Somebody else has set it to now_ns meanwhile, and the interval says nothing: it stands. */
void tune_watch_taken(struct tune_watch_loop *w, int64_t now_ns, struct tune_watch_decision *d);

const char *tune_watch_action_name(enum tune_watch_action action);

/* --- as it is told ---------------------------------------------------------------------------- */

/* How it ended, and what of it all there is to say. */
struct tune_watch_end {
	const char *reason; /* "stopped", "duration", "vm ended", "failed" */
	double seconds;
	uint32_t intervals;
	bool kept; /* --keep: what stood last stays set */
	uint32_t n;
	const struct tune_watch_loop *loop;
	const int64_t *found_ns; /* of each loop, when it began */
};

/* Text: the head, a line for each decision, the summary. */
void tune_watch_text_head(const struct advice_report *r, double interval_s, FILE *to);
void tune_watch_text(double seconds, const struct advice *a, const struct tune_watch_decision *d,
		     FILE *to);
void tune_watch_text_end(const struct tune_watch_end *end, FILE *to);

/* JSON: an object on a line each. 0 or -ENOMEM; whether it was written, `to` tells. */
int tune_watch_json(double seconds, const struct advice *a, const struct tune_watch_decision *d,
		    FILE *to) MUST_CHECK;
int tune_watch_json_end(const struct tune_watch_end *end, FILE *to) MUST_CHECK;

#endif
