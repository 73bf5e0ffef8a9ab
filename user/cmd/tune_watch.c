// SPDX-License-Identifier: BSD-2-Clause
/*
 * `handoff tune --watch`: measures, decides for each loop (handoff/tune_watch.h), sets and tells,
 * interval by interval. See tune.h.
 */
#include "tune.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/log.h>
#include <handoff/report.h>
#include <handoff/tune_watch.h>

#include "cmd.h"

struct tune_watch {
	uint32_t n, intervals, decisions; /* n of loop, found_ns and taken */
	struct tune_watch_loop loop[ADVICE_LOOPS];
	int64_t found_ns[ADVICE_LOOPS];
	bool taken[ADVICE_LOOPS]; /* in this interval somebody else has set it */
	int64_t start_ns;
	FILE *json; /* NULL: text on standard output */
	bool failed;
};

static double seconds_of(const struct tune_watch *w)
{
	return (double)(clock_ns() - w->start_ns) / 1e9;
}

static void begin_loop(struct tune_watch *w, const struct tune_setting *s)
{
	if (w->n == ADVICE_LOOPS)
		return;
	w->found_ns[w->n] = s->found_ns;
	tune_watch_begin(&w->loop[w->n++], s->id, (uint32_t)s->tid, s->found_ns);
}

static FILE *open_json(const char *file, struct error *err)
{
	FILE *f = strcmp(file, "-") ? fopen(file, "we") : stdout;

	if (!f)
		error_set(err, -errno, "--json: %s: %s", file, strerror(errno));
	return f;
}

int tune_watch_new(struct tune *t, struct error *err)
{
	FILE *json = NULL;

	if (!t->settings.n)
		return error_set(err, -ENOENT,
				 "it has no iothread, and a main loop has no poll-max-ns: give its "
				 "disks an iothread");
	if (t->o->json) {
		json = open_json(t->o->json, err);
		if (!json)
			return -EIO;
	}
	t->watch = calloc(1, sizeof(*t->watch));
	if (!t->watch)
		return error_set(err, -ENOMEM, "out of memory");
	t->watch->json = json;
	t->watch->start_ns = clock_ns();
	for (uint32_t i = 0; i < t->settings.n; i++)
		begin_loop(t->watch, &t->settings.loop[i]);
	return 0;
}

void tune_watch_free(struct tune *t)
{
	if (t->watch && t->watch->json && t->watch->json != stdout)
		fclose(t->watch->json);
	free(t->watch);
}

/* Whoever waits for a line has it now. A full disk is no reason to leave the VM to itself; a reader
 * who has gone is one to end. */
static void flush(struct tune *t)
{
	struct tune_watch *w = t->watch;
	FILE *to = w->json ? w->json : stdout;

	errno = 0;
	if (!fflush(to) && !ferror(to))
		return;
	if (errno == EPIPE)
		t->stopped = true;
	else if (!w->failed)
		log_error("tune: %s: %s", to == stdout ? "standard output" : t->o->json,
			  strerror(errno ? errno : EIO));
	w->failed = true;
}

static void tell(struct tune *t, const struct advice *a, const struct tune_watch_decision *d)
{
	struct tune_watch *w = t->watch;

	w->decisions++;
	if (!w->json)
		tune_watch_text(seconds_of(w), a, d, stdout);
	else if (tune_watch_json(seconds_of(w), a, d, w->json))
		w->failed = true;
	flush(t);
}

static uint32_t index_of(const struct tune_watch *w, const char *id)
{
	uint32_t i;

	for (i = 0; i < w->n && strcmp(w->loop[i].id, id) != 0; i++)
		;
	return i;
}

/* One that is as it was left, one that is new, or one that somebody else has set: that is from now
 * on what is gone back to. */
static void take_setting(struct tune *t, const struct tune_setting *now)
{
	struct tune_setting *s = tune_settings_find(&t->settings, now->id);
	struct tune_watch *w = t->watch;

	if (s && s->max_ns == now->max_ns && s->tid == now->tid)
		return;
	if (s)
		w->taken[index_of(w, now->id)] = true;
	else if (t->settings.n < ADVICE_LOOPS)
		s = &t->settings.loop[t->settings.n++];
	else
		return;
	*s = *now;
	tune_stands_loop(t, s);
	if (index_of(w, s->id) == w->n)
		begin_loop(w, s);
	w->loop[index_of(w, s->id)].tid = (uint32_t)s->tid;
}

static int ask_again(struct tune *t, struct error *err)
{
	struct tune_settings now;
	int ret = tune_settings_ask(&now, t->qmp, err);

	if (ret) {
		error_prefix(err, "--qmp");
		return ret;
	}
	memset(t->watch->taken, 0, sizeof(t->watch->taken));
	for (uint32_t i = 0; i < now.n; i++)
		take_setting(t, &now.loop[i]);
	for (uint32_t i = 0; i < t->settings.n; i++) {
		struct tune_setting *s = &t->settings.loop[i];

		/* One that has ended has taken its setting along. */
		if (!tune_settings_find(&now, s->id))
			tune_stands_loop(t, s);
	}
	return 0;
}

/* What it looks behind is advised against what stood. */
static void advise_look(struct tune *t, struct report_loop *loop, const struct tune_watch_loop *w,
			struct advice *a)
{
	struct advice_observed before = a->before;

	loop->poll_max_ns = (uint64_t)w->good_ns;
	advise(t->interval, loop, tune_policy(t, a->loop), &t->report->goal, a);
	a->before = before;
}

static int decide(struct tune *t, uint32_t i, struct error *err)
{
	struct advice *a = &t->report->loop[i];
	struct tune_setting *s = tune_settings_find(&t->settings, a->loop);
	uint32_t index = index_of(t->watch, a->loop);
	struct tune_watch_loop *w = &t->watch->loop[index];
	struct tune_watch_decision d;
	int ret = 0;

	/* A main loop. */
	if (!s || index == t->watch->n)
		return 0;
	if (w->state == TUNE_LOOKED)
		advise_look(t, tune_loop(t, i), w, a);
	if (t->watch->taken[index])
		tune_watch_taken(w, s->max_ns, &d);
	else
		tune_watch_decide(w, a, &t->report->goal, &d);
	if (d.max_ns != s->max_ns)
		ret = tune_set_loop(t, s, d.max_ns, err);
	if (!ret && d.action == TUNE_KEEP && t->o->keep)
		tune_keep_loop(t, s);
	if (!ret)
		tell(t, a, &d);
	return ret;
}

/* 0; 1: the time is over; or -errno with err. */
static int next_interval(struct tune *t, struct error *err)
{
	uint64_t spent_ns = (uint64_t)(clock_ns() - t->watch->start_ns);
	uint64_t for_ns = t->o->measure_ns;
	bool last = t->o->watch_ns && spent_ns + for_ns > t->o->watch_ns;
	int ret;

	/* The rest is too short to be judged by. */
	if (last)
		for_ns = spent_ns < t->o->watch_ns ? t->o->watch_ns - spent_ns : 0;
	ret = tune_measure(t, for_ns, err);
	return ret ? ret : last;
}

int tune_watch(struct tune *t, struct error *err)
{
	struct tune_watch *w = t->watch;
	int ret = 0;

	t->report->applied = true;
	if (!w->json)
		tune_watch_text_head(t->report, (double)t->o->measure_ns / 1e9, stdout);
	while (!ret && tune_goes_on(t)) {
		tune_advise(t);
		ret = ask_again(t, err);
		for (uint32_t i = 0; i < t->report->n && !ret && tune_goes_on(t); i++)
			ret = decide(t, i, err);
		if (!w->intervals++ && !w->decisions && !ret)
			log_info("tune: no iothread serves a queue yet: waiting for one that does");
		if (!ret && tune_goes_on(t))
			ret = next_interval(t, err);
	}
	return ret < 0 ? ret : 0;
}

static const char *reason_of(const struct tune *t, bool failed)
{
	if (t->ended)
		return "vm ended";
	return failed ? "failed" : t->stopped ? "stopped" : "duration";
}

int tune_watch_tell(struct tune *t, bool failed)
{
	struct tune_watch *w = t->watch;
	const struct tune_watch_end end = {
		.reason = reason_of(t, failed),
		.seconds = seconds_of(w),
		.intervals = w->intervals,
		.kept = t->report->kept,
		.n = w->n,
		.loop = w->loop,
		.found_ns = w->found_ns,
	};

	if (!w->json)
		tune_watch_text_end(&end, stdout);
	else if (tune_watch_json_end(&end, w->json))
		w->failed = true;
	if (!w->json && !failed && !t->ended)
		printf("%s\n", tune_what_stays(t));
	flush(t);
	return cmd_close_stdout() || failed || w->failed ? CMD_FAILED : CMD_OK;
}
