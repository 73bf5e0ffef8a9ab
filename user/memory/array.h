/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing an array, with the one answer to a failure that is left here: views and ioeventfd lists
 * are computed inside a commit, which cannot fail, so running out of memory ends the process.
 */
#ifndef HANDOFF_MEMORY_ARRAY_H
#define HANDOFF_MEMORY_ARRAY_H

#include <stdlib.h>
#include <handoff/log.h>

static inline void *array_resize(void *array, size_t n, size_t size_bytes)
{
	void *grown = reallocarray(array, n ? n : 1, size_bytes);

	if (!grown) {
		log_error("out of memory for %zu entries of the memory map", n);
		abort();
	}
	return grown;
}

#endif
