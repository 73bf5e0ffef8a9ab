/* SPDX-License-Identifier: BSD-2-Clause */
/* The smallest guest that tells what this KVM lets us see. */
#ifndef TRACE_PROBE_VM_H
#define TRACE_PROBE_VM_H

#include <handoff/error.h>

/* Runs a guest of two instructions in the calling thread: a write to an ioeventfd, then a halt. 0
 * or -errno with err. */
int probe_vm_run(struct error *err) MUST_CHECK;

#endif
