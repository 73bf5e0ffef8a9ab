// SPDX-License-Identifier: BSD-2-Clause
/* `handoff ls`: every VM of this machine, with its queues and who waits for them. */
#include "ls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <handoff/log.h>
#include <handoff/out_file.h>

#include "cmd.h"
#include "names.h"
#include "names_threads.h"
#include "values.h"

/* A loop at work is seen asleep at some of these; discover_run spreads them over 100 ms. */
#define SAMPLES 21

struct ls_options {
	pid_t pid; /* 0 = all */
	bool json;
	const char *file; /* NULL = stdout */
	const char *qmp;
};

static int parse_pid(void *opaque, const char *arg, struct error *err)
{
	return pid_parse(arg, &((struct ls_options *)opaque)->pid, err);
}

static int parse_json(void *opaque, const char *arg, struct error *err)
{
	struct ls_options *o = opaque;

	if (arg && !*arg)
		return error_set(err, -EINVAL, "no name; write --json or --json=FILE");
	o->json = true;
	o->file = arg && strcmp(arg, "-") ? arg : NULL;
	return 0;
}

static int parse_qmp(void *opaque, const char *arg, struct error *err)
{
	((struct ls_options *)opaque)->qmp = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --qmp SOCKET");
}

static const struct opts_option options[] = {
	{ .name = "pid",
	  .short_name = 'p',
	  .arg = "PID",
	  .help = "this process's VM instead of all",
	  .parse = parse_pid },
	{ .name = "json",
	  .short_name = 'j',
	  .arg = "[=FILE]",
	  .help = "print one JSON document (schema handoff.ls/1), or write it to FILE",
	  .complete = "file",
	  .parse = parse_json },
	{ .name = "qmp",
	  .arg = "SOCKET",
	  .help = "ask QEMU's monitor for its devices' and loops' own names",
	  .complete = "file",
	  .parse = parse_qmp },
	{ .name = NULL },
};

static const struct opts_command opts = {
	.name = "ls",
	.summary = "list the VMs, their queues, and which thread serves each",
	.text = ls_help_text,
	.options = options,
};

const char *ls_bus_name(const struct kick_key *way)
{
	switch (way->bus & ~BUS_BY_VALUE) {
	case BUS_MMIO:
		return "mmio";
	case BUS_PIO:
		return "pio";
	default:
		return "other";
	}
}

const char *ls_loop(const struct vm_names *names, uint32_t tid)
{
	uint32_t i;

	for (i = 0; names && tid && i < names->n_loops && i < VM_NAMES_MAX; i++)
		if (names->loop[i].tid == tid)
			return names->loop[i].id;
	return NULL;
}

static int check_pid(pid_t pid, struct error *err)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return access(path, F_OK) ? error_set(err, -ESRCH, "there is no process %d", (int)pid) : 0;
}

static int find_vms(const struct ls_options *o, struct vm_list *list, struct error *err)
{
	struct discover *d;
	int ret;

	if (o->pid) {
		ret = check_pid(o->pid, err);
		if (ret)
			return ret;
	}
	d = discover_new(err);
	if (!d)
		return -EPERM;
	ret = discover_run(d, o->pid, SAMPLES, list, err);
	discover_free(d);
	if (ret || list->n)
		return ret;
	if (!names_pids_are_hosts())
		return names_no_vm_inside(err);
	if (!o->pid)
		return 0;
	/* It may have ended meanwhile. */
	ret = check_pid(o->pid, err);
	return ret ? ret
		   : error_set(err, -ENOENT,
			       "process %d has no VM; `handoff ls` lists those that have",
			       (int)o->pid);
}

/* A socket tells of one VM only. */
static int ask_names(const struct ls_options *o, struct vm_list *list, struct vm_names *names,
		     struct error *err)
{
	int ret;

	if (list->n != 1)
		return error_set(err, -EINVAL, "--qmp names one VM's queues, and there are %u%s",
				 list->n, list->n && !o->pid ? ": add -p PID" : "");
	ret = cmd_names_by_qmp(o->qmp, list->vm[0].pid, names, err);
	if (!ret)
		vm_name_queues(&list->vm[0], names);
	return ret;
}

struct ls_document {
	const struct vm_list *list;
	const struct vm_names *names;
};

static int fill_json(void *opaque, FILE *to, struct error *err)
{
	const struct ls_document *d = opaque;
	int ret = ls_print_json(d->list, d->names, to);

	if (ret)
		return error_set(err, ret, "out of memory");
	/* What has failed at stdout is judged by cmd_close_stdout. */
	if (to != stdout && (fflush(to) || ferror(to)))
		return error_set(err, errno ? -errno : -EIO, "%s", strerror(errno ? errno : EIO));
	return 0;
}

static int write_json(const struct ls_options *o, const struct vm_list *list,
		      const struct vm_names *names, struct error *err)
{
	struct ls_document d = { list, names };
	int ret = out_file_write(o->file ? o->file : "-", fill_json, &d, err);

	if (ret)
		error_prefix(err, "--json");
	return ret;
}

static int list_vms(const struct ls_options *o, struct error *err)
{
	struct vm_names *names = o->qmp ? calloc(1, sizeof(*names)) : NULL;
	struct vm_list list = { 0 };
	int ret = 0;

	if (o->qmp && !names)
		return error_set(err, -ENOMEM, "out of memory");
	if (o->file && out_file_check(o->file, err)) {
		error_prefix(err, "--json");
		ret = -EIO;
	}
	if (!ret)
		ret = find_vms(o, &list, err);
	if (!ret && names)
		ret = ask_names(o, &list, names, err);
	if (!ret && o->json)
		ret = write_json(o, &list, names, err);
	else if (!ret)
		ls_print_text(&list, names, stdout);
	vm_list_release(&list);
	free(names);
	return ret;
}

static int run(int argc, char **argv)
{
	struct ls_options o = { 0 };
	struct error err;
	int ret = opts_parse(&opts, argc, argv, &o, &err);

	if (ret)
		return ret < 0 ? cmd_usage(&opts, &err) : cmd_close_stdout();
	if (list_vms(&o, &err)) {
		log_error("ls: %s", err.msg);
		return CMD_FAILED;
	}
	return cmd_close_stdout();
}

const struct command command_ls = { .opts = &opts, .run = run };
