// SPDX-License-Identifier: BSD-2-Clause
/*
 * Page tables above 4 GiB, for BARs there. CPL 3 owns the tables (they are user pages like all
 * else) and asks CPL 0 only to forget what the CPU may have cached. entry.S laid out the low 4 GiB.
 */
#include "guest.h"

#define PTE_TABLE     0x07
#define PTE_LARGE     0x87
#define PTE_PRESENT   0x01
#define PTE_ADDRESS   0x000ffffffffff000ull
#define PAGE_TABLE    4096
#define SHIFT_PML4    39
#define SHIFT_PDPT    30
#define SHIFT_PD      21
#define LOW_MAPPED    (1ull << 32)
#define CANONICAL_MAX (1ull << 47)
#define LEAF_FEATURES 0x80000001
#define EDX_PDPE1GB   (1u << 26)

extern uint64_t pml4[512];

/* The entry for gpa in the table behind *parent, which is made if there is none. */
static uint64_t *table_entry(uint64_t *parent, uint64_t gpa, uint32_t shift)
{
	uint64_t *table;

	if (!(*parent & PTE_PRESENT))
		*parent =
			(uint64_t)memory_alloc(PAGE_TABLE, PAGE_TABLE, "a page table") | PTE_TABLE;
	table = (uint64_t *)(*parent & PTE_ADDRESS);
	return &table[gpa >> shift & 511];
}

void mmu_map(uint64_t gpa, uint64_t bytes)
{
	uint32_t regs[4];
	uint64_t step, *entry;
	bool huge;

	if (gpa > CANONICAL_MAX || bytes > CANONICAL_MAX - gpa)
		die(GUEST_EXIT_DEVICE, "device memory at 0x%lx cannot be mapped", gpa);
	if (gpa + bytes <= LOW_MAPPED)
		return;
	cpuid(LEAF_FEATURES, 0, regs);
	huge = regs[3] & EDX_PDPE1GB;
	step = 1ull << (huge ? SHIFT_PDPT : SHIFT_PD);
	for (uint64_t at = gpa & ~(step - 1); at < gpa + bytes; at += step) {
		if (at < LOW_MAPPED)
			continue;
		entry = table_entry(&pml4[at >> SHIFT_PML4 & 511], at, SHIFT_PDPT);
		if (!huge)
			entry = table_entry(entry, at, SHIFT_PD);
		*entry = at | PTE_LARGE;
	}
	svc(SVC_TLB, 0, 0, 0);
}
