// SPDX-License-Identifier: BSD-2-Clause
/* `handoff tune`: parse, and check what can be checked before anything is attached. See tune.h. */
#include <handoff/log.h>
#include <handoff/out_file.h>
#include <handoff/trace.h>

#include "cmd.h"
#include "tune.h"

/* Before the work. What --watch tells goes to its file as it comes. */
static bool can_write(const char *option, const char *file)
{
	struct error err;

	if (!file || !out_file_check(file, &err))
		return true;
	log_error("tune: %s: %s", option, err.msg);
	return false;
}

static int run(int argc, char **argv)
{
	struct tune_options o;
	struct error err;
	int ret;

	ret = tune_options_parse(&o, argc, argv, &err);
	if (ret < 0)
		return cmd_usage(&tune_opts, &err);
	if (ret > 0)
		return cmd_close_stdout();
	if (!can_write("--json", o.watch ? NULL : o.json) || !can_write("--svg", o.svg))
		return CMD_FAILED;
	if (tracer_check_privilege(&err)) {
		log_error("tune: %s", err.msg);
		return CMD_FAILED;
	}
	return tune_run(&o);
}

const struct command command_tune = { .opts = &tune_opts, .run = run };
