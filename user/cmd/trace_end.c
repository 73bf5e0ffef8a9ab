// SPDX-License-Identifier: BSD-2-Clause
/* What `handoff trace` leaves when it ends: summary, report, stacks, and what contradicts what.
 * Main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <handoff/log.h>
#include <handoff/out_file.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "cmd.h"
#include "fleet.h"
#include "keys.h"
#include "trace.h"

bool trace_stdout_is_taken(const struct trace_options *o)
{
	return (o->json && !strcmp(o->json, "-")) || (o->folded && !strcmp(o->folded, "-"));
}

static void tell_violation(void *opaque, const char *line)
{
	const struct report *r = opaque;

	log_error("trace: %s %u: figures disagree: %s", r->comm, r->pid, line);
}

static int write_json(const struct trace_options *o, const struct fleet *f, struct error *err)
{
	const struct report *report[FLEET_MAX];

	if (!trace_is_of_several(o))
		return view_json_file(f->vm[0].total, o->json, err);
	for (uint32_t i = 0; i < f->n; i++)
		report[i] = f->vm[i].total;
	return view_json_reports_file(report, f->n, o->json, err);
}

static int fill_folded(void *opaque, FILE *to, struct error *err)
{
	const struct fleet *f = opaque;

	for (uint32_t i = 0; i < f->n; i++)
		if (f->vm[i].folded)
			fputs(f->vm[i].folded, to);
	if (fflush(to) || ferror(to))
		return error_set(err, errno ? -errno : -EIO, "%s", strerror(errno ? errno : EIO));
	return 0;
}

int trace_end(const struct trace_options *o, const struct fleet *f, const struct keys *keys)
{
	int status = f->failed ? CMD_FAILED : CMD_OK;
	unsigned int contradictions = 0;
	struct error err;

	if (!f->n)
		log_info("trace: no VM has run meanwhile");
	for (uint32_t i = 0; i < f->n && !trace_stdout_is_taken(o); i++)
		view_summary(f->vm[i].total, 0, stdout);
	keys_summary(keys, f->n && f->vm[0].total->vmm_alive, stdout);
	/* Whoever takes the report may be waited for. */
	fflush(stdout);
	if (o->json && write_json(o, f, &err) < 0) {
		log_error("trace: --json: %s", err.msg);
		status = CMD_FAILED;
	}
	if (o->folded && out_file_write(o->folded, fill_folded, (void *)f, &err) < 0) {
		log_error("trace: --folded: %s", err.msg);
		status = CMD_FAILED;
	}
	for (uint32_t i = 0; i < f->n; i++)
		contradictions +=
			report_check(f->vm[i].total, tell_violation, (void *)f->vm[i].total);
	if (contradictions && !status)
		status = CMD_FIGURES;
	if (cmd_close_stdout() && !status)
		status = CMD_FAILED;
	return status;
}
