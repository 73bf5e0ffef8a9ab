/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF programs as a table: name, hook, what it carries. The order is the order in which they
 * are attached. */
#ifndef TRACE_PROGRAMS_H
#define TRACE_PROGRAMS_H

#include <stdbool.h>
#include <handoff/trace.h>

enum program {
	PROGRAM_FORK,
	PROGRAM_EXIT,
	PROGRAM_THREADS,
	PROGRAM_SWITCH,
	PROGRAM_WAKEUP,
	PROGRAM_WAKING,
	PROGRAM_NOTIFIED,
	PROGRAM_POLL_BEGIN,
	PROGRAM_POLL_END,
	PROGRAM_PLACED,
	PROGRAM_PLACE,
	PROGRAM_SYS_IOCTL,
	PROGRAM_READ,
	PROGRAM_SYS_READ,
	PROGRAM_SYS_EXIT,
	PROGRAM_RING_READ,
	PROGRAM_BIND,
	PROGRAM_SIGNAL_MASK,
	PROGRAM_SIGNAL_MASK_KP,
	PROGRAM_SIGNAL,
	PROGRAM_SIGNAL_KP,
	PROGRAM_IOEVENTFD,
	PROGRAM_IOEVENTFD_KP,
	PROGRAM_IRQFD,
	PROGRAM_IRQFD_KP,
	PROGRAM_MSI,
	PROGRAM_ACCEPT,
	PROGRAM_POSTED,
	PROGRAM_READ_MSR,
	PROGRAM_WRITE_MSR,
	PROGRAM_KVM_ENTRY,
	PROGRAM_KVM_EXIT,
	PROGRAM_EXIT_REASON,
	PROGRAM_USER_EXIT,
	PROGRAM_FAST_MMIO,
	PROGRAM_PIO,
	PROGRAM_MMIO,
	PROGRAM_ARMED,
	PROGRAM_UP_HANDLED,
	PROGRAM_UP_PUSH,
	PROGRAM_UP_NOTIFY,
	PROGRAM_UP_NOTIFY_FD,
	PROGRAM_UP_READ,
	PROGRAM_UP_WRITE,
	PROGRAM_UP_ZEROES,
	PROGRAM_UP_DISCARD,
	PROGRAM_UP_FLUSH,
	PROGRAM_UP_HANDLE,
	PROGRAMS,
};

enum program_kind {
	PROGRAM_RAW_TP,
	PROGRAM_TP_BTF,
	PROGRAM_FENTRY,
	PROGRAM_KPROBE, /* for a kernel that refuses the fentry program before it in the table */
	PROGRAM_USDT,
	PROGRAM_ITER,
	PROGRAM_FEXIT,
	PROGRAM_TRACEPOINT, /* "category/name": by its number, through a perf event */
	PROGRAM_UPROBE,	    /* on a function that the VMM exports; if asked for */
	PROGRAM_RUN,	    /* attached to nothing: run by the tracer */
};

/* Whose VMM it is for. */
enum program_use { PROGRAM_ANY, PROGRAM_OURS, PROGRAM_FOREIGN };

struct program_info {
	const char *name; /* in the object, and in bpftool's lists */
	enum program_kind kind;
	const char *target; /* tracepoint, function, or USDT point of provider "handoff" */
	const char *stages; /* what it carries, for doctor */
	bool optional;	    /* kernels and machines without it are ordinary */
	enum program_use use;
};

extern const struct program_info programs[PROGRAMS];

/* Does it hang on a function of the kernel? */
static inline bool program_hooks_function(enum program p)
{
	return programs[p].kind == PROGRAM_FENTRY || programs[p].kind == PROGRAM_KPROBE ||
	       programs[p].kind == PROGRAM_FEXIT;
}

/* Does it run on a vCPU's way when the guest kicks? */
bool program_on_kick(enum program p);

/* "tp_btf/sched_switch". Returns buf. */
char *program_hook(enum program p, char buf[64]);

#endif
