// SPDX-License-Identifier: BSD-2-Clause
/* See keys_set.h. The thread of keys.c. */
#include "keys_set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <handoff/advisor.h>
#include <handoff/qmp.h>

#include "names_threads.h"

static void begin(const struct keys_job *job, struct keys_done *done)
{
	*done = (struct keys_done){ .tid = job->tid, .n_keys = 1, .was_ns = -1, .max_ns = -1 };
	snprintf(done->id, sizeof(done->id), "%s", job->id);
}

void keys_set_not(const struct keys_job *job, const struct error *why, struct keys_done *done)
{
	begin(job, done);
	snprintf(done->line, sizeof(done->line), "iothread %s: nothing was changed: %.320s",
		 job->id, why->msg);
}

/*
 * The loop, as the VM tells of it: by its thread, which tells as well that it is this VM and no
 * other.
 */
static struct tune_setting *find(struct tune_settings *settings, const struct keys_job *job,
				 pid_t pid, struct error *err)
{
	struct tune_setting *found = NULL;
	struct names_threads threads;

	if (names_threads_read(&threads, pid, err))
		return NULL;
	for (uint32_t i = 0; i < settings->n && !found; i++)
		if (job->tid && names_threads_find(&threads, settings->loop[i].tid) == job->tid)
			found = &settings->loop[i];
	names_threads_release(&threads);
	if (!found)
		error_set(err, -ENOENT,
			  "thread %u is none of the %u iothreads that QMP tells of; if the socket "
			  "is another VM's, give the one of process %d",
			  job->tid, settings->n, (int)pid);
	return found;
}

static int set_max_ns(struct tune_setting *s, bool longer, struct qmp_client *qmp,
		      struct error *err)
{
	int64_t max_ns = tune_step(s->max_ns, longer);

	if (max_ns == s->max_ns)
		return error_set(err, -ERANGE, "poll-max-ns is %lld, %s", (long long)max_ns,
				 longer ? "the longest that a key sets"
					: "the shortest there is: it never spins");
	return tune_set(s, qmp, max_ns, err);
}

/* What there is to say when it is as it was wished. */
static void tell(const struct keys_job *job, struct keys_done *done)
{
	if (job->event == VIEW_POLICY)
		snprintf(done->line, sizeof(done->line), "iothread %s: poll-policy %s -> %s",
			 done->id, done->was_policy, done->policy);
	else
		snprintf(done->line, sizeof(done->line), "iothread %s: poll-max-ns %lld -> %lld",
			 done->id, (long long)done->was_ns, (long long)done->max_ns);
}

/* Whatever failed, it may be set all the same. */
static void tell_failure(struct keys_done *done, const struct error *err)
{
	const char *what = "nothing was changed";

	if (done->max_ns < 0 || !done->policy[0])
		what = "whether it was changed is not known";
	else if (done->max_ns != done->was_ns || strcmp(done->policy, done->was_policy))
		what = "not as it was asked for";
	snprintf(done->line, sizeof(done->line), "iothread %s: %s: %.320s", done->id, what,
		 err->msg);
}

void keys_set(const struct keys_job *job, pid_t pid, struct qmp_client *qmp, struct keys_done *done)
{
	struct tune_settings settings;
	struct tune_setting *s = NULL;
	struct error err;
	int ret;

	if (!tune_settings_ask(&settings, qmp, &err))
		s = find(&settings, job, pid, &err);
	if (!s) {
		keys_set_not(job, &err, done);
		return;
	}
	begin(job, done);
	done->found = true;
	done->was_ns = s->max_ns;
	snprintf(done->id, sizeof(done->id), "%s", s->id);
	snprintf(done->was_policy, sizeof(done->was_policy), "%.15s", s->policy);
	ret = job->event == VIEW_POLICY ? tune_next_policy(s, qmp, &err)
					: set_max_ns(s, job->event == VIEW_LONGER, qmp, &err);
	done->max_ns = s->max_ns;
	snprintf(done->policy, sizeof(done->policy), "%.15s", s->policy);
	if (ret)
		tell_failure(done, &err);
	else
		tell(job, done);
}
