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
#include <handoff/qmp.h>
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
		/* Of any other name it would not be a word of a shell's. ",," is a comma in it. */
		if ((!*end || (*end == ',' && end[1] != ',')) && end - arg - 6 < 64)
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

static int fill_svg(void *opaque, FILE *to, struct error *err)
{
	return advice_svg(opaque, to, err);
}

static bool is_stdout(const char *file)
{
	return file && !strcmp(file, "-");
}

static int write_file(const char *option, const char *file,
		      int (*fill)(void *opaque, FILE *to, struct error *err),
		      struct advice_report *r)
{
	struct error err;

	if (!file || !out_file_write(file, fill, r, &err))
		return CMD_OK;
	log_error("tune: %s: %s", option, err.msg);
	return CMD_FAILED;
}

static bool is_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static int tell(const struct tune *t)
{
	const struct tune_options *o = t->o;
	bool taken = is_stdout(o->json) || is_stdout(o->svg);
	int status;

	if (!taken)
		advice_text(t->report, 0, is_utf8(), stdout);
	if (t->report->applied && !taken)
		printf("%s\n", tune_what_stays(t));
	fflush(stdout);
	status = write_file("--json", o->json, fill_json, t->report);
	if (write_file("--svg", o->svg, fill_svg, t->report))
		status = CMD_FAILED;
	return cmd_close_stdout() ? CMD_FAILED : status;
}

/* 0 or -errno with err; what is set by then is put back by the caller. */
static int look_and_try(struct tune *t, struct error *err)
{
	int ret = t->o->watch ? tune_watch_new(t, err) : 0;

	if (!ret)
		ret = tune_measure(t, t->o->measure_ns, err);
	if (ret)
		return ret;
	fill_report(t);
	if (t->o->watch)
		return tune_goes_on(t) ? tune_watch(t, err) : 0;
	tune_advise(t);
	return t->o->apply && tune_goes_on(t) ? tune_apply(t, err) : 0;
}

static bool has_ended(const struct tune *t)
{
	struct pollfd fd = { t->pidfd, POLLIN, 0 };

	return poll(&fd, 1, 100) > 0;
}

/* Of an attached one: all that is done, and undone. False after saying what has failed. */
static bool work(struct tune *t)
{
	struct error err;
	bool fine = true;

	if (look_and_try(t, &err)) {
		/* Its socket ends before it does: that is what is to be said. */
		t->ended |= has_ended(t);
		fine = t->ended;
		if (!fine)
			log_error("tune: %s", err.msg);
	}
	if (tune_restore(t, &err)) {
		log_error("tune: --qmp: %s", err.msg);
		fine = false;
	}
	/* The guard needs the socket if we have failed, and a VMM serves one client at a time. */
	qmp_client_free(t->qmp);
	t->qmp = NULL;
	tune_guard_end(&t->guard);
	return fine;
}

/* Returns the exit status. */
static int end(struct tune *t, bool fine)
{
	/* That is how it may end. */
	if (t->o->watch && t->watch)
		return tune_watch_tell(t, !fine);
	if (t->ended)
		log_error("tune: process %d has ended meanwhile", (int)t->o->pid);
	return fine && !t->ended ? tell(t) : CMD_FAILED;
}

int tune_run(const struct tune_options *o)
{
	struct tune t = { .o = o, .signal_fd = -1, .pidfd = -1, .guard.fd = -1 };
	int status = CMD_FAILED;
	struct error err;

	if (tune_attach(&t, &err)) {
		tune_guard_end(&t.guard);
		log_error("tune: %s", err.msg);
	} else {
		status = end(&t, work(&t));
	}
	tune_watch_free(&t);
	tune_detach(&t);
	return status;
}
