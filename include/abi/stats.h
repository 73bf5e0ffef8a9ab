/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The stats page: what our VMM tells a tracer without being asked. A sealed memfd named
 * STATS_MEMFD_NAME, found by a tracer under /proc/PID/fd and mapped read-only. Every row has one
 * writer (the loop that owns it) and a sequence count: odd while the row is being changed; a reader
 * copies, and copies again if the count was odd or has changed.
 *
 * Counters are always kept. Clocks and histograms are kept only while a tracer has armed them:
 * arming is the reference count of the USDT semaphore handoff:stats_armed, which the kernel lowers
 * by itself when the tracer dies. Explicit widths, append only, zeroed padding.
 */
#ifndef HANDOFF_ABI_STATS_H
#define HANDOFF_ABI_STATS_H

#include <abi/hist.h>

#define STATS_MEMFD_NAME "handoff-stats"
#define STATS_MAGIC	 0x31534f4646444e48ull /* "HNDFFOS1", little endian */
#define STATS_VERSION	 2

#define STATS_MAX_LOOPS	       32
#define STATS_MAX_QUEUES       64
#define STATS_MAX_VCPUS	       64
#define STATS_MAX_HANDOVERS    256 /* ring: the newest are kept */
/*
 * Turns that a kick brought are timed each; of those that a spin brought, one in so many, and it
 * counts for all of them: such a request may take a third of a microsecond, and four clock readings
 * and two histograms are a third of that.
 */
#define STATS_POLLED_PER_TIMED 32
#define STATS_NAME_LEN	       32
#define STATS_POLICY_LEN       16

enum stats_loop_kind { STATS_LOOP_UNUSED = 0, STATS_LOOP_MAIN = 1, STATS_LOOP_IOTHREAD = 2 };

/* What a loop is doing now: the account its running time goes to. */
enum stats_phase {
	STATS_PHASE_HANDLING = 0,
	STATS_PHASE_POLLING = 1, /* split into hit and waste when it ends */
	STATS_PHASE_BLOCKED = 2,
};

struct stats_loop {
	__u32 seq;
	__u32 kind;		 /* enum stats_loop_kind */
	__u32 tid;		 /* 0 until the thread runs */
	__u32 phase;		 /* enum stats_phase, always kept */
	char id[STATS_NAME_LEN]; /* "io0", "main" */

	/* settings and what the policy has learned */
	__u64 poll_max_ns, poll_grow, poll_shrink, poll_weight;
	__u64 poll_ns;

	/* counters, always */
	__u64 iterations;   /* aio_poll / dispatch turns */
	__u64 polls;	    /* spins begun */
	__u64 poll_hits;    /* spins ended by work */
	__u64 poll_spin_ns; /* time spent in spins; measured anyway by the policy, so always kept */
	__u64 poll_waste_ns;	/* of which in spins without a hit */
	__u64 blocks;		/* waits entered */
	__u64 kicks_suppressed; /* aio_notify calls that needed no eventfd write */
	__u64 notifies;		/* aio_notify calls that wrote the eventfd */
	__u64 spurious_wakes;	/* fd events whose handler found nothing */
	__u64 poll_begins;	/* poll modes with a spin in them */
	__u64 poll_ends;

	/* account, ns; while armed. Adds up to now - account_start_ns, the running phase included
	 */
	__u64 account_start_ns; /* when the loop first noticed that it is armed; 0 = not yet */
	__u64 phase_since_ns;	/* start of the running phase; 0 = not armed */
	__u64 handling_ns, polling_hit_ns, polling_waste_ns, blocked_ns;

	/* of a policy that measures; 0 = there is none, or it has no samples yet */
	__u64 poll_block_cost_ns; /* what a sleep costs, CPU-ns: B of tuning.md */
	__u64 poll_wake_ns;	  /* how late it sees a kick's work when asleep */
	__u64 poll_yields;	  /* spins after which others that want the CPU were let go first */
	char poll_policy[STATS_POLICY_LEN]; /* "break-even"; "" = an older VMM does not tell it */
	__u64 reserved[3];
	/* While armed: how long the spins took that a polled handler's work ended. */
	struct hist spin_hit;
};

/* Legs of a request that only user space sees. */
enum stats_leg { STATS_LEG_SERVICE = 0, STATS_LEG_IO = 1, STATS_LEG_IRQ = 2, STATS_LEGS = 3 };

/*
 * What turning notifications off does: by a flag at once; with EVENT_IDX in a split ring nothing is
 * written, so the next request is kicked for still.
 */
enum stats_ring { STATS_RING_UNKNOWN = 0, STATS_RING_FLAG = 1, STATS_RING_SPLIT_EVENT_IDX = 2 };

struct stats_queue {
	__u32 seq;
	__u32 used;		     /* 0 = free row */
	char device[STATS_NAME_LEN]; /* "disk0" */
	__u32 queue;		     /* index within the device */
	__u32 loop;		     /* index into loops[] of the loop that serves it now */
	__u64 gpa;		     /* address of its notify register; 0 = not placed */
	__u32 ioeventfd; /* 1 = KVM signals an eventfd for it; 0 = kicks go to user space */
	__u32 msi_data;
	__u64 msi_addr; /* 0 = no vector */

	/* counters, always. Each counter has one writing loop at a time */
	__u64 arrivals;		  /* work seen in a queue that had been emptied */
	__u64 arrivals_polled;	  /* ... by the spin, or by the look after poll mode ended */
	__u64 arrivals_notified;  /* ... by the fd handler */
	__u64 arrivals_recheck;	  /* ... by the look after notifications were turned on again in the
				     handler: the loop was busy */
	__u64 arrivals_userspace; /* ... by a kick that left to user space */
	__u64 signals; /* ioeventfd counts consumed: the kicks KVM signalled, our own self-kicks not
			  counted */
	__u64 self_kicks;      /* notifier set by ourselves at attach */
	__u64 userspace_kicks; /* notify writes that left to user space */
	__u64 spurious;	       /* handler entered, nothing there */
	__u64 requests;	       /* popped */
	__u64 completions;     /* pushed */
	__u64 interrupts;      /* irqfd signalled */
	__u64 interrupts_suppressed;
	__u64 errors; /* defects and failed requests */
	__u64 ring;   /* enum stats_ring, as negotiated */
	__u64 reserved[6];

	struct hist leg[STATS_LEGS]; /* while armed; see STATS_POLLED_PER_TIMED */
};

struct stats_handover {
	__u64 t_ns; /* begin, CLOCK_MONOTONIC */
	__u64 duration_ns;
	char device[STATS_NAME_LEN];
	__u32 from, to; /* loop rows */
};

struct stats_page {
	__u64 magic;
	__u32 version;
	__u32 size; /* sizeof(struct stats_page) */
	__u32 pid;
	__u32 n_vcpus;
	__u32 vcpu_tid[STATS_MAX_VCPUS];
	__u64 start_ns;
	__u64 tsc_khz;	   /* 0 = unknown */
	__u64 n_handovers; /* since the start; the newest is at (n - 1) % STATS_MAX_HANDOVERS */
	__u64 reserved[8];
	struct stats_loop loop[STATS_MAX_LOOPS];
	struct stats_queue queue[STATS_MAX_QUEUES];
	struct stats_handover handover[STATS_MAX_HANDOVERS];
};

_Static_assert(sizeof(struct stats_loop) == 16 + 32 + 5 * 8 + 11 * 8 + 6 * 8 + 3 * 8 +
						    STATS_POLICY_LEN + 3 * 8 + sizeof(struct hist),
	       "stats page layout is ABI");
_Static_assert(STATS_MAX_QUEUES <= 64, "a tracer keeps sets of rows as bits");
_Static_assert(sizeof(struct stats_queue) % 8 == 0, "stats page layout is ABI");

#endif
