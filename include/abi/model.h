/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The vocabulary of design.md as numbers, and what the BPF programs keep in their maps. Seen by bpf/ and user/trace. Append only.
 *
 * Nothing is told to the kernel in advance but the VMM's process id: kicks are keyed by the guest address they hit, interrupts by their
 * MSI message, and user space gives those keys their queue names from the stats page. So no kick is missed while a map is filled.
 */
#ifndef HANDOFF_ABI_MODEL_H
#define HANDOFF_ABI_MODEL_H

#include <abi/hist.h>

enum stage {
	STAGE_EXIT = 0,
	STAGE_SIGNAL = 1,
	STAGE_WAKE = 2,
	STAGE_RUNQ = 3,
	STAGE_DISPATCH = 4,
	STAGE_SERVICE = 5,
	STAGE_IO = 6,
	STAGE_IRQ = 7,
	STAGE_INJECT = 8,
	STAGE_ENTER = 9,
	STAGES = 10,
};

enum outcome {
	OUTCOME_POLLED = 0,
	OUTCOME_NOTIFIED = 1,
	OUTCOME_BUSY = 2,
	OUTCOME_USERSPACE = 3,
	OUTCOME_LOST = 4,
	OUTCOMES = 5,
};

enum evidence { EVIDENCE_ABSENT = 0, EVIDENCE_INFERRED = 1, EVIDENCE_EXACT = 2 };

enum bus { BUS_MMIO = 0, BUS_PIO = 1, BUS_FAST_MMIO = 3 };

/* A guest address that was written to. */
struct kick_key {
	__u64 gpa;
	__u32 bus; /* enum bus; a fast-MMIO kick is filed under BUS_MMIO */
	__u32 pad;
};

/* Everything seen of one guest address. Counters only grow. The vCPU side and the loop side write different fields. */
struct kick_state {
	/* vCPU side, atomic adds: several vCPUs may kick one queue */
	__u64 kicks;		/* guest writes seen */
	__u64 user_exits;	/* of which left to user space */
	__u64 woke;		/* of which woke a sleeping thread of the VMM */
	__u64 first_ns;		/* oldest kick not yet consumed; 0 = none */
	__u64 woke_ns;		/* the wake that ended a sleep for this address, not yet consumed; 0 = none */
	/* loop side: the program at handoff:queue_notified */
	__u64 consumed;		/* kicks at the last consumption */
	__u64 notified, busy, lost;
	__u64 spurious;		/* woken with nothing there */
};

/* One histogram per address and stage that the kernel sees: exit, signal, wake, runq, dispatch. */
struct kick_hist_key {
	__u64 gpa;
	__u32 bus;
	__u32 stage;
};

/* Injection, by MSI message. */
struct irq_key {
	__u64 address;
	__u32 data;
	__u32 pad;
};

struct irq_state {
	__u64 signalled; /* irqfd fired or MSI sent */
	__u64 accepted;
	struct hist inject; /* one writer at a time: the thread that signals */
};

/* Per thread of the VMM that was put on a run queue. */
struct loop_state {
	__u64 wakes;		/* woken out of a sleep */
	__u64 runq_wake_ns;	/* runnable after a wake, until it ran */
	__u64 runq_preempt_ns;	/* runnable after being preempted */
	__u64 preemptions;
	__u64 run_ns;		/* on a CPU */
};

struct vcpu_state {
	__u64 exits;		/* kvm_exit; 0 with evidence absent where the tracepoint never fires */
	__u64 entries;
	__u64 mmio_writes, mmio_reads, pio;
	__u64 user_exits;
};

/* What could not be kept; a figure that is not zero is shown. */
enum loss {
	LOSS_RECORDS = 0,  /* ring buffer full */
	LOSS_LOOKUPS = 1,  /* a state that should have been there was not */
	LOSS_MAPS = 2,	   /* a map was full */
	LOSS_CLOCK = 3,	   /* an end before its begin: clamped to 0 */
	LOSSES = 4,
};

#define MODEL_MAX_KICK_KEYS 1024
#define MODEL_MAX_IRQ_KEYS  256
#define MODEL_MAX_THREADS   512

_Static_assert(sizeof(struct kick_key) == 16, "map layout is ABI");
_Static_assert(sizeof(struct kick_hist_key) == 16, "map layout is ABI");
_Static_assert(sizeof(struct irq_key) == 16, "map layout is ABI");
_Static_assert(sizeof(struct kick_state) == 80, "map layout is ABI");

#endif
