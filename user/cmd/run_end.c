// SPDX-License-Identifier: BSD-2-Clause
/* What `handoff run` leaves when the VMM has ended: summary, report, what contradicts what, and
 * the exit status. Main thread. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <handoff/log.h>
#include <handoff/report.h>
#include <handoff/trace.h>
#include <handoff/view.h>

#include "cmd.h"
#include "keys.h"
#include "run.h"

static void tell_violation(void *opaque, const char *line)
{
	log_error("run: figures disagree: %s", line);
}

static void explain_no_guest(const struct run_options *o, const struct run_end *e)
{
	const char *why = "the guest ended without its report";

	if (o->machine.kernel)
		why = "not the built-in guest";
	else if (e->stopping)
		why = "stopped before the guest reported";
	else if (WIFSIGNALED(e->wait_status))
		why = "the VMM was killed";
	else if (WEXITSTATUS(e->wait_status) == MACHINE_EXIT_OK && e->terminal)
		why = "stopped, or the time was over, before the guest reported";
	else if (WEXITSTATUS(e->wait_status) == MACHINE_EXIT_OK)
		why = "the time was over before the guest reported";
	snprintf(e->total->guest_reason, sizeof(e->total->guest_reason), "%s", why);
}

/* The VMM's end as an exit status of ours. */
static int vmm_status(const struct run_end *e)
{
	if (WIFSIGNALED(e->wait_status)) {
		log_error("run: the VMM was killed by signal %d (%s)", WTERMSIG(e->wait_status),
			  strsignal(WTERMSIG(e->wait_status)));
		return CMD_FAILED;
	}
	return e->failed ? CMD_FAILED : WEXITSTATUS(e->wait_status);
}

static int write_end(const struct run_options *o, const struct run_end *e, int status)
{
	bool json_only = o->json && !strcmp(o->json, "-");
	struct error err;

	if (o->console == RUN_CONSOLE_STDIO)
		view_summary(e->total, 0, stderr);
	else if (!json_only)
		view_summary(e->total, 0, stdout);
	keys_summary(e->keys, false, stdout);
	if (o->json && view_json_file(e->total, o->json, &err) < 0) {
		log_error("run: --json: %s", err.msg);
		status = status ? status : CMD_FAILED;
	}
	if (o->trace && report_check(e->total, tell_violation, NULL) && !status)
		status = CMD_FIGURES;
	if (cmd_close_stdout() && !status)
		status = CMD_FAILED;
	return status;
}

int run_end(const struct run_options *o, const struct run_end *e)
{
	int status = vmm_status(e);
	struct error err;

	if (status == CMD_USAGE) {
		snprintf(err.msg, sizeof(err.msg), "--load: %s", e->guest_error);
		return cmd_usage(&run_opts, &err);
	}
	if (e->guest_error[0])
		log_error("run: the guest gave up: %s", e->guest_error);
	if (!e->tracer && !status && e->stopping) {
		log_info("run: stopped before the guest started: there is no report");
		return o->json ? CMD_FAILED : CMD_OK;
	}
	if (!e->tracer || e->failed)
		return status ? status : CMD_FAILED;
	if (tracer_snapshot(e->tracer, e->total, &err) < 0) {
		log_error("run: %s", err.msg);
		return CMD_FAILED;
	}
	if (!e->guest_result[0] || !report_set_guest(e->total, e->guest_result))
		explain_no_guest(o, e);
	return write_end(o, e, status);
}
