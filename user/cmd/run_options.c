// SPDX-License-Identifier: BSD-2-Clause
/* The options of `handoff run`: the table and how each is read; run_judge.c says what contradicts
 * what. Main thread. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/qmp_server.h>

#include "run.h"
#include "run_defaults.h"
#include "run_judge.h"
#include "values.h"

#define MIB (1ull << 20)

#define DISK(field) offsetof(struct run_disk, disk.field), KV_NO_SEEN
#define IOT(field)  offsetof(struct machine_iothread, field), KV_NO_SEEN
#define MOVE(field) offsetof(struct machine_move, field), KV_NO_SEEN

static const struct kv_key blk_keys[] = {
	{ "file", KV_STRING, DISK(file), 0, 0, "file",
	  "path of the image, or null for a disk without a file" },
	{ "id", KV_STRING, DISK(id), 0, 0, NULL,
	  "name in reports; disk0, disk1, ... if not given" },
	{ "size", KV_SIZE, DISK(size_bytes), 512, 1ull << 50, NULL,
	  "size; a missing file is created with it" },
	{ "iothread", KV_STRING, DISK(iothread), 0, 0, NULL,
	  "id of the iothread that serves it; without it the main loop does" },
	{ "queues", KV_U32, DISK(queues), 1, 16, NULL, "virtqueues" },
	{ "queue-size", KV_U32, DISK(queue_size), 16, 1024, NULL,
	  "entries of a virtqueue, a power of two" },
	{ "cache", KV_ENUM, DISK(cache), 0, 0, "writeback|direct",
	  "direct bypasses the host's page cache" },
	{ "delay", KV_STRING, offsetof(struct run_disk, delay), KV_NO_SEEN, 0, 0, NULL,
	  "latency added to each request: 50us, or exp:50us for exponential with that mean" },
	{ "read-only", KV_BOOL, DISK(read_only), 0, 0, NULL, "the guest may not write" },
	{ "ioeventfd", KV_BOOL, DISK(ioeventfd), 0, 0, NULL,
	  "off: every kick leaves to user space" },
	{ "packed", KV_BOOL, DISK(packed), 0, 0, NULL,
	  "on: offer the packed ring of virtio 1.2; default off" },
	{ "serial", KV_STRING, DISK(serial), 0, 0, NULL,
	  "what GET_ID tells, at most 20 characters" },
	{ .name = NULL },
};

static const struct kv_key iothread_keys[] = {
	{ "id", KV_STRING, IOT(id), 0, 0, NULL, "name" },
	{ "poll-max-ns", KV_U64, offsetof(struct machine_iothread, poll_max_ns),
	  offsetof(struct machine_iothread, poll_max_ns_seen), 0, MACHINE_POLL_MAX_NS_LIMIT, NULL,
	  "longest spin before a sleep, ns; 0 never spins; default 64000, of the others 32768" },
	{ "poll-grow", KV_U32, IOT(poll_grow), 0, MACHINE_POLL_FACTOR_LIMIT, NULL,
	  "factor by which the spin grows; default 2" },
	{ "poll-shrink", KV_U32, IOT(poll_shrink), 0, MACHINE_POLL_FACTOR_LIMIT, NULL,
	  "divisor by which it shrinks; default 2" },
	{ "poll-weight", KV_U32, IOT(poll_weight), 0, MACHINE_POLL_WEIGHT_LIMIT, NULL,
	  "shift that weights a new sample; default 3 (1/8)" },
	{ "poll-latency-percent", KV_U32, IOT(poll_latency_percent), 0, MACHINE_POLL_LATENCY_LIMIT,
	  NULL, "what break-even pays for latency, in percent of CPU time; default 100" },
	{ "policy", KV_STRING, IOT(policy), 0, 0, RUN_POLL_POLICIES,
	  "how long to spin: break-even (default) as would have cost least of late, measured; "
	  "qemu-weighted and qemu as QEMU 11.1 and before do; fixed always poll-max-ns" },
	{ .name = NULL },
};

static const struct kv_key move_keys[] = {
	{ "disk", KV_STRING, MOVE(disk), 0, 0, NULL, "id of the disk" },
	{ "loops", KV_STRING, MOVE(loops), 0, 0, NULL, "io0:io1:main, taken in turn" },
	{ "every", KV_TIME, MOVE(every_ns), 100 * NS_PER_US, 3600 * NS_PER_S, NULL,
	  "time between two moves; default 50ms" },
	{ "count", KV_U64, MOVE(count), 0, 0, NULL, "moves; 0 (default) until the end" },
	{ .name = NULL },
};

static int parse_trace(void *opaque, const char *arg, struct error *err)
{
	((struct run_options *)opaque)->trace = true;
	return 0;
}

static int parse_json(void *opaque, const char *arg, struct error *err)
{
	((struct run_options *)opaque)->json = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --json FILE, or - for stdout");
}

static int parse_duration(void *opaque, const char *arg, struct error *err)
{
	struct run_options *o = opaque;

	o->duration_given = true;
	return seconds_parse(arg, NS_PER_MS, &o->duration_ns, err);
}

static int parse_interval(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, 50 * NS_PER_MS, &((struct run_options *)opaque)->interval_ns,
			     err);
}

static int parse_lost_after(void *opaque, const char *arg, struct error *err)
{
	return seconds_parse(arg, NS_PER_US, &((struct run_options *)opaque)->lost_after_ns, err);
}

static int parse_kernel(void *opaque, const char *arg, struct error *err)
{
	((struct run_options *)opaque)->machine.kernel = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --kernel vmlinuz");
}

static int parse_initrd(void *opaque, const char *arg, struct error *err)
{
	((struct run_options *)opaque)->machine.initrd = arg;
	return *arg ? 0 : error_set(err, -EINVAL, "no name; write --initrd initrd.img");
}

static int parse_append(void *opaque, const char *arg, struct error *err)
{
	((struct run_options *)opaque)->append = arg;
	return 0;
}

static int parse_load(void *opaque, const char *arg, struct error *err)
{
	((struct run_options *)opaque)->load = arg;
	return 0;
}

static int parse_memory(void *opaque, const char *arg, struct error *err)
{
	struct run_options *o = opaque;

	if (kv_parse_size(arg, &o->machine.memory_bytes) || o->machine.memory_bytes < 16 * MIB ||
	    o->machine.memory_bytes % 4096 || o->machine.memory_bytes > (1ull << 40))
		return error_set(err, -EINVAL,
				 "%s: not a memory size; write 256M or 2G (16M to 1T)", arg);
	return 0;
}

static int parse_cpus(void *opaque, const char *arg, struct error *err)
{
	uint64_t n;

	if (kv_parse_u64(arg, &n) || n < 1 || n > 64)
		return error_set(err, -EINVAL, "%s: not a number of vCPUs; write 1 to 64", arg);
	((struct run_options *)opaque)->machine.cpus = (unsigned int)n;
	return 0;
}

static int parse_console(void *opaque, const char *arg, struct error *err)
{
	static const char *const kinds[] = {
		[RUN_CONSOLE_STDIO] = "stdio",
		[RUN_CONSOLE_LINES] = "lines",
		[RUN_CONSOLE_NONE] = "none",
	};

	for (enum run_console kind = RUN_CONSOLE_STDIO; kind < ARRAY_SIZE(kinds); kind++) {
		if (strcmp(arg, kinds[kind]))
			continue;
		((struct run_options *)opaque)->console = kind;
		return 0;
	}
	return error_set(err, -EINVAL, "%s: no such console; write stdio, lines or none", arg);
}

static int parse_iothread(void *opaque, const char *arg, struct error *err)
{
	struct run_options *o = opaque;
	struct machine_config *m = &o->machine;

	if (m->n_iothreads == MACHINE_MAX_IOTHREADS)
		return error_set(err, -EINVAL, "%s: too many, %d iothreads at most", arg,
				 MACHINE_MAX_IOTHREADS);
	m->iothread[m->n_iothreads] = (struct machine_iothread){
		.cpu = -1,
	};
	return kv_parse(arg, "id", iothread_keys, &m->iothread[m->n_iothreads++], err);
}

/* "50us" or "exp:50us". */
static int parse_delay(struct run_disk *d, struct error *err)
{
	const char *text = d->delay;

	if (!text)
		return 0;
	if (!strncmp(text, "exp:", 4)) {
		d->disk.delay_exponential = true;
		text += 4;
	}
	if (kv_parse_time(text, &d->disk.delay_ns) || d->disk.delay_ns > 100 * NS_PER_S)
		return error_set(err, -EINVAL, "delay=%s: not a latency; write 50us or exp:50us",
				 d->delay);
	return 0;
}

static int parse_blk(void *opaque, const char *arg, struct error *err)
{
	struct run_options *o = opaque;
	struct run_disk *d;
	int ret;

	if (o->machine.n_disks == MACHINE_MAX_DISKS)
		return error_set(err, -EINVAL, "%s: too many, %d disks at most", arg,
				 MACHINE_MAX_DISKS);
	d = &o->disk[o->machine.n_disks++];
	*d = (struct run_disk){ .disk = { .queues = 1, .ioeventfd = true } };
	ret = kv_parse(arg, "file", blk_keys, d, err);
	return ret ? ret : parse_delay(d, err);
}

static int parse_move(void *opaque, const char *arg, struct error *err)
{
	struct machine_config *m = &((struct run_options *)opaque)->machine;

	if (m->n_moves == MACHINE_MAX_MOVES)
		return error_set(err, -EINVAL, "%s: too many, %d at most", arg, MACHINE_MAX_MOVES);
	m->move[m->n_moves] = (struct machine_move){ .every_ns = 50 * NS_PER_MS };
	return kv_parse(arg, "disk", move_keys, &m->move[m->n_moves++], err);
}

static int parse_qmp(void *opaque, const char *arg, struct error *err)
{
	struct machine_config *m = &((struct run_options *)opaque)->machine;

	if (strncmp(arg, "unix:", 5))
		return error_set(err, -EINVAL,
				 "%s: only Unix sockets; write --qmp unix:/run/vm.qmp", arg);
	m->qmp_path = arg + 5;
	return qmp_listener_check(m->qmp_path, err) ? -EINVAL : 0;
}

/* Rehearsals of what goes wrong: see the man page. */
static int parse_fault(void *opaque, const char *arg, struct error *err)
{
	struct machine_config *m = &((struct run_options *)opaque)->machine;
	uint64_t ns;

	if (!strcmp(arg, "refuse-ioeventfd")) {
		m->ioeventfd_limit = 0;
		return 0;
	}
	if (!strncmp(arg, "hold=", 5) && !kv_parse_time(arg + 5, &ns) && ns > 0 &&
	    ns <= 100 * NS_PER_S) {
		m->hold_handlers_ns = (int64_t)ns;
		return 0;
	}
	return error_set(err, -EINVAL, "%s: no such fault; write refuse-ioeventfd or hold=300ms",
			 arg);
}

static const struct opts_option options[] = {
	{ "trace", 't', NULL,
	  "watch the kernel's side too: attach the BPF programs and show every stage", NULL, NULL,
	  parse_trace },
	{ "json", 'j', "FILE", "write the report there at the end; - is standard output", NULL,
	  "file", parse_json },
	{ "duration", 'd', "S",
	  "end after S seconds; default 20 with the built-in guest, else when the guest ends", NULL,
	  NULL, parse_duration },
	{ "interval", 'i', "S", "seconds between two lines or redraws; default 1", NULL, NULL,
	  parse_interval },
	{ "load", 'l', "SPEC", "what the built-in guest does, in fio's words (see LOAD)", NULL,
	  NULL, parse_load },
	{ "kernel", 'k', "FILE",
	  "boot this Linux bzImage or PVH ELF (vmlinux) instead of the built-in guest", NULL,
	  "file", parse_kernel },
	{ "initrd", 0, "FILE", "its initial RAM disk", NULL, "file", parse_initrd },
	{ "append", 'a', "STR", "its command line; Linux wants console=ttyS0 to be heard", NULL,
	  NULL, parse_append },
	{ "memory", 'm', "N", "guest memory; default 256M, with --kernel 1G", NULL, NULL,
	  parse_memory },
	{ "cpus", 'c', "N", "vCPUs; default 1", NULL, NULL, parse_cpus },
	{ "iothread", 0, "ID,KEY=VALUE,...", "add an iothread", iothread_keys, NULL,
	  parse_iothread },
	{ "blk", 'b', "FILE|null,KEY=VALUE,...", "add a virtio-blk disk", blk_keys, "file",
	  parse_blk },
	{ "console", 0, "KIND",
	  "the guest's serial port: stdio (standard input and output as they are, see "
	  "CONSOLE), lines (each marked as the guest's) or none; default lines, for --kernel "
	  "stdio unless --trace or --json - is given",
	  NULL, "stdio|lines|none", parse_console },
	{ "move", 0, "DISK,KEY=VALUE,...", "hand a disk from loop to loop while the guest runs",
	  move_keys, NULL, parse_move },
	{ "qmp", 0, "unix:PATH",
	  "be controlled by QMP, QEMU's protocol, on this socket (see QMP); for its owner and root",
	  NULL, NULL, parse_qmp },
	{ "lost-after", 0, "TIME", "an arrival not served within this time is lost; default 100ms",
	  NULL, NULL, parse_lost_after },
	{ "fault", 0, "KIND",
	  "rehearse a fault: refuse-ioeventfd (KVM refuses them), hold=TIME (queue handlers are "
	  "held back once)",
	  NULL, "refuse-ioeventfd|hold=300ms", parse_fault },
	{ .name = NULL },
};

const struct opts_command run_opts = {
	.name = "run",
	.summary = "boot a guest, serve its disks, show where every kick goes",
	.text = run_help_text,
	.options = options,
};

int run_options_parse(struct run_options *o, int argc, char **argv, struct error *err)
{
	int ret;

	*o = (struct run_options){
		.machine = { .cpus = 1, .ioeventfd_limit = -1, .stop_fd = -1, .qmp_fd = -1 },
	};
	ret = opts_parse(&run_opts, argc, argv, o, err);
	if (!ret)
		ret = run_judge_early(o, err);
	if (!ret)
		ret = run_defaults_apply(o, err);
	return ret ? ret : run_judge_disks(o, err);
}

void run_options_release(struct run_options *o)
{
	for (unsigned int i = 0; i < o->machine.n_disks; i++)
		kv_release(blk_keys, &o->disk[i]);
	for (unsigned int i = 0; i < o->machine.n_iothreads; i++)
		kv_release(iothread_keys, &o->machine.iothread[i]);
	for (unsigned int i = 0; i < o->machine.n_moves; i++)
		kv_release(move_keys, &o->machine.move[i]);
	free((char *)o->machine.append);
}
