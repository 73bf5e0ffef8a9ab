/* SPDX-License-Identifier: BSD-2-Clause */
/* The step of policy "qemu" alone, which "break-even" has among its experts. Pure. */
#ifndef POLICY_QEMU_RULE_H
#define POLICY_QEMU_RULE_H

#include <handoff/poll_policy.h>

/* How long to spin after a spin of ns and a wait of block_ns. max_ns, grow and shrink of params
 * count. */
int64_t qemu_rule_next(int64_t ns, const struct poll_params *params, int64_t block_ns);

#endif
