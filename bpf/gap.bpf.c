// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The histograms of a loop's waits (gap.h). A place is given to a thread at its first, for good. */
#include "gap.h"

__attribute__((noinline)) int loop_hist_add(__u32 tid, __u32 which, __u64 ns)
{
	struct thread_state *t = thread_find(tid);
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
		hist_add_shared(h, ns);
	else
		lost(LOSS_MAPS);
	return 0;
}
