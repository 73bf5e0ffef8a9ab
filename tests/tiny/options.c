// SPDX-License-Identifier: BSD-2-Clause
/* The tiny VMM's command line, and its help, which says what it does. */
#include "options.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: tiny_vmm [option]...\n"
	"A VMM that tells a tracer nothing. Prints `ready pid=P consumer=C`, then obeys the lines\n"
	"of its standard input, printing `done` with figures after each; at their end, or at\n"
	"`end`, it prints what really happened as a line of JSON, and ends.\n"
	"  go [N]     the guest kicks each queue N times (--kicks), and all of them are served\n"
	"  kick [N]   the same; served or not\n"
	"  drain      until all is served\n"
	"  add        register the --late queues\n"
	"  reset      drop all ioeventfds, register new eventfds at the same addresses\n"
	"  freeze     the consumers stop in a lock; cont: they go on\n"
	"options\n"
	"  --queues N (1)     --vcpus N (1): queue i is kicked by vCPU i % N\n"
	"  --first-vcpu ID (0): vCPUs and their local APICs are numbered from it\n"
	"  --style S[,S...]   of consumer threads; queue i has thread i % their number: epoll\n"
	"                     ppoll uring-poll uring-read read busy spin adaptive none (epoll)\n"
	"  --spacing BYTES    of the queues' addresses (4)\n"
	"  --len BYTES        of a kick: 0 (any), 2, 4 (2)\n"
	"  --datamatch        one address for all queues, told apart by the value\n"
	"  --pio              ports; slow on a software KVM\n"
	"  --userspace        no ioeventfds: the vCPU serves\n"
	"  --kicks N (1000)   --pause TURNS (0): between kicks, 0.4 ns each or so\n"
	"  --sync             the guest waits after each kick until it is served\n"
	"  --irq irqfd | msi | none\n"
	"  --late N           the last N queues are not there before `add`\n"
	"  --never-drain Q    its consumer, who polls, never reads this queue's kicks\n"
	"  --consumer-process the consumers are threads of a child\n"
	"  --churn            a thread registers and drops other ioeventfds all the time\n"
	"  --run              `go` and `end` at once, no standard input\n"
	"  --limit SECONDS    dies of SIGALRM then (900)\n";

static const struct option table[] = {
	{ "queues", required_argument, NULL, 'q' },
	{ "vcpus", required_argument, NULL, 'v' },
	{ "first-vcpu", required_argument, NULL, 'f' },
	{ "style", required_argument, NULL, 's' },
	{ "spacing", required_argument, NULL, 'S' },
	{ "len", required_argument, NULL, 'L' },
	{ "datamatch", no_argument, NULL, 'd' },
	{ "pio", no_argument, NULL, 'p' },
	{ "userspace", no_argument, NULL, 'u' },
	{ "kicks", required_argument, NULL, 'k' },
	{ "pause", required_argument, NULL, 'P' },
	{ "sync", no_argument, NULL, 'y' },
	{ "irq", required_argument, NULL, 'i' },
	{ "late", required_argument, NULL, 'l' },
	{ "never-drain", required_argument, NULL, 'n' },
	{ "consumer-process", no_argument, NULL, 'c' },
	{ "churn", no_argument, NULL, 'C' },
	{ "run", no_argument, NULL, 'r' },
	{ "limit", required_argument, NULL, 't' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static uint64_t number(uint64_t max)
{
	char *end;
	uint64_t n = strtoull(optarg, &end, 0);

	if (*end || end == optarg || n > max)
		errx(2, "%s: not a number up to %llu", optarg, (unsigned long long)max);
	return n;
}

static void parse_styles(struct options *o)
{
	char *word, *save, *list = optarg;
	int style;

	for (o->styles = 0; (word = strtok_r(list, ",", &save)); list = NULL) {
		for (style = 0; style < TINY_STYLES; style++) {
			if (!strcmp(word, tiny_style_name(style)))
				break;
		}
		if (style == TINY_STYLES || o->styles == TINY_MAX_QUEUES)
			errx(2, "--style %s", word);
		o->style[o->styles++] = style;
	}
}

static void parse_irq(struct options *o)
{
	if (!strcmp(optarg, "irqfd"))
		o->irq = TINY_IRQFD;
	else if (!strcmp(optarg, "msi"))
		o->irq = TINY_SIGNAL_MSI;
	else if (!strcmp(optarg, "none"))
		o->irq = TINY_NO_IRQ;
	else
		errx(2, "--irq %s", optarg);
}

/* False: not one of these. */
static bool parse_flag(struct options *o, int c)
{
	switch (c) {
	case 'd':
		return o->datamatch = true;
	case 'p':
		return o->pio = true;
	case 'u':
		return o->userspace = true;
	case 'y':
		return o->sync = true;
	case 'c':
		return o->process = true;
	case 'C':
		return o->churn = true;
	case 'r':
		return o->run = true;
	}
	return false;
}

static void parse_value(struct options *o, int c)
{
	switch (c) {
	case 'q':
		o->queues = number(TINY_MAX_QUEUES);
		break;
	case 'v':
		o->vcpus = number(TINY_MAX_VCPUS);
		break;
	case 'f':
		o->first_vcpu = number(255 - TINY_MAX_VCPUS);
		break;
	case 's':
		parse_styles(o);
		break;
	case 'S':
		o->spacing = number(65536);
		break;
	case 'L':
		o->len = number(4);
		break;
	case 'k':
		o->kicks = number(UINT32_MAX);
		break;
	case 'P':
		o->pause = number(UINT32_MAX);
		break;
	case 'i':
		parse_irq(o);
		break;
	case 'l':
		o->late = number(TINY_MAX_QUEUES);
		break;
	case 'n':
		o->never_drain = (int)number(TINY_MAX_QUEUES);
		break;
	case 't':
		o->limit_s = number(86400);
		break;
	}
}

static void check(const struct options *o)
{
	unsigned int i;

	if (!o->queues || !o->vcpus || !o->styles || o->late > o->queues)
		errx(2, "no queue, no vCPU or no style");
	for (i = 0; i < o->styles; i++) {
		if (o->style[i] == TINY_READ && o->queues > o->styles)
			errx(2, "a blocking read has one queue");
	}
	if (o->len != 0 && o->len != 2 && o->len != 4)
		errx(2, "--len %u", o->len);
	if (o->datamatch && !o->len)
		errx(2, "--datamatch wants a length");
	if (o->sync && o->never_drain >= 0)
		errx(2, "--sync waits for ever with --never-drain");
	if (o->process && (o->irq == TINY_SIGNAL_MSI || o->userspace || o->late))
		errx(2, "a child cannot use the VM itself, nor get more eventfds");
}

void options_parse(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){ .queues = 1,
			       .vcpus = 1,
			       .len = 2,
			       .spacing = 4,
			       .limit_s = 900,
			       .styles = 1,
			       .kicks = 1000,
			       .never_drain = -1 };
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (c == '?')
			exit(2);
		if (!parse_flag(o, c))
			parse_value(o, c);
	}
	if (optind < argc)
		errx(2, "%s: what is that? (--help)", argv[optind]);
	check(o);
}
