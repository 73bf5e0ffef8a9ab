// SPDX-License-Identifier: BSD-2-Clause
/* Advice as text: a table with bars for each loop, what is advised and why, and what was observed.
 * Main thread. */
#include <handoff/advisor.h>

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <handoff/clock.h>
#include <handoff/compiler.h>
#include "words.h"

#define DEFAULT_WIDTH 100u
#define LEAST_WIDTH   60u
/* Of a row, without its bar. */
#define ROW_WIDTH     66u
#define BAR_MOST      40u

static unsigned int terminal_width(FILE *to)
{
	struct winsize ws;

	return !ioctl(fileno(to), TIOCGWINSZ, &ws) && ws.ws_col ? ws.ws_col : DEFAULT_WIDTH;
}

/* Words, broken at blanks, each line but the first indented. */
static void put_words(const char *text, unsigned int indent, unsigned int width, FILE *to)
{
	unsigned int column = indent;
	size_t len;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		len = strcspn(text, " ");
		if (column > indent && column + 1 + len > width) {
			fprintf(to, "\n%*s", (int)indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', to);
			column++;
		}
		fprintf(to, "%.*s", (int)len, text);
		column += (unsigned int)len;
		text += len;
	}
	fputc('\n', to);
}

static void put_labelled(const char *label, const char *text, unsigned int width, FILE *to)
{
	fprintf(to, "  %-11s", label);
	put_words(text, 13, width, to);
}

/* Eighths of a column, where the terminal has them. */
static void put_bar(double share, unsigned int columns, bool utf8, FILE *to)
{
	static const char *const part[] = { "",	      "\u258f", "\u258e", "\u258d",
					    "\u258c", "\u258b", "\u258a", "\u2589" };
	unsigned int eighths = (unsigned int)(share * columns * 8 + 0.5), i;
	unsigned int whole = MIN(eighths / 8, columns), used = whole;

	for (i = 0; i < whole; i++)
		fputs(utf8 ? "\u2588" : "#", to);
	if (utf8 && whole < columns && eighths % 8) {
		fputs(part[eighths % 8], to);
		used++;
	}
	fprintf(to, "%*s", (int)(columns - used), "");
}

static const char *marks_of(const struct advice *a, uint32_t i, char buf[40])
{
	snprintf(buf, 40, "%s%s%s", i == a->today ? " today" : "", i == a->knee ? " knee" : "",
		 a->action != ADVICE_NONE && i == a->best ? " best" : "");
	return buf;
}

static void put_point(const struct advice *a, uint32_t i, unsigned int bar, bool utf8, FILE *to)
{
	const struct advice_point *p = &a->point[i];
	char late[16], cost[16], marks[40];

	fprintf(to, "  %9lld %5.1f%% ", (long long)p->max_ns, p->hit_share * 100);
	if (bar)
		put_bar(p->hit_share, bar, utf8, to);
	fprintf(to, " %6.2f%% %8s %8s %8.0f%s\n", p->cpu * 100,
		clock_format_ns(late, (int64_t)p->late_ns),
		clock_format_ns(cost, (int64_t)p->cost_ns), p->kicks, marks_of(a, i, marks));
}

static void put_curve(const struct advice *a, unsigned int width, bool utf8, FILE *to)
{
	unsigned int bar = width > ROW_WIDTH + 6 ? MIN(width - ROW_WIDTH, BAR_MOST) : 0;
	uint32_t i;

	fprintf(to, "  %9s %6s %*s %7s %8s %8s %8s\n", "MAX-NS", "HITS", (int)bar, "", "CPU",
		"LATER BY", "COST", "KICKS/S");
	for (i = 0; i < a->n; i++)
		put_point(a, i, bar, utf8, to);
}

static void put_commands(const struct advice_report *r, const struct advice *a, FILE *to)
{
	char command[400];

	fprintf(to, "  by QMP:    %s\n", advice_qmp_command(a, command, sizeof(command)));
	fprintf(to, "  by virsh:  %s\n", advice_virsh_monitor(r, a, command, sizeof(command)));
	if (*advice_virsh_iothread(r, a, command, sizeof(command)))
		fprintf(to, "             %s\n", command);
}

static void put_advice(const struct advice_report *r, const struct advice *a, unsigned int width,
		       FILE *to)
{
	bool none = a->action == ADVICE_NONE;
	char text[WORDS_MAX];

	put_labelled(none ? "no advice:" : "advice:", words_advice(a, text), width, to);
	if (none)
		return;
	put_labelled("sure:", a->sure, width, to);
	if (*words_kicks(a, text))
		put_labelled("kicks:", text, width, to);
	if (advice_can_be_set(a))
		put_commands(r, a, to);
	else if (a->action == ADVICE_SET && !strcmp(a->loop, "main"))
		put_labelled("", "a main loop has no such setting: give the disk an iothread",
			     width, to);
	else if (a->action == ADVICE_SET)
		put_labelled("", "no command is printed: QEMU has no such ids", width, to);
}

static void put_observed_row(const char *label, const struct advice_observed *o, FILE *to)
{
	char late[16], cost[16], cpu[16];

	fprintf(to, "  %-9s %9lld ", label, (long long)o->max_ns);
	if (!o->known) {
		fprintf(to, "not known: %s\n", o->reason);
		return;
	}
	fprintf(to, "%5.1f%% %6.1f%% %8s %8s %8.0f %8.0f", o->hit_share * 100, o->loop_cpu * 100,
		clock_format_ns(late, (int64_t)o->late_ns),
		clock_format_ns(cost, (int64_t)o->cost_ns), o->rate, o->kicks);
	if (o->requests >= 0)
		fprintf(to, " %8.0f", o->requests);
	else
		fprintf(to, " %8s", "?");
	fprintf(to, " %8s\n",
		o->request_ns >= 0 ? clock_format_ns(cpu, (int64_t)o->request_ns) : "?");
}

static void put_trial(const struct advice *a, unsigned int width, FILE *to)
{
	const struct advice_point *p = &a->point[a->best];
	char late[16], text[ADVICE_TEXT + 40];

	if (a->trial == TRIAL_NONE)
		return;
	fprintf(to, "  %-9s %9s %6s %7s %8s %8s %8s %8s %8s %8s\n", "", "MAX-NS", "HITS", "LOOP",
		"LATER BY", "COST", "WAITS/S", "KICKS/S", "REQ/S", "CPU/REQ");
	put_observed_row("before", &a->before, to);
	fprintf(to, "  %-9s %9lld %5.1f%% %7s %8s %8s %8s %8.0f\n", "predicted",
		(long long)p->max_ns, p->hit_share * 100, "",
		clock_format_ns(late, (int64_t)p->late_ns), "", "", p->kicks);
	put_observed_row("observed", &a->after, to);
	snprintf(text, sizeof(text), "%s: %s", a->trial == TRIAL_KEPT ? "kept" : "rolled back",
		 a->trial_why);
	put_labelled("", text, width, to);
}

static void put_loop(const struct advice_report *r, const struct advice *a, unsigned int width,
		     bool utf8, FILE *to)
{
	char text[WORDS_MAX];

	fprintf(to, "\n%s\n", words_loop(r, a, text));
	if (*words_waits(a, text))
		put_labelled("waits", text, width, to);
	if (a->n)
		put_curve(a, width, utf8, to);
	put_advice(r, a, width, to);
	put_trial(a, width, to);
}

void advice_text(const struct advice_report *r, unsigned int width, bool utf8, FILE *to)
{
	char text[WORDS_MAX];
	uint32_t i;

	if (!width)
		width = terminal_width(to);
	width = MAX(width, LEAST_WIDTH);
	fprintf(to, "%s\n", words_vm(r, text));
	if (!r->n)
		fprintf(to, "\n" WORDS_NO_LOOP "\n");
	for (i = 0; i < r->n; i++)
		put_loop(r, &r->loop[i], width, utf8, to);
	fputc('\n', to);
	if (r->qmp_reason[0])
		put_words(r->qmp_reason, 0, width, to);
	if (!r->applied)
		fprintf(to, "Nothing was changed; --apply tries it.\n");
}
