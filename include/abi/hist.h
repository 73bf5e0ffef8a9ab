/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Log-linear histogram of nanoseconds, the same arithmetic in BPF and in user space: 8 linear
 * buckets per power of two, so a bucket's width is at most 12.5 % of its lower edge. Values below 8
 * have a bucket each; values of 2^40 ns (18 minutes) and more share the last one. No division, no
 * floating point, no allocation.
 */
#ifndef HANDOFF_ABI_HIST_H
#define HANDOFF_ABI_HIST_H

#ifdef __bpf__
typedef unsigned int __u32;
typedef unsigned long long __u64;
#else
#include <linux/types.h>
#endif

#define HIST_SUB_BITS 3
#define HIST_SUB      (1 << HIST_SUB_BITS)
#define HIST_MAX_LOG2 40
/* 8 exact buckets, 8 for each of 2^3 .. 2^39, one for the rest: 8 + 37 * 8 + 1. */
#define HIST_BUCKETS  (HIST_SUB + (HIST_MAX_LOG2 - HIST_SUB_BITS) * HIST_SUB + 1)

/* Owner-written (one writer), read by anybody. min_ns is only valid if count != 0. */
struct hist {
	__u64 count;
	__u64 sum_ns;
	__u64 min_ns;
	__u64 max_ns;
	__u64 bucket[HIST_BUCKETS];
};

_Static_assert(HIST_BUCKETS == 305, "histogram layout is ABI");
_Static_assert(sizeof(struct hist) == (4 + 305) * 8, "histogram layout is ABI");

static inline __attribute__((always_inline)) __u32 hist_log2(__u64 v)
{
	__u32 r = 0;

	/* Shifts instead of clz: clang 14 for BPF has no such instruction. */
	if (v >> 32) {
		v >>= 32;
		r += 32;
	}
	if (v >> 16) {
		v >>= 16;
		r += 16;
	}
	if (v >> 8) {
		v >>= 8;
		r += 8;
	}
	if (v >> 4) {
		v >>= 4;
		r += 4;
	}
	if (v >> 2) {
		v >>= 2;
		r += 2;
	}
	return r + (__u32)(v >> 1);
}

/* The bucket a value belongs to: 0 .. HIST_BUCKETS - 1. */
static inline __attribute__((always_inline)) __u32 hist_index(__u64 ns)
{
	__u32 log2, index;

	if (ns < HIST_SUB)
		return (__u32)ns;
	log2 = hist_log2(ns);
	if (log2 >= HIST_MAX_LOG2)
		return HIST_BUCKETS - 1;
	index = HIST_SUB + (log2 - HIST_SUB_BITS) * HIST_SUB +
		((ns >> (log2 - HIST_SUB_BITS)) & (HIST_SUB - 1));
	return index;
}

/* The largest value of a bucket, inclusive ("le" in the report); ~0 for the last one. */
static inline __attribute__((always_inline)) __u64 hist_upper(__u32 index)
{
	__u32 log2, sub;

	if (index < HIST_SUB)
		return index;
	if (index >= HIST_BUCKETS - 1)
		return ~0ull;
	log2 = (index - HIST_SUB) / HIST_SUB + HIST_SUB_BITS;
	sub = (index - HIST_SUB) % HIST_SUB;
	return ((__u64)(HIST_SUB + sub + 1) << (log2 - HIST_SUB_BITS)) - 1;
}

/*
 * `weight` samples of ns: one that stands for others that were not timed. One writer at a time.
 * index is bounded by comparison so that the BPF verifier sees it.
 */
static inline __attribute__((always_inline)) void hist_add_weighted(struct hist *h, __u64 ns,
								    __u64 weight)
{
	__u32 index = hist_index(ns);

	if (index >= HIST_BUCKETS)
		index = HIST_BUCKETS - 1;
	h->bucket[index] += weight;
	if (!h->count || ns < h->min_ns)
		h->min_ns = ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->sum_ns += ns * weight;
	h->count += weight;
}

static inline __attribute__((always_inline)) void hist_add(struct hist *h, __u64 ns)
{
	hist_add_weighted(h, ns, 1);
}

#endif
