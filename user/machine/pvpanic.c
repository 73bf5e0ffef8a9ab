// SPDX-License-Identifier: BSD-2-Clause
/* The pvpanic port: see pvpanic.h. BQL. Neighbour: power_board.c. */
#include "pvpanic.h"

#define EVENTS (PVPANIC_PANICKED | PVPANIC_CRASH_LOADED)

/* Which events we understand: drivers ask before they say anything. */
static uint64_t pvpanic_read(void *opaque, uint64_t addr, unsigned int size)
{
	return EVENTS;
}

static void pvpanic_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct pvpanic *p = opaque;

	if (value & EVENTS)
		p->told(p->opaque, value & EVENTS);
}

static const struct MemoryRegionOps pvpanic_ops = {
	.read = pvpanic_read,
	.write = pvpanic_write,
	.valid = { .min_access_size = 1, .max_access_size = 1 },
};

void pvpanic_init(struct pvpanic *p, void (*told)(void *opaque, unsigned int events), void *opaque)
{
	*p = (struct pvpanic){ .told = told, .opaque = opaque };
	memory_region_init_io(&p->mr, &pvpanic_ops, p, "pvpanic", 1);
}

void pvpanic_release(struct pvpanic *p)
{
	memory_region_release(&p->mr);
}
