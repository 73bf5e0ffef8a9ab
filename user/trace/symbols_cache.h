/* SPDX-License-Identifier: BSD-2-Clause */
/* Symbols of the processes whose stacks come one by one: the VMM's and those of who wakes it. One
 * thread at a time. */
#ifndef TRACE_SYMBOLS_CACHE_H
#define TRACE_SYMBOLS_CACHE_H

#include "symbols.h"

#define SYMBOLS_CACHED 16

/* Zeroed before its first use. */
struct symbols_cache {
	uint32_t n;
	struct cached_symbols {
		pid_t pid;
		uint64_t start;		 /* of the process, in ticks; 0 = it had gone before */
		struct symbols *symbols; /* NULL: cannot be had */
	} process[SYMBOLS_CACHED];
};

/* NULL: they cannot be had, or so many processes live that there is no room. The cache's own. */
struct symbols *symbols_cache_of(struct symbols_cache *c, pid_t pid);
/* Forgets those whose number another process has by now; with no room left, those that have ended,
 * too: until then their stacks may still come. */
void symbols_cache_refresh(struct symbols_cache *c);
void symbols_cache_release(struct symbols_cache *c);

#endif
