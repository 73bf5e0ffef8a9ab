// SPDX-License-Identifier: BSD-2-Clause
/* `handoff trace`: parse, and check what can be checked before anything is attached. See trace.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <handoff/log.h>
#include <handoff/out_file.h>
#include <handoff/trace.h>

#include "cmd.h"
#include "trace.h"

/* A tracer has some ninety descriptors, and a shell allows 1024. Too few is said where one fails.
 */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int trace_parsed(const struct trace_options *o)
{
	struct error err;

	if (o->json && out_file_check(o->json, &err)) {
		log_error("trace: --json: %s", err.msg);
		return CMD_FAILED;
	}
	if (o->folded && out_file_check(o->folded, &err)) {
		log_error("trace: --folded: %s", err.msg);
		return CMD_FAILED;
	}
	if (tracer_check_privilege(&err)) {
		log_error("trace: %s", err.msg);
		return CMD_FAILED;
	}
	raise_descriptors();
	return trace_watch(o);
}

static int run(int argc, char **argv)
{
	struct trace_options *o = calloc(1, sizeof(*o));
	struct error err;
	int ret;

	if (!o) {
		log_error("trace: out of memory");
		return CMD_FAILED;
	}
	ret = trace_options_parse(o, argc, argv, &err);
	if (ret < 0)
		ret = cmd_usage(&trace_opts, &err);
	else if (ret > 0)
		ret = cmd_close_stdout();
	else
		ret = trace_parsed(o);
	free(o);
	return ret;
}

const struct command command_trace = { .opts = &trace_opts, .run = run };
