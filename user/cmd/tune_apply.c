// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is advised, tried on the VM by QMP. See tune.h. A loop's advice keeps its place: loops are
 * found again by thread, since a report may have gained some.
 */
#include "tune.h"

#include <stdio.h>

#include <handoff/log.h>
#include <handoff/report.h>

void tune_advise(struct tune *t)
{
	struct advice_report *r = t->report;
	const struct report_loop *loop;

	r->n = 0;
	while (r->n < ADVICE_LOOPS && (loop = tune_loop(t, r->n))) {
		struct advice *a = &r->loop[r->n++];

		advise(t->interval, loop, tune_policy(t, loop->id), &r->goal, a);
	}
	/* Several loops share the disks' requests in a way that nobody tells. */
	for (uint32_t i = 0; i < r->n; i++)
		advice_observe(t->interval, tune_loop(t, i), &r->goal, r->n == 1 ? t->requests : -1,
			       &r->loop[i].before);
}

static struct report_loop *loop_of(struct report *r, uint32_t tid)
{
	for (uint32_t i = 0; i < r->n_loops; i++)
		if (r->loop[i].tid == tid)
			return &r->loop[i];
	return NULL;
}

static int check_ours(struct tune *t, struct tune_setting *s, struct error *err)
{
	int ret = tune_check_ours(s, t->qmp, err);

	if (ret)
		error_prefix(err, "--qmp");
	return ret;
}

/* What somebody else has set meanwhile is his. */
static int set_ours(struct tune *t, struct tune_setting *s, int64_t max_ns, struct error *err)
{
	int ret = check_ours(t, s, err);

	return ret ? ret : tune_set_loop(t, s, max_ns, err);
}

/* Waits that spins hide are seen when it does not spin. */
static int look_behind_spins(struct tune *t, struct error *err)
{
	bool any = false;
	int ret = 0;

	for (uint32_t i = 0; i < t->report->n && !ret; i++) {
		const struct advice *a = &t->report->loop[i];
		struct tune_setting *s = tune_settings_find(&t->settings, a->loop);

		if (!a->gaps_hidden || !s)
			continue;
		log_info("tune: %s: what a spin finds leaves no trace here: looking with "
			 "poll-max-ns 0",
			 a->loop);
		ret = set_ours(t, s, 0, err);
		any = true;
	}
	if (ret || !any)
		return ret;
	ret = tune_measure(t, t->o->measure_ns, err);
	if (ret || !tune_goes_on(t))
		return ret;
	for (uint32_t i = 0; i < t->report->n; i++) {
		struct advice *a = &t->report->loop[i];
		struct report_loop *loop = loop_of(t->interval, a->tid);
		struct tune_setting *s = tune_settings_find(&t->settings, a->loop);
		struct advice_observed before = a->before;

		if (!a->gaps_hidden || !s || !loop)
			continue;
		/* Advice is against what was found. */
		loop->poll_max_ns = (uint64_t)s->found_ns;
		advise(t->interval, loop, tune_policy(t, a->loop), &t->report->goal, a);
		a->before = before;
	}
	return 0;
}

static int set_advised(struct tune *t, bool *any, struct error *err)
{
	int ret = 0;

	*any = false;
	for (uint32_t i = 0; i < t->report->n && !ret; i++) {
		const struct advice *a = &t->report->loop[i];
		struct tune_setting *s = tune_settings_find(&t->settings, a->loop);

		if (a->action == ADVICE_SET && s) {
			ret = set_ours(t, s, a->point[a->best].max_ns, err);
			*any = true;
		} else if (s && s->max_ns != s->found_ns) {
			ret = set_ours(t, s, s->found_ns, err);
		}
	}
	return ret;
}

static int judge_loop(struct tune *t, struct advice *a, struct error *err)
{
	struct report_loop *loop = loop_of(t->interval, a->tid);
	struct tune_setting *s = tune_settings_find(&t->settings, a->loop);
	int ret;

	if (a->action != ADVICE_SET || !s)
		return 0;
	/* Else what was measured is of another setting. */
	ret = check_ours(t, s, err);
	if (ret)
		return ret;
	if (loop)
		advice_observe(t->interval, loop, &t->report->goal,
			       t->report->n == 1 ? t->requests : -1, &a->after);
	else
		snprintf(a->after.reason, sizeof(a->after.reason), "the loop has ended");
	a->after.max_ns = s->max_ns;
	if (advice_is_better(&a->before, &a->after, &t->report->goal, a->trial_why)) {
		a->trial = TRIAL_KEPT;
		if (t->o->keep)
			tune_keep_loop(t, s);
		return 0;
	}
	a->trial = TRIAL_ROLLED_BACK;
	return tune_set_loop(t, s, s->found_ns, err);
}

int tune_apply(struct tune *t, struct error *err)
{
	bool any;
	int ret;

	t->report->applied = true;
	ret = look_behind_spins(t, err);
	if (ret || !tune_goes_on(t))
		return ret;
	ret = set_advised(t, &any, err);
	if (ret || !any)
		return ret;
	ret = tune_measure(t, t->o->measure_ns, err);
	for (uint32_t i = 0; i < t->report->n && !ret && tune_goes_on(t); i++)
		ret = judge_loop(t, &t->report->loop[i], err);
	return ret;
}
