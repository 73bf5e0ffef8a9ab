/* SPDX-License-Identifier: BSD-2-Clause */
/* What each stage's figures are worth on this host, and why: decided here and nowhere else. Pure.
 */
#ifndef TRACE_EVIDENCE_H
#define TRACE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <abi/model.h>
#include "programs.h"

#define EVIDENCE_TEXT 160

/* What is attached, and what was seen so far. */
struct evidence_facts {
	const char *no_bpf; /* why there is no BPF at all; NULL = there is */
	bool attached[PROGRAMS];
	const char *why[PROGRAMS]; /* not attached because */
	const char *kvm;	   /* host.kvm, for reasons */
	uint64_t mmio_writes, exits, entries;
	uint64_t reasons; /* exits told apart by reason */
	struct trace_seen seen;
};

struct evidence_verdict {
	enum evidence evidence[STAGES];
	char reason[STAGES][EVIDENCE_TEXT]; /* "" if exact */
	enum evidence outcomes;		    /* absent: notified and busy cannot be told apart */
	enum evidence kicks;		    /* exact: by BPF; inferred: the VMM's count */
	enum evidence exits;		    /* of a vCPU */
	char exits_reason[EVIDENCE_TEXT];
	enum evidence reasons; /* of those exits */
	char reasons_reason[EVIDENCE_TEXT];
	enum evidence mmio, pio, user_exits; /* counts of a vCPU: exact, or absent */
	enum evidence runq;		     /* a loop's time on the run queue */
	enum evidence account;
	char account_reason[EVIDENCE_TEXT];
};

void evidence_decide(const struct evidence_facts *facts, struct evidence_verdict *verdict);

#endif
