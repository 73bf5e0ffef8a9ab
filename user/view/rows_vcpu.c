// SPDX-License-Identifier: BSD-2-Clause
/* The rows of vCPUs and of device memory as text: see rows.h. */
#include <stdio.h>

#include <handoff/compiler.h>
#include <handoff/report.h>

#include "rows.h"

#define VIEW_REASONS   5u /* of a vCPU's exits on its row */
#define VIEW_ADDRESSES 3u /* beside kicks that are named */

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

static const char *count_or_absent(char buf[VIEW_FIGURE], enum evidence evidence, uint64_t n)
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
