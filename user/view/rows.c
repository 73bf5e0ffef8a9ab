// SPDX-License-Identifier: BSD-2-Clause
/* Table rows as text: see rows.h. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/report.h>

#include "rows.h"

#define VIEW_REASONS   5u /* of a vCPU's exits on its row */
#define VIEW_ADDRESSES 3u /* beside kicks that are named */

bool view_utf8(void)
{
	setlocale(LC_CTYPE, "");
	return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

size_t view_cut(const char *text, unsigned int columns)
{
	size_t end = 0;

	/* Bytes 10xxxxxx continue a character. */
	for (; text[end]; end++)
		if ((text[end] & 0xc0) != 0x80 && !columns--)
			break;
	while (end && text[end - 1] == ' ')
		end--;
	return end;
}

char *view_count(char buf[16], uint64_t n)
{
	static const char units[] = "kMGTPE";
	double v = (double)n;
	int unit = -1;

	if (n < 100000) {
		snprintf(buf, 16, "%llu", (unsigned long long)n);
		return buf;
	}
	while (v >= 999.5 && unit < 5) {
		v /= 1000;
		unit++;
	}
	snprintf(buf, 16, v < 9.995 ? "%.2f%c" : v < 99.95 ? "%.1f%c" : "%.0f%c", v, units[unit]);
	return buf;
}

char *view_percent(char buf[16], uint64_t part, uint64_t whole)
{
	if (!whole)
		snprintf(buf, 16, "-");
	else
		snprintf(buf, 16, "%.1f%%", 100.0 * (double)part / (double)whole);
	return buf;
}

/* Samples per power of two, what is below the first and above the last column counted into them. */
static void spark_columns(const struct hist *h, uint64_t column[VIEW_SPARK_COLUMNS])
{
	memset(column, 0, VIEW_SPARK_COLUMNS * sizeof(*column));
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		int log2 = (int)hist_log2(MAX(hist_upper(i), 1ull)) - VIEW_SPARK_FIRST_LOG2;

		column[log2 < 0 ? 0 : MIN(log2, VIEW_SPARK_COLUMNS - 1)] += h->bucket[i];
	}
}

void view_spark(const struct hist *h, bool utf8, char *buf, size_t size)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
	uint64_t column[VIEW_SPARK_COLUMNS], most = 1;
	size_t fill = 0;

	spark_columns(h, column);
	for (int i = 0; i < VIEW_SPARK_COLUMNS; i++)
		most = MAX(most, column[i]);
	buf[0] = '\0';
	for (int i = 0; i < VIEW_SPARK_COLUMNS && fill + 4 < size; i++) {
		/* Rounded up: a single sample shows. */
		int level = (int)((column[i] * 8 + most - 1) / most);

		fill += (size_t)snprintf(buf + fill, size - fill, "%s",
					 utf8 ? blocks[level] : ascii[level]);
	}
}

void view_row_stage_header(char *buf, size_t size)
{
	snprintf(buf, size, "%-8s %-8s %6s %7s %7s %7s %7s  %s", "STAGE", "EVIDENCE", "COUNT",
		 "p50", "p90", "p99", "MAX", "128ns .. 17ms");
}

void view_row_stage(const struct report_stage *stage, enum stage s, bool utf8, char *buf,
		    size_t size)
{
	const struct hist *h = &stage->hist;
	char count[16], p50[16], p90[16], p99[16], max[16], spark[VIEW_SPARK_COLUMNS * 3 + 4];

	if (stage->evidence == EVIDENCE_ABSENT) {
		snprintf(buf, size, "%-8s %-8s %s", stage_name(s), "absent", stage->reason);
		return;
	}
	if (!h->count) {
		snprintf(buf, size, "%-8s %-8s %6s %7s %7s %7s %7s", stage_name(s),
			 evidence_name(stage->evidence), "0", "-", "-", "-", "-");
		return;
	}
	view_spark(h, utf8, spark, sizeof(spark));
	snprintf(buf, size, "%-8s %-8s %6s %7s %7s %7s %7s  %s", stage_name(s),
		 evidence_name(stage->evidence), view_count(count, h->count),
		 clock_format_ns(p50, (int64_t)hist_quantile_ns(h, 500)),
		 clock_format_ns(p90, (int64_t)hist_quantile_ns(h, 900)),
		 clock_format_ns(p99, (int64_t)hist_quantile_ns(h, 990)),
		 clock_format_ns(max, (int64_t)h->max_ns), spark);
}

void view_row_queue_header(char *buf, size_t size)
{
	snprintf(buf, size, "%-7s %-5s %8s %6s %8s %5s %9s %4s %6s %6s %6s", "QUEUE", "LOOP",
		 "ARRIVALS", "POLLED", "NOTIFIED", "BUSY", "USERSPACE", "LOST", "KICKS", "WASTED",
		 "K/REQ");
}

bool view_outcome_known(const struct report_queue *q, enum outcome o)
{
	return q->outcome_evidence != EVIDENCE_ABSENT || (o != OUTCOME_BUSY && o != OUTCOME_LOST);
}

bool view_wasted_known(const struct report_queue *q)
{
	return q->kicks_evidence != EVIDENCE_ABSENT && q->outcome_evidence != EVIDENCE_ABSENT;
}

bool view_watched(const struct report *r)
{
	return r->hooks[0] != '\0';
}

/* A name cut to what the column holds, with the queue's number kept. */
static void queue_name(const struct report_queue *q, char *buf, size_t size)
{
	snprintf(buf, size, "%.5s.%u", q->device, q->queue);
}

void view_row_queue(const struct report_queue *q, char *buf, size_t size)
{
	char name[24], n[OUTCOMES][16], arrivals[16], kicks[16] = "absent", wasted[16] = "?",
						      ratio[16] = "-";

	queue_name(q, name, sizeof(name));
	for (enum outcome o = 0; o < OUTCOMES; o++) {
		if (view_outcome_known(q, o))
			view_count(n[o], q->outcome[o]);
		else
			snprintf(n[o], sizeof(n[o]), "?");
	}
	if (view_wasted_known(q))
		view_count(wasted, q->wasted_kicks);
	if (q->kicks_evidence != EVIDENCE_ABSENT) {
		view_count(kicks, q->kicks);
		if (q->requests)
			snprintf(ratio, sizeof(ratio), "%.3f",
				 (double)q->kicks / (double)q->requests);
	}
	snprintf(buf, size, "%-7s %-5.5s %8s %6s %8s %5s %9s %4s %6s %6s %6s", name, q->loop,
		 view_count(arrivals, q->arrivals), n[OUTCOME_POLLED], n[OUTCOME_NOTIFIED],
		 n[OUTCOME_BUSY], n[OUTCOME_USERSPACE], n[OUTCOME_LOST], kicks, wasted, ratio);
}

void view_row_loop_header(char *buf, size_t size)
{
	snprintf(buf, size, "%-8s %6s %6s %7s %8s %8s %10s %7s %6s", "LOOP", "POLLS", "HITS",
		 "POLL-NS", "handling", "poll-hit", "poll-waste", "blocked", "runq");
}

void view_row_loop(const struct report_loop *l, char *buf, size_t size)
{
	char polls[16], hits[16], ns[16], handling[16], hit[16], waste[16], blocked[16],
		runq[16] = "absent";

	if (l->account_evidence == EVIDENCE_ABSENT) {
		snprintf(buf, size, "%-8.8s %6s %6s %7s account absent: %s", l->id,
			 view_count(polls, l->polls), view_count(hits, l->hits),
			 view_count(ns, l->poll_ns), l->account_reason);
		return;
	}
	if (l->runq_evidence != EVIDENCE_ABSENT)
		view_percent(runq, l->runq_ns, l->wall_ns);
	snprintf(buf, size, "%-8.8s %6s %6s %7s %8s %8s %10s %7s %6s", l->id,
		 view_count(polls, l->polls), view_count(hits, l->hits), view_count(ns, l->poll_ns),
		 view_percent(handling, l->handling_ns, l->wall_ns),
		 view_percent(hit, l->polling_hit_ns, l->wall_ns),
		 view_percent(waste, l->polling_waste_ns, l->wall_ns),
		 view_percent(blocked, l->blocked_ns, l->wall_ns), runq);
}

bool view_vcpus_known(const struct report *r)
{
	const struct report_vcpu *v = &r->vcpu[0];

	return r->n_vcpus &&
	       (v->exits_evidence != EVIDENCE_ABSENT || v->mmio_evidence != EVIDENCE_ABSENT ||
		v->pio_evidence != EVIDENCE_ABSENT);
}

void view_row_vcpu_header(char *buf, size_t size)
{
	snprintf(buf, size, "%-8s %6s %6s %6s %6s %6s  %s", "VCPU", "EXITS", "MMIO-W", "MMIO-R",
		 "PIO", "USER", "MOST OFTEN");
}

/* "npf 61.2%  hlt 20.1%": the report has them in order of frequency. */
static void most_often(const struct report_vcpu *v, char *buf, size_t size)
{
	char share[16];
	size_t fill = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < MIN(v->n_reasons, VIEW_REASONS) && fill < size; i++) {
		if (!v->reason[i].count)
			continue;
		fill += (size_t)snprintf(buf + fill, size - fill, "%s%s %s", fill ? "  " : "",
					 v->reason[i].name,
					 view_percent(share, v->reason[i].count, v->exits));
	}
}

static const char *count_or_absent(char buf[16], enum evidence evidence, uint64_t n)
{
	return evidence != EVIDENCE_ABSENT ? view_count(buf, n) : "absent";
}

void view_row_vcpu(const struct report_vcpu *v, char *buf, size_t size)
{
	char exits[16], writes[16], reads[16], pio[16], user[16], reasons[160] = "";

	if (v->reasons_evidence != EVIDENCE_ABSENT)
		most_often(v, reasons, sizeof(reasons));
	snprintf(buf, size, "%-8u %6s %6s %6s %6s %6s  %s", v->id,
		 count_or_absent(exits, v->exits_evidence, v->exits),
		 count_or_absent(writes, v->mmio_evidence, v->mmio_writes),
		 count_or_absent(reads, v->mmio_evidence, v->mmio_reads),
		 count_or_absent(pio, v->pio_evidence, v->pio),
		 count_or_absent(user, v->user_exits_evidence, v->user_exits), reasons);
}

/* The most frequent writes that are no kicks, as " 0xfee000b0 12". */
static void other_writes(const struct report_io *io, char *buf, size_t size)
{
	char count[16];
	size_t fill = 0;

	buf[0] = '\0';
	for (uint32_t i = 0, shown = 0; i < io->n_address && shown < VIEW_ADDRESSES && fill < size;
	     i++) {
		const struct report_address *a = &io->address[i];

		if (a->pio || !a->write || !a->count)
			continue;
		fill += (size_t)snprintf(buf + fill, size - fill, "%s 0x%llx %s", shown ? "," : ":",
					 (unsigned long long)a->gpa, view_count(count, a->count));
		shown++;
	}
}

void view_row_writes(const struct report_io *io, char *buf, size_t size)
{
	char writes[16], kicks[16], others[16], where[160];

	other_writes(io, where, sizeof(where));
	snprintf(buf, size, "Of %s writes to device memory %s were kicks, %s others%s",
		 view_count(writes, io->mmio_writes), view_count(kicks, io->kicks),
		 view_count(others, io->mmio_writes - MIN(io->kicks, io->mmio_writes)), where);
}
