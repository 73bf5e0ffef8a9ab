// SPDX-License-Identifier: BSD-2-Clause
/* The options of `handoff trace`: the table, how each is read, what contradicts what. Main thread.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/compiler.h>

#include "values.h"
#include "trace.h"

#define DEFAULT_INTERVAL_NS NS_PER_S

/* --ioeventfd as it is written. */
struct given {
	char *at;
	uint32_t len;
	bool len_seen, value_seen;
	uint64_t value;
};

static const struct kv_key given_keys[] = {
	{ "at", KV_STRING, offsetof(struct given, at), KV_NO_SEEN, 0, 0, NULL,
	  "mmio:ADDRESS or pio:PORT" },
	{ "len", KV_U32, offsetof(struct given, len), offsetof(struct given, len_seen), 1, 8, NULL,
	  "bytes of the write, 1, 2, 4 or 8; bounds value" },
	{ "value", KV_U64, offsetof(struct given, value), offsetof(struct given, value_seen), 0, 0,
	  NULL, "what must be written, where several queues share the address" },
	{ .name = NULL },
};

static int parse_pid(void *opaque, const char *arg, struct error *err)
{
	struct trace_options *o = opaque;
	pid_t pid;
	int ret = pid_parse(arg, &pid, err);

	if (ret)
		return ret;
	for (uint32_t i = 0; i < o->n_pids; i++)
		if (o->pid[i] == pid)
			return error_set(err, -EINVAL, "%s: given twice", arg);
	if (o->n_pids == TRACE_MAX_PIDS)
		return error_set(err, -EINVAL, "%s: too many, %d at most", arg, TRACE_MAX_PIDS);
	o->pid[o->n_pids++] = pid;
	return 0;
}

static int parse_all(void *opaque, const char *arg, struct error *err)
{
	((struct trace_options *)opaque)->all = true;
	return 0;
}

static int parse_interval(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, 50 * NS_PER_MS, &((struct trace_options *)opaque)->interval_ns,
			     err);
}

static int parse_duration(void *opaque, const char *arg, struct error *err)
{
	struct trace_options *o = opaque;

	o->duration_given = true;
	return seconds_parse(arg, NS_PER_MS, &o->duration_ns, err);
}

static int parse_lost_after(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, NS_PER_US, &((struct trace_options *)opaque)->lost_after_ns, err);
}

static int parse_stuck(void *opaque, const char *arg, struct error *err)
{
	uint64_t ms;

	if (kv_parse_u64(arg, &ms) || !ms || ms > 3600 * 1000)
		return error_set(err, -EINVAL, "%s: not a number of milliseconds; write 1 to %d",
				 arg, 3600 * 1000);
	((struct trace_options *)opaque)->stuck_ns = ms * NS_PER_MS;
	return 0;
}

static int parse_json(void *opaque, const char *arg, struct error *err)
{
	((struct trace_options *)opaque)->json = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --json FILE, or - for stdout");
}

static int parse_folded(void *opaque, const char *arg, struct error *err)
{
	((struct trace_options *)opaque)->folded = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --folded FILE, or - for stdout");
}

static int parse_qmp(void *opaque, const char *arg, struct error *err)
{
	((struct trace_options *)opaque)->qmp = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --qmp SOCKET");
}

static int parse_uprobes(void *opaque, const char *arg, struct error *err)
{
	struct trace_options *o = opaque;

	if (arg && strcmp(arg, "all"))
		return error_set(err, -EINVAL, "%s: write --uprobes or --uprobes=all", arg);
	o->uprobes = true;
	o->uprobes_slow |= arg != NULL;
	return 0;
}

/* Of a bus: "mmio:0xfe003000" or "pio:0xc040". */
static int read_place(const struct given *g, struct kick_key *key, struct error *err)
{
	const char *colon = g->at ? strchr(g->at, ':') : NULL;
	size_t len = colon ? (size_t)(colon - g->at) : 0;
	bool pio = len == 3 && !strncmp(g->at, "pio", len);
	uint64_t address;

	if (!colon || !(pio || (len == 4 && !strncmp(g->at, "mmio", len))) ||
	    kv_parse_u64(colon + 1, &address) || !address || (pio && address > 0xffff))
		return error_set(err, -EINVAL,
				 "%s: not a place; write mmio:0xfe003000 or pio:0xc040",
				 g->at ? g->at : "");
	key->gpa = address;
	key->bus = pio ? BUS_PIO : BUS_MMIO;
	return 0;
}

static int read_value(const struct given *g, struct kick_key *key, struct error *err)
{
	if (g->len_seen && g->len & (g->len - 1))
		return error_set(err, -EINVAL, "len=%u: must be 1, 2, 4 or 8", g->len);
	if (!g->value_seen)
		return 0;
	if (g->len_seen && g->len < 8 && g->value >> (8 * g->len))
		return error_set(err, -EINVAL, "value=%llu: does not fit in len=%u",
				 (unsigned long long)g->value, g->len);
	key->value = g->value;
	key->bus |= BUS_BY_VALUE;
	return 0;
}

static int parse_ioeventfd(void *opaque, const char *arg, struct error *err)
{
	struct trace_options *o = opaque;
	struct kick_key key = { 0 };
	struct given g = { 0 };
	int ret;

	if (o->n_given == TRACE_MAX_GIVEN)
		return error_set(err, -EINVAL, "%s: too many, %d at most", arg, TRACE_MAX_GIVEN);
	ret = kv_parse(arg, "at", given_keys, &g, err);
	if (!ret)
		ret = read_place(&g, &key, err);
	if (!ret)
		ret = read_value(&g, &key, err);
	if (!ret)
		o->given[o->n_given++] = key;
	kv_release(given_keys, &g);
	return ret;
}

static const struct opts_option options[] = {
	{ "pid", 'p', "PID", "trace this VM; may be given several times", NULL, NULL, parse_pid },
	{ "all", 'a', NULL, "trace every VM on the machine, also those that start later", NULL,
	  NULL, parse_all },
	{ "interval", 'i', "S", "seconds between two lines or redraws; default 1", NULL, NULL,
	  parse_interval },
	{ "duration", 'd', "S", "end after S seconds; default when the VM ends", NULL, NULL,
	  parse_duration },
	{ "json", 'j', "FILE", "write the report there at the end; - is standard output", NULL,
	  "file", parse_json },
	{ "qmp", 'q', "PATH",
	  "the VM's QMP socket: devices and loops get their own names, and keys can set loops",
	  NULL, "file", parse_qmp },
	{ "stuck-ms", 0, "N",
	  "raise an alarm for a kick that nobody has taken for N milliseconds; default 1000", NULL,
	  NULL, parse_stuck },
	{ "lost-after", 0, "TIME", "an arrival not served within this time is lost; default 100ms",
	  NULL, NULL, parse_lost_after },
	{ "uprobes", 0, "[=all]",
	  "probe functions the VMM exports, which tell of single requests and cost it some 0.7 us "
	  "a call; =all: slow ones too",
	  NULL, NULL, parse_uprobes },
	{ "folded", 'f', "FILE",
	  "write folded stacks of who woke the loops and what they did, weighted by time, for a "
	  "flame graph; - is standard output; costs some 0.5 us a wake",
	  NULL, "file", parse_folded },
	{ "ioeventfd", 0, "mmio|pio:ADDR,KEY=VALUE,...",
	  "a queue's notify address, where the kernel does not tell them (`handoff doctor`)",
	  given_keys, NULL, parse_ioeventfd },
	{ .name = NULL },
};

const struct opts_command trace_opts = {
	.name = "trace",
	.summary = "attach to a VM that runs, QEMU or any other, and show where every kick goes",
	.text = trace_help_text,
	.options = options,
};

bool trace_is_of_several(const struct trace_options *o)
{
	return o->all || o->n_pids > 1;
}

/* What would be without effect, or of two VMs' at once. */
static int judge(const struct trace_options *o, struct error *err)
{
	if (o->all && o->n_pids)
		return error_set(err, -EINVAL, "--all and -p contradict: give one of them");
	if (trace_is_of_several(o) && o->qmp)
		return error_set(err, -EINVAL,
				 "--qmp is of one VM: it does not go with %s; give one -p",
				 o->all ? "--all" : "several -p");
	if (trace_is_of_several(o) && o->n_given)
		return error_set(err, -EINVAL,
				 "--ioeventfd is of one VM: it does not go with %s; give one -p",
				 o->all ? "--all" : "several -p");
	if (o->json && o->folded && !strcmp(o->json, "-") && !strcmp(o->folded, "-"))
		return error_set(err, -EINVAL,
				 "--json - and --folded - both want standard output: write one to "
				 "a file");
	return 0;
}

int trace_options_parse(struct trace_options *o, int argc, char **argv, struct error *err)
{
	int ret;

	*o = (struct trace_options){ 0 };
	ret = opts_parse(&trace_opts, argc, argv, o, err);
	if (!o->interval_ns)
		o->interval_ns = DEFAULT_INTERVAL_NS;
	return ret ? ret : judge(o, err);
}
