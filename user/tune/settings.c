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

/* What it is now, whatever was asked for. */
static int ask_one(const char *path, struct qmp_client *qmp, int64_t *max_ns, struct error *err)
{
	json_t *value =
		qmp_client_call(qmp, "qom-get",
				json_pack("{s:s, s:s}", "path", path, "property", "poll-max-ns"),
				err);
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
	json_t *done;
	int ret;

	snprintf(path, sizeof(path), "/objects/%s", s->id);
	/* Not known from here on: a connection that breaks may do so after it was set. */
	s->max_ns = -1;
	done = qmp_client_call(qmp, "qom-set",
			       json_pack("{s:s, s:s, s:I}", "path", path, "property", "poll-max-ns",
					 "value", (json_int_t)max_ns),
			       err);
	json_decref(done);
	if (!done && qmp_client_is_broken(qmp))
		return -EREMOTEIO;
	ret = ask_one(path, qmp, &s->max_ns, done ? err : NULL);
	if (!done)
		return -EREMOTEIO;
	if (!ret && s->max_ns != max_ns)
		ret = error_set(err, -EREMOTEIO,
				"%s: poll-max-ns was set to %lld, and is %lld: somebody else "
				"sets it too",
				path, (long long)max_ns, (long long)s->max_ns);
	return ret;
}

int tune_settings_restore(struct tune_settings *s, struct qmp_client *qmp, struct error *err)
{
	struct error why;
	int ret = 0, failed;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		struct tune_setting *one = &s->loop[i];

		if (one->max_ns == one->found_ns)
			continue;
		failed = tune_set(one, qmp, one->found_ns, &why);
		if (failed && !ret)
			ret = error_set(err, failed,
					"poll-max-ns of %s may not be %lld again, as it was found: "
					"%.250s",
					one->id, (long long)one->found_ns, why.msg);
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
