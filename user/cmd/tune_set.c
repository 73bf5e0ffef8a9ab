// SPDX-License-Identifier: BSD-2-Clause
/* A loop's setting, changed and put back. See tune.h. */
#include "tune.h"

#include <string.h>

#include <handoff/trace.h>

const char *tune_policy(struct tune *t, const char *id)
{
	const struct tune_setting *s = tune_settings_find(&t->settings, id);

	return s ? s->policy : NULL;
}

/* What has been done cannot be undone by telling: the next change is refused if nobody hears. */
static void tell_guard(struct tune *t, const struct tune_setting *s)
{
	(void)!tune_guard_tell(&t->guard, s, NULL);
}

int tune_set_loop(struct tune *t, struct tune_setting *s, int64_t max_ns, struct error *err)
{
	int ret;

	/* As it is from now on: not known. */
	s->max_ns = -1;
	ret = tune_guard_tell(&t->guard, s, err);
	if (ret)
		return ret;
	ret = tune_set(s, t->qmp, max_ns, err);
	tell_guard(t, s);
	if (ret) {
		error_prefix(err, "--qmp");
		return ret;
	}
	for (uint32_t i = 0; t->names && i < t->names->n_loops; i++)
		if (!strcmp(t->names->loop[i].id, s->id))
			t->names->loop[i].poll_max_ns = (uint64_t)max_ns;
	if (t->names)
		tracer_set_names(t->tracer, t->names);
	return 0;
}

void tune_keep_loop(struct tune *t, struct tune_setting *s)
{
	t->report->kept = true;
	tune_stands_loop(t, s);
}

void tune_stands_loop(struct tune *t, struct tune_setting *s)
{
	s->found_ns = s->max_ns;
	tell_guard(t, s);
}

int tune_restore(struct tune *t, struct error *err)
{
	int ret;

	/* One that has ended takes its settings along. */
	if (!t->qmp || t->ended)
		return 0;
	ret = tune_settings_restore(&t->settings, t->qmp, err);
	if (t->guard.fd >= 0)
		for (uint32_t i = 0; i < t->settings.n; i++)
			tell_guard(t, &t->settings.loop[i]);
	return ret;
}

const char *tune_what_stays(const struct tune *t)
{
	return t->report->kept ? "What was better stays set." : "What was set is as it was found.";
}
