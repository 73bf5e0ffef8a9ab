/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report (design.md, schema handoff.report/1) as plain data: filled by trace/, rendered by
 * view/, read by tune/. No pointers, no ownership: copy it freely (it is large: allocate it with
 * report_new).
 */
#ifndef HANDOFF_REPORT_H
#define HANDOFF_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <abi/hist.h>
#include <abi/model.h>
#include <abi/stats.h>

#define REPORT_SCHEMA	    "handoff.report/1"
#define REPORT_TEXT	    160
#define REPORT_EXIT_REASONS 32
#define REPORT_ADDRESSES    32
#define REPORT_VCPUS	    512 /* of any ids; more are counted among the losses */
#define REPORT_GUEST_KEYS   128
#define REPORT_HOOKS_TEXT   1536 /* every program's hook fits */
#define REPORT_ALARMS	    16
#define REPORT_LATE	    1024 /* entries of a queue that may be under way */
#define REPORT_FRAMES	    24
#define REPORT_FRAME	    80

struct report_stage {
	enum evidence evidence;
	char reason[REPORT_TEXT]; /* why absent, or the rule it is inferred or sampled by */
	struct hist hist;
};

struct report_queue {
	char device[STATS_NAME_LEN];
	uint32_t queue;
	uint64_t gpa;
	char loop[STATS_NAME_LEN]; /* id of the loop that serves it now */
	uint32_t loop_index;	   /* into report.loop */
	bool ioeventfd;
	enum stats_ring ring;
	/* Of device and queue; inferred: a guess, by name_reason. */
	enum evidence name_evidence;
	char name_reason[REPORT_TEXT];
	/*
	 * Of arrivals and polled: exact (the VMM counts them, or a uprobe sees each handler), or
	 * inferred with the rule and its error.
	 */
	enum evidence arrivals_evidence;
	char arrivals_reason[REPORT_TEXT];
	uint64_t arrivals, outcome[OUTCOMES];
	enum evidence outcome_evidence; /* absent: notified and busy could not be told apart: both
					   stand under notified */
	enum evidence kicks_evidence;	/* exact: seen by BPF; inferred: counted by the VMM */
	uint64_t kicks, wasted_kicks;	/* kicks: guest writes to the notify register */
	uint64_t kicks_vmm; /* eventfd counts consumed + user-space kicks, by the VMM's own count */
	/*
	 * Of the kicks, those that no ioeventfd took: the vCPU left to user space. exact: seen by
	 * BPF (kvm_userspace_exit after the write); inferred: counted by the VMM, as kicks_left_vmm
	 * always is.
	 */
	enum evidence left_evidence;
	uint64_t kicks_left, kicks_left_vmm;
	/*
	 * What the kicks met: a loop asleep, which they woke; one awake (polling or busy); a signal
	 * that was there already. With kicks_left and kicks_open (of the window that nobody has
	 * closed yet: 0 or 1) they add up to kicks. Exact, or absent.
	 */
	enum evidence met_evidence;
	uint64_t kicks_asleep, kicks_awake, kicks_coalesced, kicks_open;
	/*
	 * Interrupts KVM accepted with the queue's MSI message, where the evidence of stage inject
	 * is not absent; `interrupts` are those the VMM signalled, by its own count or by its
	 * threads' messages. posted: of the accepted, those
	 * that hardware delivered into the running guest (APICv, AVIC): they have no `enter`.
	 */
	uint64_t injected, posted;
	/* Of interrupts. absent: they cannot be told apart (pins), none was sent yet, or who sends
	 * them is not known (arrivals_reason). */
	enum evidence interrupts_evidence;
	/*
	 * Of requests, completions, errors, interrupts_suppressed, spurious, kicks_vmm and
	 * kicks_left_vmm: the VMM's own counts. absent: it tells none (requests and completions may
	 * then come from uprobes: requests_evidence is exact, vmm_evidence absent).
	 */
	enum evidence vmm_evidence, requests_evidence;
	uint64_t requests, completions, interrupts, interrupts_suppressed, errors, spurious;
	struct report_stage stage[STAGES];
};

struct report_loop {
	uint32_t tid;
	char comm[STATS_NAME_LEN], id[STATS_NAME_LEN];
	enum stats_loop_kind kind;
	int32_t cpu;  /* it ran on last; -1 = unknown */
	char how[16]; /* it waits: "ppoll", "epoll", "io_uring", "read", "vhost"; "" = not seen */
	enum evidence settings_evidence; /* of poll_max_ns .. weight: exact (told), or absent */
	/* Of polls and hits: exact; inferred with polls_reason; or absent. */
	enum evidence polls_evidence;
	char polls_reason[REPORT_TEXT];
	/* Of iterations, kicks_suppressed, spurious_wakes, and poll_ns, what the policy has
	 * learned. */
	enum evidence counters_evidence;
	uint64_t poll_max_ns, poll_ns, poll_grow, poll_shrink, poll_weight;
	char poll_policy[STATS_POLICY_LEN]; /* "" = the VMM does not tell it */
	uint64_t poll_block_cost_ns; /* what a sleep costs, as it has measured; 0 = it does not tell
				      */
	uint64_t polls, hits, iterations, kicks_suppressed, spurious_wakes, wakes, preemptions;
	/* ns; the five add up to wall_ns */
	enum evidence account_evidence, runq_evidence;
	char account_reason[REPORT_TEXT];
	uint64_t wall_ns, handling_ns, polling_hit_ns, polling_waste_ns, blocked_ns, runq_ns;
	uint64_t preempted_ns; /* runnable but not running inside the others: informative */
	struct report_stage stage[STAGES]; /* of the queues it serves, merged */
	/*
	 * Its waits that work ended which a guest sent: gaps from its running dry to the arrival,
	 * and, of those it slept in, wakes from the arrival until it had seen it. Inferred with
	 * gaps_reason, or absent. hidden: it may spin, and what a spin finds leaves no trace, so
	 * short gaps are missing.
	 */
	enum evidence gaps_evidence;
	bool gaps_hidden;
	char gaps_reason[REPORT_TEXT];
	struct hist gap_hist, wake_hist;
};

struct report_vcpu {
	uint32_t tid, id;
	/* Of exits and entries; exact, or absent with exits_reason. */
	enum evidence exits_evidence;
	char exits_reason[REPORT_TEXT];
	uint64_t exits, entries;
	/* Of reason[]: exact, or absent with reasons_reason although exits are there. */
	enum evidence reasons_evidence;
	char reasons_reason[REPORT_TEXT];
	uint32_t n_reasons; /* the most frequent first */
	struct {
		char name[STATS_NAME_LEN];
		uint64_t count;
	} reason[REPORT_EXIT_REASONS];
	/* Each has a tracepoint of its own, which may fire where kvm_exit does not; exact or
	 * absent. */
	enum evidence mmio_evidence, pio_evidence, user_exits_evidence;
	uint64_t mmio_writes, mmio_reads; /* kicks that ioeventfds took are writes too */
	uint64_t pio;			  /* in and out; pio_writes: of which out */
	uint64_t pio_writes;
	uint64_t user_exits; /* KVM_RUN returned */
};

/* A guest address outside its memory that is no queue's notify register. */
struct report_address {
	uint64_t gpa; /* of a port if pio */
	bool pio, write;
	uint64_t count;
	uint64_t left; /* of the writes, those that left to user space */
};

/*
 * What all vCPUs touched outside guest memory: mmio_writes = kicks + the other writes by address.
 * So does each evidence cover the counts of its name, exact or absent.
 */
struct report_io {
	enum evidence mmio_evidence, pio_evidence;
	enum evidence left_evidence; /* of what left to user space */
	uint64_t mmio_writes, mmio_reads, pio_writes, pio_reads;
	uint64_t kicks;	    /* writes to the notify registers of queues */
	uint64_t untracked; /* accesses to addresses that the tracer had no room for */
	uint32_t addresses; /* different ones, a read and a written one apart; may exceed n_address
			     */
	uint32_t n_address; /* the most frequent first */
	struct report_address address[REPORT_ADDRESSES];
};

struct report_handover {
	char device[STATS_NAME_LEN], from[STATS_NAME_LEN], to[STATS_NAME_LEN];
	uint64_t duration_ns;
	int64_t t_ns; /* since the interval's start */
};

enum report_alarm_kind { ALARM_SPINNING, ALARM_STUCK };

/* Something is wrong now, or was during the run. */
struct report_alarm {
	enum report_alarm_kind kind;
	bool over;	       /* it has ended since */
	uint64_t t_ns, age_ns; /* first seen, since the start; how long it lasts, or lasted */
	uint32_t tid;	       /* the thread that spins, or should have come */
	char comm[STATS_NAME_LEN], device[STATS_NAME_LEN]; /* device "" = no queue's eventfd */
	uint32_t queue;
	int32_t fd; /* of the eventfd; -1 = the VMM holds none */
	uint32_t eventfd_id;
	uint64_t count;		   /* of the eventfd */
	double cpu_share;	   /* of one CPU, spinning */
	char state;		   /* of the thread, as ps has it: S, D, R, T; '?' = not known */
	uint32_t n_kernel, n_user; /* frames, innermost first; 0 with why */
	char kernel[REPORT_FRAMES][REPORT_FRAME], user[REPORT_FRAMES][REPORT_FRAME];
	char kernel_why[REPORT_TEXT], user_why[REPORT_TEXT];
};
/* "spinning", "stuck". */
const char *alarm_kind_name(enum report_alarm_kind kind);

struct report {
	char kernel[64], kvm[64], cpu[64]; /* host: uname -r; kind of KVM; model name */
	bool hypervisor;		   /* the host itself is a guest: latencies are inflated */
	uint64_t steal_ns;
	char hooks[REPORT_HOOKS_TEXT]; /* programs attached, for host.evidence */
	uint32_t pid;
	char comm[STATS_NAME_LEN];
	char vmm_kind[16]; /* "handoff", "qemu", "unknown", ... */
	bool vmm_alive;
	/*
	 * Traced from its middle on: of what was under way then, a queue of buffers at most, the
	 * VMM counts the end although nobody saw the beginning.
	 */
	bool late;
	int64_t start_realtime_ns; /* CLOCK_REALTIME at the start */
	uint64_t duration_ns;

	struct report_stage stage[STAGES];
	uint32_t n_queues, n_loops, n_vcpus, n_handovers;
	uint64_t handovers_total;
	struct report_queue queue[STATS_MAX_QUEUES];
	struct report_loop loop[STATS_MAX_LOOPS];
	struct report_vcpu vcpu[REPORT_VCPUS];
	struct report_io io;
	struct report_handover handover[STATS_MAX_HANDOVERS]; /* oldest first */
	uint64_t loss[LOSSES];
	double tracer_cpu; /* CPU time of the BPF programs, cores; < 0 = unknown */
	/* Of that, what the programs on a kick's way took, for each kick: at most, since they run
	 * for other exits and wakes too; < 0 = unknown. */
	double tracer_kick_ns;
	uint64_t tracer_clock_ns; /* what the kernel's accounting of a run adds to it, and is not in
				     the two; 0 = unknown */
	/* Waits of all loops as they were, the newest, oldest first; waits_total: there were. */
	uint64_t waits_total;
	uint32_t n_waits;
	struct loop_wait wait[LOOP_WAITS];
	uint32_t n_alarms;
	uint64_t alarms_total; /* if more: those that last are kept, then the newest */
	struct report_alarm alarm[REPORT_ALARMS];

	/*
	 * The load guest's own line, key=value, in its order; n 0 = it gave none, and guest_reason
	 * says why.
	 */
	uint32_t n_guest;
	char guest_reason[REPORT_TEXT];
	struct {
		char key[32], value[48];
	} guest[REPORT_GUEST_KEYS];
};

struct report *report_new(void);
void report_free(struct report *r);

/*
 * out = now - before: the interval between two snapshots of one tracer (rates, histograms,
 * accounts); settings and names as now.
 */
void report_subtract(struct report *out, const struct report *now, const struct report *before);

const char *stage_name(enum stage s);
const char *stage_from(enum stage s); /* "guest exit (kvm_exit)" */
const char *stage_to(enum stage s);
const char *outcome_name(enum outcome o);
const char *evidence_name(enum evidence e);

/*
 * Puts the guest's result line ("handoff-guest: result k=v ...") into r->guest. False if it is no
 * such line.
 */
bool report_set_guest(struct report *r, const char *line);

/*
 * The equalities of the report ("truth is checked"): outcomes add up to arrivals, kicks by BPF = by
 * the VMM = by the guest, so those that left to user space, requests likewise, each loop's account
 * = its wall time within 1 %, losses zero. Writes one line per violation through `tell`; returns
 * their number.
 */
unsigned int report_check(const struct report *r, void (*tell)(void *opaque, const char *line),
			  void *opaque);

#endif
