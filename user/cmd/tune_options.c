// SPDX-License-Identifier: BSD-2-Clause
/* The options of `handoff tune`: the table, how each is read, what contradicts what. Main thread.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/kv.h>

#include "values.h"
#include "tune.h"

#define DEFAULT_DURATION_NS (5 * NS_PER_S)
#define DEFAULT_INTERVAL_NS (2 * NS_PER_S)
#define LEAST_NS	    (100 * NS_PER_MS)
#define MOST_WEIGHT	    1e6
/* Of --watch, which nobody may be looking at: five times what a sleep costs on a slow host. */
#define DEFAULT_MOST_NS	    256000

static int parse_pid(void *opaque, const char *arg, struct error *err)
{
	struct tune_options *o = opaque;

	if (o->pid)
		return error_set(err, -EINVAL, "%s: one VM is tuned at a time", arg);
	return pid_parse(arg, &o->pid, err);
}

static int parse_duration(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, LEAST_NS, &((struct tune_options *)opaque)->watch_ns, err);
}

static int parse_interval(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, LEAST_NS, &((struct tune_options *)opaque)->measure_ns, err);
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

static int parse_svg(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->svg = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --svg FILE, or - for stdout");
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

static int parse_max(void *opaque, const char *arg, struct error *err)
{
	uint64_t ns;

	if (kv_parse_time(arg, &ns) || !ns || ns > NS_PER_S)
		return error_set(err, -EINVAL,
				 "%s: not a poll-max-ns; write ns (64000) or 64us, at most 1s",
				 arg);
	((struct tune_options *)opaque)->goal.most_ns = (int64_t)ns;
	return 0;
}

static int parse_apply(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->apply = true;
	return 0;
}

static int parse_watch(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->watch = true;
	return 0;
}

static int parse_keep(void *opaque, const char *arg, struct error *err)
{
	((struct tune_options *)opaque)->keep = true;
	return 0;
}

static const struct opts_option options[] = {
	{ "pid", 'p', "PID", "the VM", NULL, NULL, parse_pid },
	{ "duration", 'd', "S",
	  "measure for S seconds, and again with --apply; default 5. --watch: end after S seconds; "
	  "default when the VM ends",
	  NULL, NULL, parse_duration },
	{ "qmp", 'q', "PATH", "its QMP socket: today's settings, --apply and --watch", NULL, "file",
	  parse_qmp },
	{ "latency-weight", 'w', "A", "the goal: a ns of latency is worth A ns of CPU; default 1",
	  NULL, NULL, parse_weight },
	{ "budget", 'b', "P%", "the goal: spinning may take so much of a core", NULL, NULL,
	  parse_budget },
	{ "max", 'm', "NS", "advise and set none above that; default none, with --watch 256000",
	  NULL, NULL, parse_max },
	{ "apply", 0, NULL, "try it: set it, measure again, roll back what is worse", NULL, NULL,
	  parse_apply },
	{ "watch", 0, NULL, "keep it right: measure, set, roll back what is worse, until stopped",
	  NULL, NULL, parse_watch },
	{ "interval", 'i', "S", "of --watch: decide each S seconds; default 2", NULL, NULL,
	  parse_interval },
	{ "keep", 'k', NULL, "with --apply or --watch: what was better stays set", NULL, NULL,
	  parse_keep },
	{ "json", 'j', "FILE",
	  "write what was found there, with --watch each decision on a line as it comes; - is "
	  "standard output",
	  NULL, "file", parse_json },
	{ "svg", 's', "FILE",
	  "draw the curves there, with --apply those from before; - is standard output", NULL,
	  "file", parse_svg },
	{ .name = NULL },
};

const struct opts_command tune_opts = {
	.name = "tune",
	.summary = "say what poll-max-ns of a VM that runs should be, and try it",
	.text = tune_help_text,
	.options = options,
};

/* What is of --watch alone, or not of it. */
static int judge_watch(const struct tune_options *o, struct error *err)
{
	if (o->watch && o->apply)
		return error_set(err, -EINVAL, "--watch sets by itself: leave out --apply");
	if (o->watch && o->svg)
		return error_set(err, -EINVAL,
				 "--svg draws one measurement: it does not go with --watch; run "
				 "`handoff tune --svg FILE` without it");
	if (!o->watch && o->measure_ns)
		return error_set(err, -EINVAL,
				 "--interval is of --watch; --duration says for how long it is "
				 "measured");
	if (o->watch && o->watch_ns &&
	    o->watch_ns < (o->measure_ns ? o->measure_ns : (uint64_t)DEFAULT_INTERVAL_NS))
		return error_set(
			err, -EINVAL,
			"--duration is shorter than --interval (default 2): nothing would be "
			"decided");
	return 0;
}

static int judge(const struct tune_options *o, struct error *err)
{
	if (!o->pid)
		return error_set(err, -EINVAL, "which VM? give -p PID; `handoff ls` lists them");
	if ((o->apply || o->watch) && !o->qmp)
		return error_set(err, -EINVAL, "%s sets by QMP: give --qmp SOCKET",
				 o->apply ? "--apply" : "--watch");
	if (o->keep && !o->apply && !o->watch)
		return error_set(err, -EINVAL,
				 "--keep is of --apply and --watch, without which nothing is set");
	if (o->goal.budget > 0 && o->goal.latency_weight >= 0)
		return error_set(err, -EINVAL,
				 "--budget and --latency-weight are two goals: give one of them");
	if (o->json && o->svg && !strcmp(o->json, "-") && !strcmp(o->svg, "-"))
		return error_set(err, -EINVAL,
				 "--json - and --svg - both want standard output: write one to a "
				 "file");
	return judge_watch(o, err);
}

static void set_defaults(struct tune_options *o)
{
	if (o->goal.latency_weight < 0)
		o->goal.latency_weight = 1;
	if (o->watch && !o->goal.most_ns)
		o->goal.most_ns = DEFAULT_MOST_NS;
	/* --duration is of one measurement where there is one. */
	if (!o->watch) {
		o->measure_ns = o->watch_ns ? o->watch_ns : DEFAULT_DURATION_NS;
		o->watch_ns = 0;
	} else if (!o->measure_ns) {
		o->measure_ns = DEFAULT_INTERVAL_NS;
	}
}

int tune_options_parse(struct tune_options *o, int argc, char **argv, struct error *err)
{
	int ret;

	*o = (struct tune_options){ .goal.latency_weight = -1 };
	ret = opts_parse(&tune_opts, argc, argv, o, err);
	if (!ret)
		ret = judge(o, err);
	set_defaults(o);
	return ret;
}
