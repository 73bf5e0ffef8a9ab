/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What user space tells the BPF programs before they are loaded: constants to the verifier, so a
 * branch on one costs nothing and code for another kernel is never looked at. One object in
 * read-only data, `config` in bpf/maps.bpf.c.
 */
#ifndef HANDOFF_ABI_CONFIG_H
#define HANDOFF_ABI_CONFIG_H

#include <abi/hist.h>

struct trace_config {
	__u32 tgid; /* the VMM, in the initial pid namespace; every program looks at nothing else */
	__u32 switch_has_state; /* sched_switch carries the previous task's state (kernel 5.18) */
	__u32 signal_hooked;	/* eventfd_signal is hooked: do not infer it from sched_waking */
	__u32 pad;
	__u64 lost_after_ns;
};

_Static_assert(sizeof(struct trace_config) == 24, "read-only data is ABI");

#endif
