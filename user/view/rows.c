// SPDX-License-Identifier: BSD-2-Clause
/* Figures and the rows of stages as text: see rows.h. Neighbours: rows_queue.c, rows_loop.c,
 * rows_vcpu.c. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <handoff/clock.h>
#include <handoff/compiler.h>
#include <handoff/hist.h>
#include <handoff/report.h>

#include "rows.h"

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

char *view_count(char buf[VIEW_FIGURE], uint64_t n)
{
	static const char units[] = "kMGTPE";
	double v = (double)n;
	int unit = -1;

	if (n < 100000) {
		snprintf(buf, VIEW_FIGURE - 1, "%llu", (unsigned long long)n);
		return buf;
	}
	while (v >= 999.5 && unit < 5) {
		v /= 1000;
		unit++;
	}
	snprintf(buf, VIEW_FIGURE - 1,
		 v < 9.995   ? "%.2f%c"
		 : v < 99.95 ? "%.1f%c"
			     : "%.0f%c",
		 v, units[unit]);
	return buf;
}

char *view_percent(char buf[VIEW_FIGURE], uint64_t part, uint64_t whole)
{
	if (!whole)
		snprintf(buf, VIEW_FIGURE - 1, "-");
	else
		snprintf(buf, VIEW_FIGURE - 1, "%.1f%%", 100.0 * (double)part / (double)whole);
	return buf;
}

char *view_figure(char buf[VIEW_FIGURE], enum evidence evidence, uint64_t n)
{
	buf[0] = '~';
	if (evidence == EVIDENCE_ABSENT)
		snprintf(buf, VIEW_FIGURE, "?");
	else
		view_count(buf + (evidence == EVIDENCE_INFERRED), n);
	return buf;
}

char *view_share(char buf[VIEW_FIGURE], enum evidence evidence, uint64_t part, uint64_t whole)
{
	buf[0] = '~';
	if (evidence == EVIDENCE_ABSENT)
		snprintf(buf, VIEW_FIGURE, "?");
	else
		view_percent(buf + (evidence == EVIDENCE_INFERRED && whole), part, whole);
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

bool view_watched(const struct report *r)
{
	return r->hooks[0] != '\0';
}

bool view_tracer(const struct report *r, char *buf, size_t size)
{
	size_t fill = 0;

	if (r->tracer_cpu < 0 || !view_watched(r))
		return false;
	if (r->tracer_kick_ns >= 0)
		fill = (size_t)snprintf(buf, size, "tracer: %.2fus a kick, ",
					r->tracer_kick_ns / 1e3);
	snprintf(buf + fill, size - fill, "%s%.1f%% of a CPU",
		 fill ? "" : "tracer: ", 100 * r->tracer_cpu);
	return true;
}
