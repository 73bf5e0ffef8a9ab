/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * hist_add of abi/hist.h for several writers at once: the same buckets, atomic additions. Read by
 * kernel_hist_read in user/trace.
 */
#ifndef HANDOFF_BPF_HIST_SHARED_H
#define HANDOFF_BPF_HIST_SHARED_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <abi/hist.h>

#define ADD(counter, n) __sync_fetch_and_add(&(counter), (n))

#define RACES 4

/* min_ns holds the minimum + 1 while it is shared, so that 0 is "none yet". One that loses four
 * races is left to the next sample. */
static __always_inline void hist_extremes_shared(struct hist *h, __u64 ns)
{
	__u64 seen;
	__u32 i;

	for (i = 0; i < RACES; i++) {
		seen = h->min_ns;
		if (seen && seen <= ns + 1)
			break;
		if (__sync_val_compare_and_swap(&h->min_ns, seen, ns + 1) == seen)
			break;
	}
	for (i = 0; i < RACES; i++) {
		seen = h->max_ns;
		if (seen >= ns || __sync_val_compare_and_swap(&h->max_ns, seen, ns) == seen)
			break;
	}
}

/*
 * n = 1; or -1 takes a sample back, whose extremes go with the last one only. `count` is not kept:
 * whoever reads the buckets has it, and each addition that is shared takes 7 ns.
 */
static __always_inline void hist_count_shared(struct hist *h, __u64 ns, __s64 n)
{
	__u32 index = hist_index(ns);
	__u64 sum_ns;

	if (index >= HIST_BUCKETS)
		index = HIST_BUCKETS - 1;
	ADD(h->bucket[index], n);
	sum_ns = ADD(h->sum_ns, n * ns) + n * ns;
	if (n > 0) {
		hist_extremes_shared(h, ns);
	} else if (!sum_ns) {
		h->min_ns = 0;
		h->max_ns = 0;
	}
}

static __always_inline void hist_add_shared(struct hist *h, __u64 ns)
{
	hist_count_shared(h, ns, 1);
}

/*
 * The same by the only writer there is at a time. An atomic addition waits for its line of the
 * cache, and keeps what follows waiting: after a sleep, when all lines are far away, 20 ns each.
 */
static __always_inline void hist_add_alone(struct hist *h, __u64 ns)
{
	__u32 index = hist_index(ns);

	if (index >= HIST_BUCKETS)
		index = HIST_BUCKETS - 1;
	h->bucket[index]++;
	h->sum_ns += ns;
	if (!h->min_ns || ns < h->min_ns - 1)
		h->min_ns = ns + 1;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

#endif
