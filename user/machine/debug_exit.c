// SPDX-License-Identifier: BSD-2-Clause
/* Debug exit port: see debug_exit.h. BQL. Neighbour: board.c. */
#include "debug_exit.h"

static uint64_t debug_exit_read(void *opaque, uint64_t addr, unsigned int size)
{
	return ~0ull; /* as if nobody were there */
}

static void debug_exit_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct debug_exit *d = opaque;

	d->exit(d->opaque, (uint32_t)value);
}

static const struct MemoryRegionOps debug_exit_ops = {
	.read = debug_exit_read,
	.write = debug_exit_write,
	.valid = { .min_access_size = 1, .max_access_size = DEBUG_EXIT_PORTS },
};

void debug_exit_init(struct debug_exit *d, void (*exit)(void *opaque, uint32_t value), void *opaque)
{
	*d = (struct debug_exit){ .exit = exit, .opaque = opaque };
	memory_region_init_io(&d->mr, &debug_exit_ops, d, "debug-exit", DEBUG_EXIT_PORTS);
}

void debug_exit_release(struct debug_exit *d)
{
	memory_region_release(&d->mr);
}
