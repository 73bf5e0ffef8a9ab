/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The vocabulary of design.md as numbers, and what the BPF programs keep in their maps. Seen by
 * bpf/ and user/trace, of one build. Numbers of enums: append only.
 *
 * Of our own VMM nothing is told to the kernel in advance but its process id: kicks are keyed by
 * the guest address they hit, interrupts by their MSI message, and user space gives those keys
 * their queue names. So no kick is missed while a map is filled. Of any other VMM the tracer tells
 * (queue_binding) what discovery has found; kicks from before that are adopted.
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

/* KVM's numbers, and ours for reads, which are counted and never a kick. */
enum bus {
	BUS_MMIO = 0,
	BUS_PIO = 1,
	BUS_FAST_MMIO = 3,
	BUS_MMIO_READ = 16,
	BUS_PIO_READ = 17,
};

/*
 * Or'ed to a bus: the address is shared by several queues, told apart by the value that is written
 * (an ioeventfd's datamatch), which kick_key.value holds.
 */
#define BUS_BY_VALUE 0x100

/* A guest address that was written to, or read from. */
struct kick_key {
	__u64 gpa;
	__u64 value; /* 0 unless BUS_BY_VALUE */
	__u32 bus;   /* enum bus; a fast-MMIO kick is filed under BUS_MMIO */
	__u32 past; /* 0; else the address belongs to another queue now, and this is what was before
		     */
};

/*
 * Everything seen of one guest address. Counters only grow. A window is the time between two
 * consumptions of its eventfd. The vCPU side (several vCPUs may kick one queue) adds atomically;
 * the loop side has one writer: the loop that serves the queue.
 *
 * A line of a cache that both write goes from CPU to CPU at each kick, which takes as long as all
 * else that a program does. So the parts are in lines of their own, if an entry of the kernel's
 * hash begins its value 72 bytes after the begin of a line (48 of its own, and the key).
 */
struct kick_state {
	/* both sides, each window: what has to go from one CPU to the other */
	__u64 kicks;	/* guest writes seen */
	__u64 pending;	/* kicks of this window */
	__u64 first_ns; /* the oldest of them; 0 = none */
	__u64 last_ns;	/* the newest kick of all */
	/* Of kicks: an earlier one's signal was in the eventfd still (told at the kick). */
	__u64 coalesced;
	__u64 woke_ns;	/* the signal of the kick that ended a sleep in this window; 0 = none */
	__u32 woke_tid; /* whose sleep */
	/* 1 + row of the stats page of the queue whose notify register this is; 0 = none */
	__u16 row;
	/* 1 = queues share this address: kicks are filed under BUS_BY_VALUE */
	__u16 by_value;

	/* loop side: the program at handoff:queue_notified */
	__u64 signal_ns; /* vCPU's: first eventfd_signal of this window, where it can be hooked */
	__u64 served_ns; /* last entry */
	__u64 consumed;	 /* eventfd counts read */
	__u64 notified, busy;
	/*
	 * What the kicks met: of the windows that were closed, those whose first kick woke the
	 * consumer, and those it met awake. With coalesced, user_exits and the window that is open
	 * (pending) they add up to kicks.
	 */
	__u64 met_asleep, met_awake;
	__u32 served_tid; /* the thread that served the last arrival */
	__u32 pad;

	/* vCPU side */
	__u64 woke;	  /* of kicks: woke a sleeping thread of the VMM */
	__u64 user_exits; /* of kicks: left to user space */
	/* the loop's, seldom */
	__u64 lost;	/* of arrivals */
	__u64 spurious; /* entered with nothing there */
	/* Of the oldest kick of this window: since when its vCPU was back in the guest from the
	 * kick that it had sent before, and when it left the guest for this one; 0 = not seen, or
	 * waits are not kept. */
	__u64 first_back_ns, first_left_ns;
	__u64 unused[2]; /* to a size that lays the next one's parts in lines of their own too */
};

/*
 * What is known of a queue beside its addresses: of a VMM that tells nothing by itself. By row, as
 * stage_hists. Written by the threads that serve the queue.
 */
struct queue_state {
	__u64 interrupts; /* its messages sent by a thread of the VMM */
	/* Of those: no kick was consumed since the last one. polled: and the thread did not sleep
	 * meanwhile, so a spin found the work; polled_asleep: it did, so a request that came before
	 * has ended, whoever found it. */
	__u64 polled, polled_asleep;
	__u64 last_irq_ns;   /* the newest of them; 0 = none */
	__u64 last_serve_ns; /* the newest sign of service: an eventfd read, a handler, an interrupt
			      */
	/* by uprobes; 0 where none is attached */
	__u64 handled;		    /* queue handler entered, and a request found */
	__u64 handled_polled;	    /* of those: no kick was consumed since it was last entered */
	__u64 submitted, completed; /* requests */
	__u32 kicked;		    /* 1 = a kick was consumed since the last interrupt */
	__u32 kicked_hd;	    /* 1 = a kick was consumed since the handler was last entered */
	__u32 tid;		    /* the thread that served it last; 0 = not seen */
	__u32 irq_polled;	    /* 1 = the last interrupt is among these two */
};

/*
 * Stages that the kernel sees: exit, signal, wake, runq, dispatch; and, by uprobes on a VMM that is
 * not ours, service, io and irq. Queue by queue: element row * KICK_STAGES + stage of stage_hists.
 * Several vCPUs may kick one queue, so to theirs is added atomically (hist_add_shared); wake, runq
 * and dispatch are added to by the loop that serves the queue, one at a time (hist_add_alone).
 */
#define KICK_STAGES (STAGE_IRQ + 1)

/* An MSI message, as far as every KVM tells of it: the lower half of its address, and its data. */
struct irq_key {
	__u32 address, data;
};

/*
 * Whose interrupts are counted together: those of the queues (a bit for each row of the stats page)
 * that were using the message when it was sent; rows = 0: no queue's. A message is nobody's for
 * long: the guest moves vectors about. Of a VMM that tells nothing it may be learned only later
 * whose a message is: till then it is counted by itself, as far as there is room.
 */
struct irq_set {
	__u64 rows;
	struct irq_key msi; /* all 0 unless rows is */
};

struct irq_state {
	__u64 signalled; /* kvm_msi_set_irq: an irqfd fired or a message was sent */
	__u64 accepted;
	__u64 posted; /* of those: taken by hardware inside the guest, which needed no entry */
	struct hist inject;
	struct hist enter;
};

/* How often a message was the first interrupt after kicks of this queue alone were consumed. */
struct irq_vote {
	struct irq_key msi;
	__u32 row;
	__u32 pad;
};

/* All ways to kick a queue of a VMM that is not ours: told by the tracer, row by row. */
#define QUEUE_WAYS 4
struct queue_ways {
	__u32 n;
	__u32 pad;
	struct kick_key way[QUEUE_WAYS];
};

/*
 * All that is known of such a queue, as the tracer hands it to the programs. A consumer is named
 * only if it reads no eventfd, or is no thread of the VMM's: a vhost worker.
 */
#define QUEUE_FDS 4
struct queue_binding {
	struct queue_ways ways;
	__u64 ctx; /* of its eventfd, in the kernel; 0 = not known */
	struct irq_key msi;
	__u32 n_fds;
	__s32 fd[QUEUE_FDS];
	__u32 consumer_tid; /* 0 = a thread of the VMM that reads the eventfd */
	__u32 msi_seen;	    /* 1 = it came after kicks of this queue alone; 0 = a guess */
	__u32 pad;
};

/* An ioctl by which the VM registered or dropped something, after it has succeeded. */
enum change_op { CHANGE_IOEVENTFD = 1, CHANGE_IRQFD = 2, CHANGE_ROUTING = 3 };
struct vm_change {
	__u64 t_ns;
	__u64 gpa, datamatch; /* of an ioeventfd */
	__u32 op;	      /* enum change_op */
	__u32 len;	      /* of an ioeventfd; of a routing: the number of its entries */
	__u32 flags;	      /* KVM_IOEVENTFD_FLAG_*, KVM_IRQFD_FLAG_* */
	__s32 fd;	      /* the eventfd's; of a routing: -1 */
	__u32 gsi;	      /* of an irqfd */
	__s32 vm_fd;
};

/* Where a queue is now. */
struct queue_place {
	__u64 gpa;	    /* 0 = nowhere */
	struct irq_key msi; /* all 0 = no vector */
	__u64 known;	    /* 0 = nothing was told of this row yet */
};

/* A thread on the run queue. Its own context switches write it, and its wakers: never at once. */
struct loop_state {
	__u64 wakes;	       /* woken out of a sleep */
	__u64 runq_wake_ns;    /* runnable after a wake, until it ran */
	__u64 runq_preempt_ns; /* runnable after being preempted */
	__u64 preemptions;
	__u64 run_ns;	   /* on a CPU */
	__u64 exit_ns;	   /* the thread ended; 0 = it lives */
	__u64 poll_end_ns; /* poll mode last left */
	__u32 polling;	   /* 1 = in poll mode: notifications are off */
	__s32 cpu;	   /* it ran on last; -1 = not seen running */
	/*
	 * Of a VMM that tells nothing: the thread's time on a CPU, judged at its next event.
	 * handling: until it consumes a kick; from there until an interrupt, or until it sleeps or
	 * finds an eventfd empty. polled: until an interrupt that no kick preceded (spin and
	 * service together). waste: from an interrupt, or from an empty eventfd, until it sleeps or
	 * finds one empty again, or, once it has sent an interrupt that no kick preceded, all
	 * that it did awake and showed none of these. Else that is in none.
	 */
	__u64 mark_ns;	/* of its last event; 0 = not on a CPU */
	__u64 carry_ns; /* then: on a CPU since its last event, before it was preempted; else 0 */
	__u64 handling_ns, polled_ns, waste_ns;
	__u64 polled_irqs; /* interrupts in polled_ns */
	__u64 consumes;	   /* kicks' eventfds read with something in them */
	__u64 reads_empty; /* and with nothing in them */
	__u64 sleeps;	   /* switched out to wait */
	__u64 irqs;	   /* interrupts sent */
	__u32 hists;	   /* 1 + its place among loop_hists; 0 = it has none yet */
	__u32 pad;
};

/*
 * Of a loop's waits, element (hists - 1) * LOOP_HISTS + this of loop_hists, shared as stage_hists
 * is. A gap is the time from the loop's running dry to the arrival (the guest's kick as it was
 * decoded, whenever the loop then saw it); a wait that something else ends (a timer) has none.
 */
enum loop_hist {
	LOOP_GAP = 0,	   /* a kick told when the work arrived */
	LOOP_GAP_SPUN = 1, /* a spin found it: until its interrupt, less what serving takes */
	LOOP_WAKE = 2,	   /* from the arrival until it was seen, of those that ended a sleep */
	LOOP_HISTS = 3,
};

/* The newest of them as they were, of all loops, in the order in which they ended. */
struct loop_wait {
	__u64 arrival_ns;
	__u32 tid;
	__u32 gap_ns;
	/* Of the gap, its begin: the vCPU whose kick ended it was still carrying out the one
	 * before; its end: the vCPU had left the guest. 0 = none, or not seen. */
	__u32 held_ns, exit_ns;
	__u32 wake_ns; /* 0 = it did not sleep */
	__u32 pad;
};

#define LOOP_WAITS 16384 /* a power of two */
struct loop_waits {
	__u64 n; /* ever; the newest is at (n - 1) % LOOP_WAITS */
	struct loop_wait wait[LOOP_WAITS];
};

struct vcpu_state {
	__u64 exits;   /* kvm_exit; 0 where the tracepoint never fires: evidence absent */
	__u64 entries; /* kvm_entry */
	__u64 mmio_writes, mmio_reads, pio_writes, pio_reads;
	__u64 user_exits;
	__u64 untracked; /* accesses to addresses the table had no room for */
};

/* One thread of the VMM. It stays after the thread has ended, until its number is used again. */
struct thread_row {
	__u32 tid;
	__u32 pad;
	struct vcpu_state vcpu;
	struct loop_state loop;
};

/* Why a vCPU left the guest, in its hardware's own numbers. */
enum exit_isa { EXIT_ISA_OTHER = 0, EXIT_ISA_VMX = 1, EXIT_ISA_SVM = 2 };

struct exit_key {
	__u32 tid;
	__u32 isa; /* enum exit_isa, as kvm_exit has it */
	__u64 reason;
};

/*
 * What the hooks have shown so far. A hook that is attached proves nothing: a function may be
 * inlined where it matters. So an end that should have come from one and did not is counted.
 */
struct trace_seen {
	__u32 signal;	 /* 1 = eventfd_signal(_mask) has fired for a kick */
	__u32 ioeventfd; /* 1 = ioeventfd_write has */
	/* A kick's signal was taken from the wake it caused: never, once, more often (2 or a few).
	 * All CPUs would write it at each kick. */
	__u64 signals_inferred;
	__u64 signals_untold;	/* fast-MMIO kicks, of which KVM tells after the signal only */
	__u64 injects_inferred; /* an injection's begin was taken from kvm_msi_set_irq */
	__u64 handlers_unowned; /* a handler (uprobe) found a request, and whose was not known
				 */
};

/* What could not be kept; a figure that is not zero is shown. */
enum loss {
	LOSS_RECORDS = 0, /* ring buffer full */
	LOSS_LOOKUPS = 1, /* a state that should have been there was not */
	LOSS_MAPS = 2,	  /* a map was full */
	LOSS_CLOCK = 3,	  /* an end before its begin: clamped to 0 */
	LOSSES = 4,
};

/*
 * Every guest address that is touched takes a kick key, configuration space too: a Linux guest that
 * boots touches some hundreds. The reserve is for those that turn out to be a queue's, whatever the
 * guest has touched before.
 */
#define MODEL_MAX_KICK_KEYS 8192
#define MODEL_KICK_RESERVE  512
#define MODEL_MAX_IRQ_SETS  256	 /* sets of queues that share a message */
#define MODEL_MAX_UNKNOWN   64	 /* of those: messages of nobody known */
#define MODEL_MAX_MESSAGES  1024 /* in use at once */
#define MODEL_MAX_QUEUES    64	 /* rows of the stats page: a set is 64 bits */
#define MODEL_MAX_LOOPS	    64	 /* threads that have waited for a kick */
#define MODEL_MAX_THREADS   2048 /* those of note that have ended too */
#define MODEL_MAX_VCPUS	    512
#define MODEL_MAX_EXITS	    4096 /* exit reasons, of all vCPUs */
#define MODEL_MAX_EVENTFDS  1024 /* descriptors and contexts of queues' eventfds */
#define MODEL_MAX_VOTES	    1024
#define MODEL_MAX_CONSUMERS 64 /* that are no threads of the VMM's */

_Static_assert(sizeof(struct kick_key) == 24, "map layout is ABI");
_Static_assert((48 + sizeof(struct kick_key) + sizeof(struct kick_state)) % 64 == 0, "lines");
_Static_assert(__builtin_offsetof(struct kick_state, signal_ns) == 56, "lines");
_Static_assert(__builtin_offsetof(struct kick_state, woke) == 56 + 64, "lines");
_Static_assert(sizeof(struct queue_state) == 9 * 8 + 4 * 4, "map layout is ABI");
_Static_assert(sizeof(struct irq_vote) == 16, "map layout is ABI");
_Static_assert(sizeof(struct queue_ways) == 8 + QUEUE_WAYS * 24, "map layout is ABI");
_Static_assert(sizeof(struct queue_binding) == sizeof(struct queue_ways) + 16 + 8 * 4,
	       "map layout is ABI");
_Static_assert(sizeof(struct vm_change) == 3 * 8 + 6 * 4, "map layout is ABI");
_Static_assert(sizeof(struct exit_key) == 16, "map layout is ABI");
_Static_assert(sizeof(struct irq_key) == 8, "map layout is ABI");
_Static_assert(sizeof(struct irq_set) == 16, "map layout is ABI");
_Static_assert(sizeof(struct irq_state) == 24 + 2 * sizeof(struct hist), "map layout is ABI");
_Static_assert(sizeof(struct queue_place) == 24, "map layout is ABI");
_Static_assert(sizeof(struct thread_row) == 8 + 19 * 8 + 8 * 8, "map layout is ABI");

#endif
