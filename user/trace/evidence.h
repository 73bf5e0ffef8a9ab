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
	bool foreign; /* not our VMM: no USDT of it, no stats page */
	/* foreign: is any hook on a read of an eventfd attached; if not, why */
	bool consume;
	const char *consume_why;
	/* foreign: uprobes that carry the stage */
	bool uprobe[STAGES];
};

struct evidence_verdict {
	enum evidence evidence[STAGES];
	char reason[STAGES][EVIDENCE_TEXT]; /* "" if exact */
	enum evidence outcomes;		    /* absent: notified and busy cannot be told apart */
	enum evidence met;		    /* what the kicks met */
	/* Of kicks that left to user space where BPF does not see it: by the VMM, who may not tell.
	 */
	enum evidence left_untold;
	enum evidence kicks; /* exact: by BPF; inferred: the VMM's count */
	enum evidence exits; /* of a vCPU */
	char exits_reason[EVIDENCE_TEXT];
	enum evidence reasons; /* of those exits */
	char reasons_reason[EVIDENCE_TEXT];
	enum evidence mmio, pio, user_exits; /* counts of a vCPU: exact, or absent */
	enum evidence runq;		     /* a loop's time on the run queue */
	enum evidence account;
	char account_reason[EVIDENCE_TEXT];
};

void evidence_decide(const struct evidence_facts *facts, struct evidence_verdict *verdict);

/* What is known of a queue of a VMM that is not ours. */
struct evidence_queue_facts {
	bool consume, handler;	 /* as evidence_facts; handler: seen at this queue too */
	uint64_t unowned;	 /* entries of handlers that could not be told whose they are */
	bool spins, never_spins; /* its loop, by its settings; neither: they are not known */
	bool unwatched;		 /* who serves it is outside of the VMM, and not known */
	bool no_eventfd;	 /* not known: its address was given by hand */
	uint64_t kicks;		 /* seen */
	uint64_t interrupts;	 /* of its message, by a thread of the VMM */
	uint64_t loop_irqs;	 /* of any message, by the thread that serves it */
	enum evidence msi;	 /* is the message known: exact by votes, inferred by a guess */
};

/* Of arrivals and of those a spin found. */
enum evidence evidence_arrivals(const struct evidence_queue_facts *facts,
				char reason[EVIDENCE_TEXT]);

/* And of a loop of such a VMM. */
struct evidence_loop_facts {
	bool seen;	      /* the programs know the thread */
	bool consume;	      /* as evidence_facts */
	bool spins_known;     /* the VMM's settings were told */
	uint64_t poll_max_ns; /* then */
	/* a queue it serves takes no interrupts, or fewer than half as many as it is kicked */
	bool blind, dim;
};

enum evidence evidence_polls(const struct evidence_loop_facts *facts, char reason[EVIDENCE_TEXT]);
/* Of its gaps; hidden: those that a spin ended are not among them. */
enum evidence evidence_gaps(const struct evidence_loop_facts *facts, bool *hidden,
			    char reason[EVIDENCE_TEXT]);
/* What is to be said of its account, which is inferred. */
void evidence_account(const struct evidence_loop_facts *facts, char reason[EVIDENCE_TEXT]);
/* So few interrupts that many a spin's find has none. */
bool evidence_is_dim(uint64_t kicks, uint64_t interrupts);

#endif
