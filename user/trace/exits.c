// SPDX-License-Identifier: BSD-2-Clause
/* Exit reasons by name, as the kernel's own trace events call them (arch/x86/include/uapi/asm). */
#include "tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <handoff/compiler.h>

struct reason_name {
	uint64_t reason;
	const char *name;
};

static const struct reason_name vmx_names[] = {
	{ 0, "EXCEPTION_NMI" },
	{ 1, "EXTERNAL_INTERRUPT" },
	{ 7, "INTERRUPT_WINDOW" },
	{ 10, "CPUID" },
	{ 12, "HLT" },
	{ 18, "VMCALL" },
	{ 28, "CR_ACCESS" },
	{ 30, "IO_INSTRUCTION" },
	{ 31, "MSR_READ" },
	{ 32, "MSR_WRITE" },
	{ 40, "PAUSE_INSTRUCTION" },
	{ 44, "APIC_ACCESS" },
	{ 45, "EOI_INDUCED" },
	{ 48, "EPT_VIOLATION" },
	{ 49, "EPT_MISCONFIG" },
	{ 52, "PREEMPTION_TIMER" },
	{ 54, "WBINVD" },
	{ 55, "XSETBV" },
	{ 56, "APIC_WRITE" },
};

static const struct reason_name svm_names[] = {
	{ 0x40, "DB_excp" },
	{ 0x10, "write_cr0" },
	{ 0x14, "write_cr4" },
	{ 0x46, "UD_excp" },
	{ 0x65, "cr0_sel_write" },
	{ 0x4e, "PF_excp" },
	{ 0x60, "interrupt" },
	{ 0x61, "nmi" },
	{ 0x64, "vintr" },
	{ 0x72, "cpuid" },
	{ 0x77, "pause" },
	{ 0x78, "hlt" },
	{ 0x7b, "io" },
	{ 0x7c, "msr" },
	{ 0x7f, "shutdown" },
	{ 0x81, "vmmcall" },
	{ 0x89, "wbinvd" },
	{ 0x8d, "xsetbv" },
	{ 0x400, "npf" },
	{ 0x401, "avic_incomplete_ipi" },
	{ 0x402, "avic_unaccelerated_access" },
	{ 0x403, "vmgexit" },
};

/* VMX sets bit 31 when the entry itself failed. */
static void name_reason(const struct exit_key *key, char *name, size_t size)
{
	const struct reason_name *names = key->isa == EXIT_ISA_VMX ? vmx_names : svm_names;
	size_t n = key->isa == EXIT_ISA_VMX ? ARRAY_SIZE(vmx_names) : ARRAY_SIZE(svm_names), i;

	for (i = 0; key->isa != EXIT_ISA_OTHER && i < n; i++) {
		if (names[i].reason != key->reason)
			continue;
		snprintf(name, size, "%s", names[i].name);
		return;
	}
	snprintf(name, size, "0x%llx", (unsigned long long)key->reason);
}

static int by_count(const void *a, const void *b)
{
	const uint64_t x = ((const struct kernel_exit *)a)->count;
	const uint64_t y = ((const struct kernel_exit *)b)->count;

	return x < y ? 1 : x > y ? -1 : 0;
}

void join_exit_reasons(struct tracer *t, struct report *r)
{
	uint32_t i, v;

	/* The most frequent first: a report has room for some. */
	if (t->view.n_exits)
		qsort(t->view.exit, t->view.n_exits, sizeof(*t->view.exit), by_count);
	for (i = 0; i < t->view.n_exits; i++) {
		const struct kernel_exit *e = &t->view.exit[i];

		for (v = 0; v < r->n_vcpus && r->vcpu[v].tid != e->key.tid; v++)
			;
		if (v == r->n_vcpus || r->vcpu[v].n_reasons == REPORT_EXIT_REASONS)
			continue;
		name_reason(&e->key, r->vcpu[v].reason[r->vcpu[v].n_reasons].name, STATS_NAME_LEN);
		r->vcpu[v].reason[r->vcpu[v].n_reasons++].count = e->count;
	}
}
