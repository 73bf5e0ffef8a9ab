// SPDX-License-Identifier: BSD-2-Clause
/* `handoff doctor`: can the main job run here, and what evidence can this host give for each stage?
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include <handoff/log.h>
#include <handoff/machine.h>
#include <handoff/report.h>

#include "cmd.h"
#include "doctor.h"

struct doctor_options {
	bool json, kick_exit;
};

static int parse_json(void *opaque, const char *arg, struct error *err)
{
	((struct doctor_options *)opaque)->json = true;
	return 0;
}

static int parse_kick_exit(void *opaque, const char *arg, struct error *err)
{
	((struct doctor_options *)opaque)->kick_exit = true;
	return 0;
}

static const struct opts_option options[] = {
	{ .name = "json",
	  .short_name = 'j',
	  .help = "print one JSON document",
	  .parse = parse_json },
	{ .name = "kick-exit",
	  .help = "print the CPU-ns that a kick costs a vCPU here, a number (with --json: "
		  "kick_exit_ns), and no more",
	  .parse = parse_kick_exit },
	{ .name = NULL },
};

static const struct opts_command opts = {
	.name = "doctor",
	.summary = "say what this host can show, and what is missing",
	.text = "Looks at /dev/kvm, privileges, lockdown, BTF and the kernel's options "
		"(Kbuild.note), and "
		"loads and attaches each BPF program for real. Then it says for each of the "
		"ten stages "
		"which evidence a trace would have here: exact, inferred, or absent and "
		"why.\n\n"
		"EXIT STATUS: 0 `handoff run --trace` can work here; 1 it cannot; 2 bad options.",
	.options = options,
};

void doctor_add(struct doctor *d, enum finding_state state, const char *subject, const char *fmt,
		...)
{
	struct finding *f;
	va_list ap;

	if (d->n == ARRAY_SIZE(d->finding))
		return;
	f = &d->finding[d->n++];
	f->state = state;
	snprintf(f->subject, sizeof(f->subject), "%s", subject);
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static bool healthy(const struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->finding[i].state == FINDING_BAD)
			return false;
	return true;
}

static void print_text(const struct doctor *d)
{
	static const char *const words[] = {
		[FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_BAD] = "BAD"
	};

	for (size_t i = 0; i < d->n; i++)
		printf("%-5s %-28s %s\n", words[d->finding[i].state], d->finding[i].subject,
		       d->finding[i].text);
	if (d->have_probe) {
		printf("\nEvidence a trace would have here:\n");
		for (enum stage s = 0; s < STAGES; s++)
			printf("  %-9s %-9s %s\n", stage_name(s),
			       evidence_name(d->probe.evidence[s]), d->probe.reason[s]);
	}
	printf("\n%s\n",
	       healthy(d) ? "handoff run --trace can work here."
			  : "handoff run --trace cannot work here: see the lines marked BAD.");
}

static int print_json(const struct doctor *d)
{
	static const char *const words[] = {
		[FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_BAD] = "bad"
	};
	json_t *findings = json_array(), *stages = json_array(), *root;

	for (size_t i = 0; i < d->n; i++)
		json_array_append_new(findings,
				      json_pack("{ss ss ss}", "state", words[d->finding[i].state],
						"subject", d->finding[i].subject, "text",
						d->finding[i].text));
	for (enum stage s = 0; d->have_probe && s < STAGES; s++)
		json_array_append_new(stages,
				      json_pack("{ss ss ss}", "name", stage_name(s), "evidence",
						evidence_name(d->probe.evidence[s]), "reason",
						d->probe.reason[s]));
	root = json_pack("{ss sb so so}", "schema", "handoff.doctor/1", "ok", healthy(d),
			 "findings", findings, "stages", stages);
	if (!root)
		return -ENOMEM;
	json_dumpf(root, stdout, JSON_INDENT(2)); /* cmd_close_stdout tells if it did not arrive */
	putchar('\n');
	json_decref(root);
	return 0;
}

/* In a VM made for that. */
static int tell_kick_exit(bool json)
{
	struct error err;
	int64_t ns = machine_kick_exit_ns(&err);

	if (ns < 0) {
		log_error("doctor: %s", err.msg);
		return CMD_FAILED;
	}
	if (json)
		printf("{\"schema\": \"handoff.doctor/1\", \"kick_exit_ns\": %" PRId64 "}\n", ns);
	else
		printf("%" PRId64 "\n", ns);
	return cmd_close_stdout();
}

static int run(int argc, char **argv)
{
	struct doctor_options o = { 0 };
	struct doctor *d;
	struct error err;
	int printed = 0, ret = opts_parse(&opts, argc, argv, &o, &err);

	if (ret)
		return ret < 0 ? cmd_usage(&opts, &err) : cmd_close_stdout();
	if (o.kick_exit)
		return tell_kick_exit(o.json);
	d = calloc(1, sizeof(*d));
	if (!d) {
		log_error("doctor: out of memory");
		return CMD_FAILED;
	}
	doctor_check_host(d);
	doctor_check_config(d);
	doctor_check_programs(d);
	if (!o.json)
		print_text(d);
	else
		printed = print_json(d);
	if (printed)
		log_error("doctor: out of memory");
	ret = healthy(d) && !printed ? CMD_OK : CMD_FAILED;
	free(d);
	return cmd_close_stdout() ? CMD_FAILED : ret;
}

const struct command command_doctor = { .opts = &opts, .run = run };
