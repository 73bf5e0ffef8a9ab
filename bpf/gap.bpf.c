// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A loop's waits (gap.h): their histograms, where a place is given to a thread at its first, for
 * good; and the newest as they were. */
#include "gap.h"
#include "vcpu.h"

__attribute__((noinline)) int loop_hist_add(struct thread_state *t, __u32 which, __u64 ns)
{
	struct hist *h = NULL;
	__u32 index;

	if (!t || which >= LOOP_HISTS)
		return 0;
	if (!t->row.loop.hists && loops_used < MODEL_MAX_LOOPS)
		t->row.loop.hists = ADD(loops_used, 1) + 1;
	if (t->row.loop.hists) {
		index = (t->row.loop.hists - 1) * LOOP_HISTS + which;
		h = bpf_map_lookup_elem(&loop_hists, &index);
	}
	if (h)
		hist_add_alone(h, ns);
	else
		lost(LOSS_MAPS);
	return 0;
}

__attribute__((noinline)) int loop_wait_add(__u32 tid, struct loop_wait *wait)
{
	struct loop_wait *w = &loop_waits.wait[ADD(loop_waits.n, 1) % LOOP_WAITS];

	if (!wait)
		return 0;
	*w = *wait;
	w->tid = tid;
	return 0;
}

/*
 * A KVM in software (PVM) tells of no exit and no entry. But it makes the guest's CPUID fault, and
 * switches that by an MSR on each way out, its first act, and on each way in, its last, after
 * having read it. Such a write takes 8 us where the machine is itself a guest: of that on the way
 * out only the end is told, so it is taken to be as long as the one on the last way in.
 *
 *   guest  left |-- write 0 -- kick decoded ... read -- write 1 -| back
 */
#define MSR_MISC_FEATURES_ENABLES 0x140
#define CPUID_FAULT		  1

static __always_inline struct thread_state *switching(const struct bpf_raw_tracepoint_args *ctx)
{
	if ((__u32)ctx->args[0] != MSR_MISC_FEATURES_ENABLES || !ours())
		return NULL;
	return thread_find(current_tid());
}

/* (msr, value, failed) */
SEC("?raw_tp/read_msr")
int ho_read_msr(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = switching(ctx);

	if (t)
		t->msr_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("?raw_tp/write_msr")
int ho_write_msr(struct bpf_raw_tracepoint_args *ctx)
{
	struct thread_state *t = switching(ctx);
	__u64 now;

	if (!t)
		return 0;
	now = bpf_ktime_get_ns();
	if (!(ctx->args[1] & CPUID_FAULT)) {
		t->left_ns = t->switch_ns ? now - t->switch_ns : 0;
		return 0;
	}
	t->switch_ns = t->msr_ns ? gap_u32(since(t->msr_ns, now)) : 0;
	t->msr_ns = 0;
	vcpu_back(t);
	return 0;
}
