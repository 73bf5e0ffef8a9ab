/* SPDX-License-Identifier: BSD-2-Clause */
/* One access to one device region: how large, and is the access lock needed. */
#ifndef HANDOFF_MEMORY_DISPATCH_H
#define HANDOFF_MEMORY_DISPATCH_H

#include <stdint.h>

struct MemoryRegion;

/*
 * How many of the next len bytes at offset addr go to the device in one piece: 1, 2, 4 or 8. BQL.
 */
unsigned int memory_access_size(const struct MemoryRegion *mr, uint64_t len, uint64_t addr);

#endif
