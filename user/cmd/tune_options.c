// SPDX-License-Identifier: BSD-2-Clause
/* The options of `handoff tune`: the table, how each is read, what contradicts what. Main thread.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/kv.h>

#include "seconds.h"
#include "tune.h"

#define DEFAULT_DURATION_NS (5 * NS_PER_S)
#define MOST_WEIGHT	    1e6

static int parse_pid(void *opaque, const char *arg, struct error *err)
{
	struct tune_options *o = opaque;
	uint64_t pid;

	if (kv_parse_u64(arg, &pid) || !pid || pid > INT_MAX)
		return error_set(err, -EINVAL, "%s: not a process number", arg);
	if (o->pid)
		return error_set(err, -EINVAL, "%s: one VM is tuned at a time", arg);
	o->pid = (pid_t)pid;
	return 0;
}

static int parse_duration(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, 100 * NS_PER_MS, &((struct tune_options *)opaque)->duration_ns,
			     err);
}

static int parse_qmp(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->qmp = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --qmp SOCKET");
}

static int parse_json(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->json = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --json FILE, or - for stdout");
}

static int parse_weight(void *opaque, const char *arg, struct error *err)
{
	double *weight = &((struct tune_options *)opaque)->goal.latency_weight;
	char *end;

	*weight = strtod(arg, &end);
	if (end == arg || *end || !(*weight >= 0 && *weight <= MOST_WEIGHT))
		return error_set(err, -EINVAL,
				 "%s: not a weight; write how many ns of CPU a ns of latency is "
				 "worth, 0 to %.0f",
				 arg, MOST_WEIGHT);
	return 0;
}

static int parse_budget(void *opaque, const char *arg, struct error *err)
{
	double percent;
	char *end;

	percent = strtod(arg, &end);
	if (end == arg || strcmp(end, "%") || !(percent > 0 && percent <= 100))
		return error_set(err, -EINVAL, "%s: not a share of a core; write 10%%", arg);
	((struct tune_options *)opaque)->goal.budget = percent / 100;
	return 0;
}

static int parse_apply(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->apply = true;
	return 0;
}

static int parse_keep(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->keep = true;
	return 0;
}

static const struct opts_option options[] = {
	{ "pid", 'p', "PID", "the VM", NULL, NULL, parse_pid },
	{ "duration", 'd', "S", "measure for S seconds, and again with --apply; default 5", NULL,
	  NULL, parse_duration },
	{ "qmp", 'q', "PATH", "its QMP socket: today's settings, and --apply", NULL, "file",
	  parse_qmp },
	{ "latency-weight", 'w', "A", "the goal: a ns of latency is worth A ns of CPU; default 1",
	  NULL, NULL, parse_weight },
	{ "budget", 'b', "P%", "the goal: spinning may take so much of a core", NULL, NULL,
	  parse_budget },
	{ "apply", 0, NULL, "try it: set it, measure again, roll back what is worse", NULL, NULL,
	  parse_apply },
	{ "keep", 'k', NULL, "with --apply: what was better stays set", NULL, NULL, parse_keep },
	{ "json", 'j', "FILE", "write what was found there; - is standard output", NULL, "file",
	  parse_json },
	{ .name = NULL },
};

const struct opts_command tune_opts = {
	.name = "tune",
	.summary = "say what poll-max-ns of a VM that runs should be, and try it",
	.text = tune_help_text,
	.options = options,
};

static int judge(const struct tune_options *o, struct error *err)
{
	if (!o->pid)
		return error_set(err, -EINVAL, "which VM? give -p PID; `handoff ls` lists them");
	if (o->apply && !o->qmp)
		return error_set(err, -EINVAL, "--apply sets by QMP: give --qmp SOCKET");
	if (o->keep && !o->apply)
		return error_set(err, -EINVAL,
				 "--keep is of --apply, without which nothing is set");
	if (o->goal.budget > 0 && o->goal.latency_weight >= 0)
		return error_set(err, -EINVAL,
				 "--budget and --latency-weight are two goals: give one of them");
	return 0;
}

int tune_options_parse(struct tune_options *o, int argc, char **argv, struct error *err)
{
	int ret;

	*o = (struct tune_options){ .duration_ns = DEFAULT_DURATION_NS, .goal.latency_weight = -1 };
	ret = opts_parse(&tune_opts, argc, argv, o, err);
	if (!ret)
		ret = judge(o, err);
	if (o->goal.latency_weight < 0)
		o->goal.latency_weight = 1;
	return ret;
}
