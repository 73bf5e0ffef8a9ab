// SPDX-License-Identifier: BSD-2-Clause
/* A run of `handoff tune` from its first look to its last word. See tune.h. */
#include "tune.h"

#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/log.h>
#include <handoff/out_file.h>
#include <handoff/report.h>

#include "cmd.h"

/* libvirt's name of it, which it gives as "-name guest=NAME,..."; "" if it did not start it. */
static void read_domain(pid_t pid, char domain[64])
{
	char path[32], line[65536], *arg, *end;
	size_t n;
	FILE *f;

	domain[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return;
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	for (arg = line; arg < line + n; arg += strlen(arg) + 1) {
		if (strncmp(arg, "guest=", 6))
			continue;
		end = arg + 6 +
		      strspn(arg + 6, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._+-");
		/* Of any other name it would not be a word of a shell's. */
		if (*end == ',' || !*end)
			snprintf(domain, 64, "%.*s", (int)(end - arg - 6), arg + 6);
		return;
	}
}

static void fill_report(struct tune *t)
{
	struct advice_report *r = t->report;

	r->pid = t->o->pid;
	memcpy(r->comm, t->interval->comm, sizeof(r->comm));
	memcpy(r->vmm_kind, t->interval->vmm_kind, sizeof(r->vmm_kind));
	r->seconds = (double)t->interval->duration_ns / 1e9;
	r->goal = t->o->goal;
	read_domain(r->pid, r->domain);
	if (!t->o->qmp)
		snprintf(r->qmp_reason, sizeof(r->qmp_reason),
			 "Without --qmp SOCKET (QEMU: -qmp unix:SOCKET,server=on,wait=off) what is "
			 "set today cannot be asked for, nor set.");
}

static int fill_json(void *opaque, FILE *to, struct error *err)
{
	return advice_json(opaque, to, err);
}

static bool stdout_is_taken(const struct tune_options *o)
{
	return o->json && !strcmp(o->json, "-");
}

static bool is_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static int tell(const struct tune *t)
{
	const struct tune_options *o = t->o;
	int status = CMD_OK;
	struct error err;

	if (!stdout_is_taken(o))
		advice_text(t->report, 0, is_utf8(), stdout);
	if (t->report->applied && !stdout_is_taken(o))
		printf("%s\n", t->report->kept ? "What was better stays set."
					       : "What was set is as it was found.");
	fflush(stdout);
	if (o->json && out_file_write(o->json, fill_json, t->report, &err) < 0) {
		log_error("tune: --json: %s", err.msg);
		status = CMD_FAILED;
	}
	return cmd_close_stdout() ? CMD_FAILED : status;
}

/* 0 or -errno with err; what is set by then is put back by the caller. */
static int look_and_try(struct tune *t, struct error *err)
{
	int ret = tune_measure(t, err);

	if (ret)
		return ret;
	fill_report(t);
	tune_advise(t);
	return t->o->apply && tune_goes_on(t) ? tune_apply(t, err) : 0;
}

static bool has_ended(const struct tune *t)
{
	struct pollfd fd = { t->pidfd, POLLIN, 0 };

	return poll(&fd, 1, 100) > 0;
}

int tune_run(const struct tune_options *o)
{
	struct tune t = { .o = o, .signal_fd = -1, .pidfd = -1 };
	struct error err;
	int status = CMD_OK;
	bool attached;

	attached = !tune_attach(&t, &err);
	if (!attached || look_and_try(&t, &err)) {
		status = CMD_FAILED;
		/* Its socket ends before it does: that is what is to be said. */
		t.ended |= attached && has_ended(&t);
		if (!t.ended)
			log_error("tune: %s", err.msg);
	}
	if (attached && tune_restore(&t, &err)) {
		log_error("tune: --qmp: %s", err.msg);
		status = CMD_FAILED;
	}
	if (t.ended) {
		log_error("tune: process %d has ended meanwhile", (int)o->pid);
		status = CMD_FAILED;
	}
	if (status == CMD_OK)
		status = tell(&t);
	tune_detach(&t);
	return status;
}
