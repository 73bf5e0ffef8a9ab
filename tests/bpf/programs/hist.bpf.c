// SPDX-License-Identifier: BSD-2-Clause
/* The arithmetic of abi/hist.h as the BPF compiler and the kernel's JIT have it; run by test_hist.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <abi/hist.h>
#include "hist_shared.h"

__u32 bucket = 0;
__u64 upper = 0;
struct hist hist = {}, shared = {}, alone = {};

/* args[0] = the value. */
SEC("raw_tp/test")
int hist_one(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 ns = ctx->args[0];

	bucket = hist_index(ns);
	upper = hist_upper(bucket);
	hist_add(&hist, ns);
	hist_add_shared(&shared, ns);
	hist_add_alone(&alone, ns);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
