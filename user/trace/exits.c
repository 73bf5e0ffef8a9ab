// SPDX-License-Identifier: BSD-2-Clause
/* Exit reasons by name, as the kernel's own trace events call them: its headers have the tables. */
#include "tracer.h"

#include <stdio.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <asm/kvm.h>
#include <asm/svm.h>
#include <asm/vmx.h>
#endif
#include <handoff/compiler.h>

struct reason_name {
	uint32_t reason;
	const char *name;
};

static const struct reason_name vmx_names[] = {
#if defined(__x86_64__)
	VMX_EXIT_REASONS
#endif
};

static const struct reason_name svm_names[] = {
#if defined(__x86_64__)
	SVM_EXIT_REASONS
#endif
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

/* The last place is for all that have none, so that they add up. */
static void add_reason(struct report_vcpu *v, const struct kernel_exit *e)
{
	bool rest = v->n_reasons >= REPORT_EXIT_REASONS - 1;

	if (rest) {
		v->n_reasons = REPORT_EXIT_REASONS;
		snprintf(v->reason[v->n_reasons - 1].name, STATS_NAME_LEN, "other");
		v->reason[v->n_reasons - 1].count += e->count;
		return;
	}
	name_reason(&e->key, v->reason[v->n_reasons].name, STATS_NAME_LEN);
	v->reason[v->n_reasons++].count = e->count;
}

void join_exit_reasons(struct tracer *t, struct report *r)
{
	uint32_t i, v;

	/* The most frequent first: a report has room for some. */
	if (t->view.n_exits)
		qsort(t->view.exit, t->view.n_exits, sizeof(*t->view.exit), by_count);
	for (i = 0; i < t->view.n_exits; i++) {
		for (v = 0; v < r->n_vcpus && r->vcpu[v].tid != t->view.exit[i].key.tid; v++)
			;
		if (v < r->n_vcpus)
			add_reason(&r->vcpu[v], &t->view.exit[i]);
	}
}
