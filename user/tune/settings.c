// SPDX-License-Identifier: BSD-2-Clause
/* A VM's poll settings by QMP: asked for, set, and put back as they were found. */
#include <handoff/advisor.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>
#include <handoff/poll_policy.h>
#include <handoff/qmp.h>

/* What is no printable text ends up on no terminal. */
static void keep_text(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; from[i] && i + 1 < size; i++)
		to[i] = from[i] >= ' ' && from[i] <= '~' ? from[i] : '?';
	to[i] = '\0';
}

/* QEMU 11.1 has poll-weight, and the rule that goes with it. */
static void take_iothread(struct tune_setting *s, const char *id, json_int_t tid, json_int_t max_ns,
			  const json_t *iothread)
{
	const char *policy = json_string_value(json_object_get(iothread, "poll-policy"));

	if (!policy)
		policy = json_object_get(iothread, "poll-weight") ? poll_policy_qemu_weighted.name
								  : poll_policy_qemu.name;
	keep_text(s->id, sizeof(s->id), id);
	keep_text(s->policy, sizeof(s->policy), policy);
	s->policy_told = json_object_get(iothread, "poll-policy");
	s->tid = tid;
	s->max_ns = s->found_ns = max_ns;
}

int tune_settings_ask(struct tune_settings *s, struct qmp_client *qmp, struct error *err)
{
	json_t *iothreads = qmp_client_call(qmp, "query-iothreads", NULL, err), *iothread;
	json_int_t tid, max_ns;
	const char *id;
	size_t i;

	s->n = 0;
	if (!iothreads)
		return -EREMOTEIO;
	json_array_foreach(iothreads, i, iothread)
	{
		if (s->n == ADVICE_LOOPS ||
		    json_unpack(iothread, "{s:s, s:I, s:I}", "id", &id, "thread-id", &tid,
				"poll-max-ns", &max_ns) ||
		    strlen(id) >= STATS_NAME_LEN || max_ns < 0)
			continue;
		take_iothread(&s->loop[s->n++], id, tid, max_ns, iothread);
	}
	json_decref(iothreads);
	return 0;
}

struct tune_setting *tune_settings_find(struct tune_settings *s, const char *id)
{
	uint32_t i;

	for (i = 0; i < s->n; i++)
		if (!strcmp(s->loop[i].id, id))
			return &s->loop[i];
	return NULL;
}

/* What it is now, whatever was asked for: the caller's reference. */
static json_t *property_get(const char *path, const char *property, struct qmp_client *qmp,
			    struct error *err)
{
	return qmp_client_call(qmp, "qom-get",
			       json_pack("{s:s, s:s}", "path", path, "property", property), err);
}

/* Takes the reference. False with err. */
static bool property_set(const char *path, const char *property, json_t *value,
			 struct qmp_client *qmp, struct error *err)
{
	json_t *done = qmp_client_call(qmp, "qom-set",
				       json_pack("{s:s, s:s, s:o}", "path", path, "property",
						 property, "value", value),
				       err);

	json_decref(done);
	return done;
}

static int ask_max_ns(const char *path, struct qmp_client *qmp, int64_t *max_ns, struct error *err)
{
	json_t *value = property_get(path, "poll-max-ns", qmp, err);
	int ret = 0;

	if (!value)
		return -EREMOTEIO;
	if (json_is_integer(value))
		*max_ns = json_integer_value(value);
	else
		ret = error_set(err, -EPROTO, "qom-get %.100s: poll-max-ns is no number", path);
	json_decref(value);
	return ret;
}

int tune_set(struct tune_setting *s, struct qmp_client *qmp, int64_t max_ns, struct error *err)
{
	char path[STATS_NAME_LEN + 16];
	bool done;
	int ret;

	snprintf(path, sizeof(path), "/objects/%s", s->id);
	/* Not known from here on: a connection that breaks may do so after it was set. */
	s->max_ns = -1;
	done = property_set(path, "poll-max-ns", json_integer(max_ns), qmp, err);
	if (!done && qmp_client_is_broken(qmp))
		return -EREMOTEIO;
	ret = ask_max_ns(path, qmp, &s->max_ns, done ? err : NULL);
	if (!done)
		return -EREMOTEIO;
	if (!ret && s->max_ns != max_ns) {
		/* It is his from now on. */
		s->found_ns = s->max_ns;
		ret = error_set(err, -EREMOTEIO,
				"%s: poll-max-ns was set to %lld, and is %lld: somebody else "
				"sets it too",
				path, (long long)max_ns, (long long)s->max_ns);
	}
	return ret;
}

/* As tune_set. */
static int set_policy(struct tune_setting *s, struct qmp_client *qmp, const char *policy,
		      struct error *err)
{
	char path[STATS_NAME_LEN + 16];
	json_t *value;
	bool done;

	snprintf(path, sizeof(path), "/objects/%s", s->id);
	s->policy[0] = '\0';
	done = property_set(path, "poll-policy", json_string(policy), qmp, err);
	if (!done && qmp_client_is_broken(qmp))
		return -EREMOTEIO;
	value = property_get(path, "poll-policy", qmp, done ? err : NULL);
	if (json_is_string(value))
		keep_text(s->policy, sizeof(s->policy), json_string_value(value));
	json_decref(value);
	if (!done || !value)
		return -EREMOTEIO;
	if (strcmp(s->policy, policy))
		return error_set(err, -EREMOTEIO,
				 "%s: poll-policy was set to %s, and is '%s': somebody else sets "
				 "it too",
				 path, policy, s->policy);
	return 0;
}

int tune_next_policy(struct tune_setting *s, struct qmp_client *qmp, struct error *err)
{
	const struct poll_policy *next = poll_policy_next(s->policy);

	if (!s->policy_told)
		return error_set(err, -ENOTSUP,
				 "QEMU has no property poll-policy: only a VM of handoff run has");
	if (!next)
		return error_set(err, -ENOTSUP, "its poll policy '%s' is unknown here", s->policy);
	return set_policy(s, qmp, next->name, err);
}

int64_t tune_step(int64_t max_ns, bool longer)
{
	if (longer && max_ns > TUNE_MOST_NS / 2)
		return MAX(max_ns, TUNE_MOST_NS);
	if (longer)
		return MAX(2 * max_ns, TUNE_STEP_NS);
	return max_ns > TUNE_STEP_NS ? max_ns / 2 : 0;
}

/* Of one that is gone (another thread of that id is another loop, or another VM's), or that
 * somebody else has set since, nothing is ours to put back. */
static bool is_ours(struct tune_setting *s, struct tune_settings *now)
{
	const struct tune_setting *is = tune_settings_find(now, s->id);

	if (!is || is->tid != s->tid) {
		s->found_ns = s->max_ns;
		return false;
	}
	if (s->max_ns >= 0 && is->max_ns != s->max_ns) {
		s->max_ns = s->found_ns = is->max_ns;
		return false;
	}
	return true;
}

int tune_check_ours(struct tune_setting *s, struct qmp_client *qmp, struct error *err)
{
	int64_t max_ns = s->max_ns;
	struct tune_settings now;
	int ret = tune_settings_ask(&now, qmp, err);

	if (ret || is_ours(s, &now))
		return ret;
	if (!tune_settings_find(&now, s->id))
		return error_set(err, -EREMOTEIO, "%s: the iothread has gone", s->id);
	return error_set(err, -EREMOTEIO,
			 "%s: poll-max-ns was %lld, and is %lld or another thread's now: "
			 "somebody else sets it too",
			 s->id, (long long)max_ns, (long long)s->max_ns);
}

int tune_settings_restore(struct tune_settings *s, struct qmp_client *qmp, struct error *err)
{
	struct tune_settings now;
	int ret = 0, asked = 1, failed; /* asked: 1 = not yet */
	struct error why;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		struct tune_setting *one = &s->loop[i];
		int64_t found_ns = one->found_ns;

		if (one->max_ns == found_ns)
			continue;
		if (asked > 0)
			asked = tune_settings_ask(&now, qmp, &why);
		failed = asked;
		if (!failed && is_ours(one, &now))
			failed = tune_set(one, qmp, found_ns, &why);
		if (failed && !ret)
			ret = error_set(err, failed,
					"poll-max-ns of %s may not be %lld again, as it was found: "
					"%.250s",
					one->id, (long long)found_ns, why.msg);
	}
	return ret;
}

double tune_requests(struct qmp_client *qmp)
{
	json_t *disks = qmp_client_call(qmp, "query-blockstats", NULL, NULL), *disk;
	json_int_t reads, writes, flushes;
	double sum = disks ? 0 : -1;
	size_t i;

	json_array_foreach(disks, i, disk)
	{
		flushes = 0;
		if (!json_unpack(json_object_get(disk, "stats"), "{s:I, s:I, s?I}", "rd_operations",
				 &reads, "wr_operations", &writes, "flush_operations", &flushes))
			sum += (double)reads + (double)writes + (double)flushes;
	}
	json_decref(disks);
	return sum;
}
