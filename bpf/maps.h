/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps and globals all programs share: declared here, defined once in maps.bpf.c, joined by the
 * BPF linker. Filled in the kernel, read by user/trace. What is private to the programs
 * (thread_state) is not in include/abi.
 */
#ifndef HANDOFF_BPF_MAPS_H
#define HANDOFF_BPF_MAPS_H

#include <stdbool.h>
#include "hist_shared.h"
#include "kernel_types.h"
#include <abi/config.h>
#include <abi/model.h>

/*
 * What we remember of one thread of the VMM, as a vCPU, as a loop, and as a sender of interrupts,
 * by its number. A plain hash, not task storage: up to 6.1 the latter refuses even a lookup to a
 * program that interrupts another one's on the same CPU (bpf_task_storage_trylock), and wake-ups
 * come from interrupts. States are made in process context only (the iterator, fork, a vCPU's exit,
 * a USDT point); the scheduler's hooks only look them up.
 */
struct thread_state {
	struct thread_row row; /* first: it is what user space reads */

	/* on the run queue */
	__u64 runnable_ns;	/* 0 = running, asleep, or not known */
	__u64 oncpu_ns;		/* 0 = not on a CPU */
	__u64 wake_runnable_ns; /* its last wake; 0 = none */
	__u64 wake_before_ns;	/* the one before that */
	__u64 wake_oncpu_ns;	/* it ran after its last wake; 0 = not yet */
	__u32 preempted;	/* runnable since it was preempted, not since it was woken */
	/* of a VMM that tells nothing: the queues it serves, a bit for each row, and its account */
	__u32 event;  /* the last event: enum thread_event */
	__u64 served; /* ever */
	__u64 open;   /* a kick of theirs was consumed since their last interrupt */
	/* as a loop: its waits (gap.h) */
	__u64 dry_ns;	  /* since when it has nothing to do; 0 = it has, or that is not known */
	__u64 wait_ns;	  /* dry_ns of the sleep it has woken from; 0 = none, or told already */
	__u64 service_ns; /* from a kick's consumption to its interrupt, on the mean of late */
	__u64 accept_ns;  /* as a sender of interrupts: of the last one accepted */
	__u32 reads;	  /* 1 = it is seen to read eventfds */
	__u32 keep;	  /* a vCPU or a loop */

	/*
	 * Each kick, whatever its kind, in as few cache lines as can be: a guest has used the
	 * caches meanwhile. What it was is carried out until something else happens to this vCPU.
	 */
	__u32 armed;	    /* 1 = key was written to and nothing has happened to this vCPU since */
	__u32 told;	    /* 1 = key was written to, and may yet leave: armed, or its wake was */
	__u32 at_ioeventfd; /* 1 = KVM looks for the eventfd of this write (ioeventfd_write) */
	__u32 untracked;    /* 1 = the table has no room for key */
	__u32 in_exit;	    /* 1 = between kvm_exit and kvm_entry, in the kernel */
	__u32 in_kick;	    /* 1 = not in the guest again yet */
	__u32 early_tid;    /* whom the wake at early_woke_ns woke */
	__u32 vcpu;	    /* 1 + its index into vcpus; 0 = not seen entering */
	struct kick_key key;
	__u64 kick_ns;
	__u64 kick_signal_ns; /* first eventfd_signal since; 0 = none, or not hooked */
	__u64 inferred_ns;    /* a wake that was taken for its signal; 0 = none */
	__u64 early_woke_ns;  /* a wake before the kick was told (kvm_fast_mmio tells it last) */
	/* its interrupts, which the next kick forgets */
	__u64 irqfd_ns; /* an irqfd fired; 0 = none, or not hooked */
	__u64 msi_ns;	/* begin of the injection; 0 = none under way */

	/* as a vCPU: exits */
	__u64 exit_ns;	 /* last kvm_exit; 0 = none */
	__u64 back_ns;	 /* in the guest again from a kick; 0 = none, or not seen */
	__u64 left_ns;	 /* of PVM: it has left the guest; 0 = it is there, or not seen */
	__u64 msr_ns;	 /* of PVM: read on the way into the guest; 0 = not yet */
	__u32 switch_ns; /* gap.bpf.c: what a write of PVM's takes */
	__u32 pad;

	/* as a sender of interrupts: kvm_msi_set_irq not yet accepted (msi_ns) */
	struct irq_set msi; /* whose it is */
	__u64 unused[4];    /* to a whole number of lines */
};

#define THREAD_KICK_OFFSET __builtin_offsetof(struct thread_state, armed)
_Static_assert((48 + 8 + THREAD_KICK_OFFSET) % 64 == 0, "lines: as those of kick_state");
_Static_assert((48 + 8 + sizeof(struct thread_state)) % 64 == 0, "lines: as those of kick_state");

/*
 * EVENT_NONE: nothing was seen of it yet. EVENT_RUN: it was woken. EVENT_DONE: an
 * interrupt, or a look at an eventfd that held nothing: no work is left.
 */
enum thread_event { EVENT_NONE = 0, EVENT_RUN = 1, EVENT_CONSUME = 2, EVENT_DONE = 3 };

/* An interrupt accepted for a vCPU that has not entered the guest since. */
struct accepted_irq {
	struct irq_set set;
	__u64 t_ns; /* 0 = free, 1 = being written */
};

/* More vectors than this are hardly ever pending for one vCPU; what does not fit is counted. */
#define VCPU_IRQS 16

/* Any thread may add, the vCPU's own takes away. */
struct vcpu_irqs {
	__u32 waiting;	/* in irq */
	__u32 in_guest; /* between kvm_entry and kvm_exit */
	__u32 enters;	/* 1 = kvm_entry fires here: it does not on every KVM */
	__u32 pad;
	struct accepted_irq irq[VCPU_IRQS];
};

struct threads_state_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_THREADS);
	__type(key, __u32);
	__type(value, struct thread_state);
};

struct kicks_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_KICK_KEYS);
	__type(key, struct kick_key);
	__type(value, struct kick_state);
};

struct stage_hists_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MODEL_MAX_QUEUES *KICK_STAGES);
	__type(key, __u32);
	__type(value, struct hist);
};

struct loop_hists_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MODEL_MAX_LOOPS *LOOP_HISTS);
	__type(key, __u32);
	__type(value, struct hist);
};

struct irqs_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_IRQ_SETS);
	__type(key, struct irq_set);
	__type(value, struct irq_state);
};

/* Who uses a message: bits of rows. */
struct messages_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_MESSAGES);
	__type(key, struct irq_key);
	__type(value, __u64);
};

struct places_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MODEL_MAX_QUEUES);
	__type(key, __u32);
	__type(value, struct queue_place);
};

/* By local APIC id. */
struct vcpus_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MODEL_MAX_VCPUS);
	__type(key, __u32);
	__type(value, struct vcpu_irqs);
};

struct exits_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_EXITS);
	__type(key, struct exit_key);
	__type(value, __u64);
};

struct queue_states_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MODEL_MAX_QUEUES);
	__type(key, __u32);
	__type(value, struct queue_state);
};

/* What the tracer has told of each row. */
struct bindings_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MODEL_MAX_QUEUES);
	__type(key, __u32);
	__type(value, struct queue_binding);
};

/* To 1 + row. */
struct eventfd_fds_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_EVENTFDS);
	__type(key, __s32);
	__type(value, __u32);
};

struct eventfd_ctxs_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_EVENTFDS);
	__type(key, __u64);
	__type(value, __u32);
};

/* The rows that a consumer from outside serves, a bit for each. */
struct consumers_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MODEL_MAX_CONSUMERS);
	__type(key, __u32);
	__type(value, __u64);
};

/* A guest may use any number of messages: the oldest votes make room. */
struct votes_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MODEL_MAX_VOTES);
	__type(key, struct irq_vote);
	__type(value, __u64);
};

struct changes_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
};

extern struct threads_state_map thread_states SEC(".maps");
extern struct kicks_map kicks SEC(".maps");
extern struct stage_hists_map stage_hists SEC(".maps");
extern struct loop_hists_map loop_hists SEC(".maps");
extern struct irqs_map irqs SEC(".maps");
extern struct messages_map messages SEC(".maps");
extern struct places_map places SEC(".maps");
extern struct vcpus_map vcpus SEC(".maps");
extern struct exits_map exits SEC(".maps");
extern struct queue_states_map queue_states SEC(".maps");
extern struct bindings_map bindings SEC(".maps");
extern struct eventfd_fds_map eventfd_fds SEC(".maps");
extern struct eventfd_ctxs_map eventfd_ctxs SEC(".maps");
extern struct consumers_map consumers SEC(".maps");
extern struct votes_map votes SEC(".maps");
extern struct changes_map changes SEC(".maps");

extern const volatile struct trace_config config;
extern __u64 losses[LOSSES];
extern __u32 gone; /* 1 = the VMM has ended: its number may be another process's by now */
extern __u32 threads_used, kicks_used, unknown_used, pasts, loops_used;
extern struct trace_seen seen;
extern struct loop_waits loop_waits;
extern struct queue_binding binding; /* argument of ho_bind */
extern __u32 consumers_used;
extern __u32 rows_bound;		      /* that have a queue */
extern __u64 rows_with_message;		      /* a bit for each row whose message is no guess */
extern __u32 sys_exit_reads, sys_exit_ioctls; /* 1 = ho_sys_exit is to look at these */

/* What new entries start as; too large for the stack of a program. */
static const struct thread_state empty_thread;
static const struct kick_state empty_kick;
static const struct irq_state empty_irq;

static __always_inline void lost(enum loss what)
{
	ADD(losses[what], 1);
}

static __always_inline bool is_ours(__u64 pid_tgid)
{
	return pid_tgid >> 32 == config.tgid && !gone;
}

static __always_inline bool ours(void)
{
	return is_ours(bpf_get_current_pid_tgid());
}

/* A thread outside of the VMM that serves its queues. */
static __always_inline bool is_consumer(__u32 tid)
{
	return config.foreign && consumers_used && bpf_map_lookup_elem(&consumers, &tid);
}

/* The VMM's, or one that serves it. */
static __always_inline bool ours_or_consumer(void)
{
	return ours() || (is_consumer(bpf_get_current_pid_tgid()) && !gone);
}

static __always_inline __u32 current_tid(void)
{
	return bpf_get_current_pid_tgid();
}

/* end - begin; the clocks of two CPUs may be apart by some ns. */
static __always_inline __u64 since(__u64 begin, __u64 end)
{
	if (end >= begin)
		return end - begin;
	lost(LOSS_CLOCK);
	return 0;
}

#endif
