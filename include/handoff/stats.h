/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the stats page (abi/stats.h) and our USDT probes. A row is handed out by the main context
 * and then written only by the loop that owns it. Rows work without a page too (stats_page_new
 * never ran): then they are ordinary memory.
 */
#ifndef HANDOFF_STATS_H
#define HANDOFF_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include <abi/stats.h>
#include <handoff/error.h>

/*
 * Creates the memfd, maps it, seals it (no resize, no new writable mapping). One per process.
 * -errno with err.
 */
int stats_page_new(struct stats_page **page, struct error *err) MUST_CHECK;
void stats_page_free(struct stats_page *page);

/* NULL when all rows are taken or page is NULL; callers then use a private row. Main context. */
struct stats_loop *stats_loop_get(struct stats_page *page, enum stats_loop_kind kind,
				  const char *id);
struct stats_queue *stats_queue_get(struct stats_page *page, const char *device, uint32_t queue);
void stats_loop_put(struct stats_loop *row);
void stats_queue_put(struct stats_queue *row);
/* Index of a row in its page, or ~0u for a private row. */
uint32_t stats_loop_index(const struct stats_page *page, const struct stats_loop *row);
uint32_t stats_queue_index(const struct stats_page *page, const struct stats_queue *row);

/* Main context. */
void stats_handover_add(struct stats_page *page, const struct stats_handover *handover);

/*
 * Raised by a tracer through the kernel (a uprobe reference counter): a load and a branch. Any
 * thread.
 */
extern volatile unsigned short handoff_stats_armed_semaphore;
static inline bool stats_armed(void)
{
	return __builtin_expect(
		__atomic_load_n(&handoff_stats_armed_semaphore, __ATOMIC_RELAXED) != 0, 0);
}

/*
 * Single-writer section of a row: seq odd inside. Cheap (two plain stores and compiler barriers on
 * x86; release fences elsewhere). A single 64-bit counter needs none: it is stored whole. Use it
 * where several fields must agree.
 */
static inline void stats_write_begin(__u32 *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void stats_write_end(__u32 *seq)
{
	__atomic_store_n(seq, *seq + 1, __ATOMIC_RELEASE);
}

/* A counter's single writer; readers see whole values. */
static inline void stats_inc(__u64 *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static inline void stats_add(__u64 *counter, __u64 n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline void stats_set(__u64 *counter, __u64 value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

#endif
