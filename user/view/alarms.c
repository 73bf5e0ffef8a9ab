// SPDX-License-Identifier: BSD-2-Clause
/* Alarms as text: a line each, and the stacks below it. See rows.h. */
#include <stdio.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/report.h>

#include "rows.h"

/* "disk0.0, fd 12 (eventfd 7), count 3" */
static void whose(const struct report_alarm *a, char *buf, size_t size)
{
	size_t fill = 0;

	if (a->device[0])
		fill = (size_t)snprintf(buf, size, "%s.%u, ", a->device, a->queue);
	if (a->fd >= 0 && fill < size)
		fill += (size_t)snprintf(buf + fill, size - fill, "fd %d, ", (int)a->fd);
	if (fill < size)
		snprintf(buf + fill, size - fill, "eventfd %u, count %llu", a->eventfd_id,
			 (unsigned long long)a->count);
}

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "runs";
	case 'S':
		return "sleeps";
	case 'D':
		return "sleeps uninterruptibly";
	case 'T':
		return "is stopped";
	case 't':
		return "is stopped by a debugger";
	case 'Z':
	case 'X':
		return "has ended";
	default:
		return "is in an unknown state";
	}
}

void view_row_alarm(const struct report_alarm *a, char *buf, size_t size)
{
	char where[VIEW_ROW / 4], age[16], thread[64] = "nobody known serves it";

	whose(a, where, sizeof(where));
	clock_format_ns(age, (int64_t)a->age_ns);
	if (a->tid)
		snprintf(thread, sizeof(thread), "%s %u", a->comm, a->tid);
	if (a->kind == ALARM_SPINNING)
		snprintf(buf, size, "ALARM  %s spins without progress%s %s: %.0f%% of a CPU; %s",
			 thread, a->over ? ", over: it did for" : " for", age, 100 * a->cpu_share,
			 where);
	else if (a->tid)
		snprintf(buf, size, "ALARM  a kick is stuck%s %s: %s; %s should take it and %s",
			 a->over ? ", over: it was for" : " for", age, where, thread,
			 state_name(a->state));
	else
		snprintf(buf, size, "ALARM  a kick is stuck%s %s: %s; %s",
			 a->over ? ", over: it was for" : " for", age, where, thread);
}

static void put_stack(FILE *to, const char *name, uint32_t n,
		      const char frame[REPORT_FRAMES][REPORT_FRAME], const char *why)
{
	if (!n && *why)
		fprintf(to, "         %s stack absent: %s\n", name, why);
	for (uint32_t i = 0; i < n; i++)
		fprintf(to, "         %-6s %s\n", i ? "" : name, frame[i]);
}

void view_alarms(const struct report *r, unsigned int width, FILE *to)
{
	char row[VIEW_ROW];

	if (r->n_alarms)
		fputc('\n', to);
	for (uint32_t i = 0; i < r->n_alarms; i++) {
		const struct report_alarm *a = &r->alarm[i];

		view_row_alarm(a, row, sizeof(row));
		fprintf(to, "%.*s\n", (int)view_cut(row, width), row);
		put_stack(to, "kernel", a->n_kernel, a->kernel, a->kernel_why);
		put_stack(to, "user", a->n_user, a->user, a->user_why);
	}
	if (r->alarms_total > r->n_alarms)
		fprintf(to, "and %llu alarms more\n",
			(unsigned long long)(r->alarms_total - r->n_alarms));
}
