// SPDX-License-Identifier: BSD-2-Clause
/* MSI-X: one table entry for each queue's vector, all to the boot CPU. Set-up only; see
 * virtio_pci.c. */
#include "pci.h"

#include "guest.h"

#define CAP_MSIX	   0x11
#define MSIX_CONTROL	   2
#define MSIX_TABLE	   4
#define CONTROL_ENABLE	   0x8000
#define CONTROL_SIZE	   0x07ff
#define TABLE_BAR	   0x7
#define ENTRY_BYTES	   16
#define ENTRY_ADDRESS_LOW  0
#define ENTRY_ADDRESS_HIGH 4
#define ENTRY_DATA	   8
#define ENTRY_CONTROL	   12
#define ENTRY_MASKED	   1
#define MSI_ADDRESS	   0xfee00000 /* fixed delivery to APIC id 0 */

bool pci_msix_init(const struct pci_function *fn, struct pci_msix *msix)
{
	uint32_t where;
	uint16_t control;

	msix->cap = pci_cap_next(fn, CAP_MSIX, 0);
	if (!msix->cap)
		return false;
	control = pci_read16(fn, msix->cap + MSIX_CONTROL);
	msix->entries = (control & CONTROL_SIZE) + 1u;
	where = pci_read32(fn, msix->cap + MSIX_TABLE);
	msix->table = pci_bar_map(fn, where & TABLE_BAR, where & ~TABLE_BAR,
				  (uint64_t)msix->entries * ENTRY_BYTES);
	pci_write16(fn, msix->cap + MSIX_CONTROL, control | CONTROL_ENABLE);
	return true;
}

void pci_msix_set(const struct pci_msix *msix, uint32_t n, uint32_t vector)
{
	uint64_t entry = msix->table + (uint64_t)n * ENTRY_BYTES;

	mmio_write32(entry + ENTRY_CONTROL, ENTRY_MASKED);
	mmio_write32(entry + ENTRY_ADDRESS_LOW, MSI_ADDRESS);
	mmio_write32(entry + ENTRY_ADDRESS_HIGH, 0);
	mmio_write32(entry + ENTRY_DATA, vector);
	mmio_write32(entry + ENTRY_CONTROL, 0);
}
