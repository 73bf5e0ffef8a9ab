/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Every difference between kernels that the programs meet, with its version. Decided by CO-RE or by
 * read-only data that user space filled from the kernel's own BTF: never by a version number, since
 * stable trees take changes back.
 */
#ifndef HANDOFF_BPF_DRIFT_H
#define HANDOFF_BPF_DRIFT_H

#include <stdbool.h>
#include "kernel_types.h"

/* Was `prev` still runnable when it was switched out? The argument came with 5.18 (9c2136be0878).
 */
static __always_inline bool drift_switched_out_runnable(bool preempt,
							const struct task_struct *prev,
							bool has_state, unsigned int prev_state)
{
	if (preempt)
		return true;
	return has_state ? prev_state == 0 : prev->__state == 0;
}

/*
 * May a thread of the VMM be without a state? Those the kernel makes inside a process are announced
 * by no fork event and run no event loop. One that ends may have lost its state before its last
 * switch (seen on 6.1: the leader, when its parent has already waited for it).
 */
static __always_inline bool drift_may_be_unknown(const struct task_struct *p)
{
	return p->flags & (PF_EXITING | PF_IO_WORKER | PF_USER_WORKER);
}

#endif
