// SPDX-License-Identifier: BSD-2-Clause
/*
 * What is advised, tried on the VM by QMP, and what was found put back. See tune.h. A loop's advice
 * keeps its place: loops are found again by thread, since a report may have gained some.
 */
#include "tune.h"

#include <stdio.h>
#include <string.h>

#include <handoff/log.h>
#include <handoff/qmp.h>
#include <handoff/report.h>
#include <handoff/trace.h>

/* By what rule it spins; NULL = not told. */
static const char *policy_of(struct tune *t, const char *id)
{
	const struct tune_setting *s = tune_settings_find(&t->settings, id);

	return s ? s->policy : NULL;
}

void tune_advise(struct tune *t)
{
	struct advice_report *r = t->report;
	const struct report_loop *loop;

	r->n = 0;
	while (r->n < ADVICE_LOOPS && (loop = tune_loop(t, r->n))) {
		struct advice *a = &r->loop[r->n++];

		advise(t->interval, loop, policy_of(t, loop->id), &r->goal, a);
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

/* Sets it, and tells the tracer, whose inferences depend on it. */
static int set_loop(struct tune *t, const char *id, int64_t max_ns, struct error *err)
{
	struct tune_setting *s = tune_settings_find(&t->settings, id);
	int ret = tune_set(s, t->qmp, max_ns, err);

	if (ret) {
		error_prefix(err, "--qmp");
		return ret;
	}
	for (uint32_t i = 0; t->names && i < t->names->n_loops; i++)
		if (!strcmp(t->names->loop[i].id, id))
			t->names->loop[i].poll_max_ns = (uint64_t)max_ns;
	if (t->names)
		tracer_set_names(t->tracer, t->names);
	return 0;
}

static bool can_set(struct tune *t, const struct advice *a)
{
	return tune_settings_find(&t->settings, a->loop);
}

/* Waits that spins hide are seen when it does not spin. */
static int look_behind_spins(struct tune *t, struct error *err)
{
	bool any = false;
	int ret = 0;

	for (uint32_t i = 0; i < t->report->n && !ret; i++) {
		const struct advice *a = &t->report->loop[i];

		if (!a->gaps_hidden || !can_set(t, a))
			continue;
		log_info("tune: %s: what a spin finds leaves no trace here: looking with "
			 "poll-max-ns 0",
			 a->loop);
		ret = set_loop(t, a->loop, 0, err);
		any = true;
	}
	if (ret || !any)
		return ret;
	ret = tune_measure(t, err);
	if (ret || !tune_goes_on(t))
		return ret;
	for (uint32_t i = 0; i < t->report->n; i++) {
		struct advice *a = &t->report->loop[i];
		struct report_loop *loop = loop_of(t->interval, a->tid);
		struct advice_observed before = a->before;

		if (!a->gaps_hidden || !can_set(t, a) || !loop)
			continue;
		/* Advice is against what was found. */
		loop->poll_max_ns = (uint64_t)tune_settings_find(&t->settings, a->loop)->found_ns;
		advise(t->interval, loop, policy_of(t, a->loop), &t->report->goal, a);
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
			ret = set_loop(t, a->loop, a->point[a->best].max_ns, err);
			*any = true;
		} else if (s && s->max_ns != s->found_ns) {
			ret = set_loop(t, a->loop, s->found_ns, err);
		}
	}
	return ret;
}

static int judge_loop(struct tune *t, struct advice *a, struct error *err)
{
	struct report_loop *loop = loop_of(t->interval, a->tid);
	struct tune_setting *s = tune_settings_find(&t->settings, a->loop);

	if (a->action != ADVICE_SET || !s)
		return 0;
	if (loop)
		advice_observe(t->interval, loop, &t->report->goal,
			       t->report->n == 1 ? t->requests : -1, &a->after);
	else
		snprintf(a->after.reason, sizeof(a->after.reason), "the loop has ended");
	a->after.max_ns = s->max_ns;
	if (advice_is_better(&a->before, &a->after, &t->report->goal, a->trial_why)) {
		a->trial = TRIAL_KEPT;
		return 0;
	}
	a->trial = TRIAL_ROLLED_BACK;
	return set_loop(t, a->loop, s->found_ns, err);
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
	ret = tune_measure(t, err);
	for (uint32_t i = 0; i < t->report->n && !ret && tune_goes_on(t); i++)
		ret = judge_loop(t, &t->report->loop[i], err);
	return ret;
}

int tune_restore(struct tune *t, struct error *err)
{
	/* One that has ended takes its settings along. */
	if (!t->qmp || t->ended)
		return 0;
	for (uint32_t i = 0; i < t->report->n && t->o->keep; i++) {
		struct tune_setting *s = tune_settings_find(&t->settings, t->report->loop[i].loop);

		if (s && t->report->loop[i].trial == TRIAL_KEPT) {
			s->found_ns = s->max_ns;
			t->report->kept = true;
		}
	}
	return tune_settings_restore(&t->settings, t->qmp, err);
}
