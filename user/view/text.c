// SPDX-License-Identifier: BSD-2-Clause
/* A report as text: the summary at the end of a run. Main thread. Neighbours: verdict.c,
 * interval.c.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/report.h>
#include <handoff/view.h>

#include "rows.h"

#define SUMMARY_VCPUS 8u

static void put_row(FILE *to, const char *row, unsigned int width)
{
	fprintf(to, "%.*s\n", (int)view_cut(row, width), row);
}

static unsigned int terminal_width(FILE *to)
{
	struct winsize ws;

	return !ioctl(fileno(to), TIOCGWINSZ, &ws) && ws.ws_col >= 40 ? ws.ws_col : VIEW_ROW;
}

/* One sentence instead of a table that says it ten times. */
static bool stages_share_absence(const struct report *r)
{
	for (enum stage s = 0; s < STAGES; s++)
		if (r->stage[s].evidence != EVIDENCE_ABSENT ||
		    strcmp(r->stage[s].reason, r->stage[0].reason))
			return false;
	return true;
}

static void put_stages(const struct report *r, unsigned int width, FILE *to)
{
	bool utf8 = view_utf8();
	char row[VIEW_ROW];

	if (stages_share_absence(r)) {
		snprintf(row, sizeof(row), "The ten stages are absent: %s", r->stage[0].reason);
		put_row(to, row, width);
		return;
	}
	view_row_stage_header(row, sizeof(row));
	put_row(to, row, width);
	for (enum stage s = 0; s < STAGES; s++) {
		view_row_stage(&r->stage[s], s, utf8, row, sizeof(row));
		put_row(to, row, width);
	}
}

static void put_queues(const struct report *r, unsigned int width, FILE *to)
{
	struct view_columns c = view_columns(r);
	char row[VIEW_ROW];

	if (!r->n_queues)
		return;
	fputc('\n', to);
	view_row_queue_header(c, row, sizeof(row));
	put_row(to, row, width);
	for (uint32_t i = 0; i < r->n_queues; i++) {
		view_row_queue(&r->queue[i], c, row, sizeof(row));
		put_row(to, row, width);
	}
	fputc('\n', to);
	view_row_kicks_header(c, row, sizeof(row));
	put_row(to, row, width);
	for (uint32_t i = 0; i < r->n_queues; i++) {
		view_row_kicks(&r->queue[i], c, row, sizeof(row));
		put_row(to, row, width);
	}
}

static void put_loops(const struct report *r, unsigned int width, FILE *to)
{
	struct view_columns c = view_columns(r);
	char row[VIEW_ROW];

	if (!r->n_loops)
		return;
	fputc('\n', to);
	view_row_loop_header(c, row, sizeof(row));
	put_row(to, row, width);
	for (uint32_t i = 0; i < r->n_loops; i++) {
		view_row_loop(&r->loop[i], c, row, sizeof(row));
		put_row(to, row, width);
	}
}

static void put_vcpus(const struct report *r, unsigned int width, FILE *to)
{
	char row[VIEW_ROW];

	if (!view_vcpus_known(r))
		return;
	fputc('\n', to);
	view_row_vcpu_header(row, sizeof(row));
	put_row(to, row, width);
	for (uint32_t i = 0; i < MIN(r->n_vcpus, SUMMARY_VCPUS); i++) {
		view_row_vcpu(&r->vcpu[i], row, sizeof(row));
		put_row(to, row, width);
	}
	if (r->n_vcpus > SUMMARY_VCPUS)
		fprintf(to, "and %u more, in the JSON report\n", r->n_vcpus - SUMMARY_VCPUS);
	if (r->io.mmio_evidence != EVIDENCE_ABSENT) {
		view_row_writes(&r->io, row, sizeof(row));
		put_row(to, row, width);
	}
}

static const char *guest_get(const struct report *r, const char *key)
{
	for (uint32_t i = 0; i < r->n_guest; i++)
		if (!strcmp(r->guest[i].key, key))
			return r->guest[i].value;
	return NULL;
}

static void put_guest(const struct report *r, unsigned int width, FILE *to)
{
	static const char *const keys[] = { "rw",	  "iodepth",	    "requests",
					    "errors",	  "verify_errors",  "kicks",
					    "irqs",	  "iops",	    "lat_p50_ns",
					    "lat_p99_ns", "lat_p50_cycles", "lat_p99_cycles" };
	char row[VIEW_ROW] = "guest:";
	size_t fill = strlen(row);

	if (!r->n_guest) {
		if (r->guest_reason[0])
			fprintf(to, "guest: no report: %s\n", r->guest_reason);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = guest_get(r, keys[i]);

		if (value && fill < sizeof(row))
			fill += (size_t)snprintf(row + fill, sizeof(row) - fill, " %s=%s", keys[i],
						 value);
	}
	put_row(to, row, width);
}

static void put_handovers(const struct report *r, FILE *to)
{
	uint64_t sum = 0, max = 0;
	char a[16], b[16];

	if (!r->n_handovers)
		return;
	for (uint32_t i = 0; i < r->n_handovers; i++) {
		sum += r->handover[i].duration_ns;
		max = MAX(max, r->handover[i].duration_ns);
	}
	fprintf(to, "handovers: %llu, the last %u took %s on average, %s at most\n",
		(unsigned long long)r->handovers_total, r->n_handovers,
		clock_format_ns(a, (int64_t)(sum / r->n_handovers)),
		clock_format_ns(b, (int64_t)max));
}

static void put_losses(const struct report *r, FILE *to)
{
	if (!view_watched(r)) {
		fprintf(to, "losses: not watched\n");
		return;
	}
	if (!r->loss[LOSS_RECORDS] && !r->loss[LOSS_LOOKUPS] && !r->loss[LOSS_MAPS] &&
	    !r->loss[LOSS_CLOCK]) {
		fprintf(to, "losses: none\n");
		return;
	}
	fprintf(to,
		"losses: records %llu, lookups %llu, maps %llu, clock steps %llu: "
		"figures above miss as many\n",
		(unsigned long long)r->loss[LOSS_RECORDS],
		(unsigned long long)r->loss[LOSS_LOOKUPS], (unsigned long long)r->loss[LOSS_MAPS],
		(unsigned long long)r->loss[LOSS_CLOCK]);
}

void view_summary(const struct report *r, unsigned int width, FILE *to)
{
	char row[VIEW_ROW];

	if (!width)
		width = terminal_width(to);
	fprintf(to, "\nhandoff: %s %u (%s%s), %.1f s on Linux %s, %s, %s\n", r->comm, r->pid,
		r->vmm_kind, r->vmm_alive ? "" : ", ended", (double)r->duration_ns / 1e9, r->kernel,
		r->kvm, r->cpu);
	if (r->hypervisor)
		fprintf(to, "The host is itself a guest: wake-ups and interrupts cost more than on "
			    "bare metal.\n");
	fputc('\n', to);
	put_stages(r, width, to);
	put_queues(r, width, to);
	put_loops(r, width, to);
	put_vcpus(r, width, to);
	view_alarms(r, width, to);
	view_verdict(r, to);
	put_guest(r, width, to);
	put_handovers(r, to);
	put_losses(r, to);
	if (view_tracer(r, row, sizeof(row)))
		fprintf(to, "%s\n", row);
}
