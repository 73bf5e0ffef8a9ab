// SPDX-License-Identifier: BSD-2-Clause
/*
 * The guest's side of MSI-X: table and PBA in a BAR of their own, the table in its lower half, the
 * PBA in its upper. Both take dwords and qwords only (PCI 3.0, 6.8.2). Under the BQL.
 */
#include "msix.h"

#include <linux/pci_regs.h>

#define BAR_MIN_BYTES	  4096u
#define PBA_VECTOR_DWORDS 32u

static uint32_t *entry_dword(struct msix *msix, uint64_t addr)
{
	struct msix_entry *entry = &msix->entry[addr / PCI_MSIX_ENTRY_SIZE];

	switch (addr % PCI_MSIX_ENTRY_SIZE) {
	case PCI_MSIX_ENTRY_LOWER_ADDR:
		return &entry->address_low;
	case PCI_MSIX_ENTRY_UPPER_ADDR:
		return &entry->address_high;
	case PCI_MSIX_ENTRY_DATA:
		return &entry->data;
	default:
		return &entry->control;
	}
}

static uint64_t table_read(void *opaque, uint64_t addr, unsigned int size)
{
	return *entry_dword(opaque, addr);
}

static void table_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct msix *msix = opaque;
	unsigned int vector = (unsigned int)(addr / PCI_MSIX_ENTRY_SIZE);
	bool is_control = addr % PCI_MSIX_ENTRY_SIZE == PCI_MSIX_ENTRY_VECTOR_CTRL;
	uint32_t *dword = entry_dword(msix, addr);
	uint32_t old = *dword;

	*dword = (uint32_t)value & (is_control ? PCI_MSIX_ENTRY_CTRL_MASKBIT : ~0u);
	if (*dword == old)
		return;
	if (is_control)
		msix_mask_changed(msix, vector);
	else
		msix_message_changed(msix, vector);
}

static const struct MemoryRegionOps table_ops = {
	.read = table_read,
	.write = table_write,
	.valid = { .min_access_size = 4, .max_access_size = 8 },
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

static uint64_t pba_read(void *opaque, uint64_t addr, unsigned int size)
{
	return msix_pending_bits(opaque, (unsigned int)(addr / 4) * PBA_VECTOR_DWORDS);
}

/* Read-only by the spec; a write is not worth a complaint. */
static void pba_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
}

static const struct MemoryRegionOps pba_ops = {
	.read = pba_read,
	.write = pba_write,
	.valid = { .min_access_size = 4, .max_access_size = 8 },
	.impl = { .min_access_size = 4, .max_access_size = 4 },
};

uint32_t msix_bar_bytes(unsigned int n)
{
	uint32_t bytes = BAR_MIN_BYTES;

	/* The PBA takes 1/128 of the table's room: it always fits the other half. */
	while (bytes / 2 < n * PCI_MSIX_ENTRY_SIZE)
		bytes *= 2;
	return bytes;
}

void msix_table_init(struct msix *msix)
{
	uint32_t bar_bytes = msix_bar_bytes(msix->n);

	memory_region_init(&msix->bar, "msix", bar_bytes);
	memory_region_init_io(&msix->table, &table_ops, msix, "msix-table",
			      msix->n * PCI_MSIX_ENTRY_SIZE);
	memory_region_init_io(&msix->pba, &pba_ops, msix, "msix-pba", ROUND_UP(msix->n, 64) / 8);
	memory_region_add_subregion(&msix->bar, 0, &msix->table);
	memory_region_add_subregion(&msix->bar, bar_bytes / 2, &msix->pba);
}

void msix_table_release(struct msix *msix)
{
	memory_region_del_subregion(&msix->bar, &msix->table);
	memory_region_del_subregion(&msix->bar, &msix->pba);
	memory_region_release(&msix->table);
	memory_region_release(&msix->pba);
	memory_region_release(&msix->bar);
}
