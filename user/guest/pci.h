/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI as a driver sees it: bus 0, configuration space, BARs, MSI-X. All calls at CPL 3, after
 * memory_init(). */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_BARS	 6
#define PCI_WINDOW_BYTES 0xc00000 /* from 0xfe000000 to a PC's I/O APIC */

/* Firmware's places are kept, or all BARs of a function are placed anew: below 4 GiB, or 64-bit
 * ones above. */
enum pci_move {
	PCI_MOVE_NO,
	PCI_MOVE_LOW,
	PCI_MOVE_HIGH,
};

struct pci_host {
	uint64_t ecam;	   /* gpa of bus 0's configuration space; 0: by ports 0xcf8 and 0xcfc */
	uint64_t next_bar; /* where the next BAR below 4 GiB is placed */
	uint64_t bar_end;
	uint64_t next_high_bar;

	enum pci_move move;
};

struct pci_function {
	struct pci_host *host;
	uint32_t devfn;
	uint32_t id;		/* device << 16 | vendor */
	uint64_t bar[PCI_BARS]; /* gpa, or 0; the upper half of a 64-bit BAR has 0 */
};

struct pci_msix {
	uint64_t table; /* gpa */
	uint32_t entries;
	uint8_t cap;
};

/* ecam: where it is if there is one; 0 wants the ports. bars: where BARs may be placed,
 * PCI_WINDOW_BYTES long. */
void pci_host_init(struct pci_host *host, uint64_t ecam, uint64_t bars, enum pci_move move);
/* The function at devfn; false if there is none. Its BARs are not read yet. */
bool pci_function_get(struct pci_host *host, uint32_t devfn, struct pci_function *fn);
bool pci_function_is_multi(const struct pci_function *fn);

uint32_t pci_read32(const struct pci_function *fn, uint32_t offset);
uint16_t pci_read16(const struct pci_function *fn, uint32_t offset);
uint8_t pci_read8(const struct pci_function *fn, uint32_t offset);
void pci_write32(const struct pci_function *fn, uint32_t offset, uint32_t value);
void pci_write16(const struct pci_function *fn, uint32_t offset, uint16_t value);

/* The next capability with this id behind `after` (0: the first); 0 if there is none. */
uint8_t pci_cap_next(const struct pci_function *fn, uint8_t id, uint8_t after);
/* Reads the BARs, places those that have no place, switches memory decoding and bus mastering on.
 */
void pci_function_enable(struct pci_function *fn);
/* gpa of `bytes` at offset in a BAR, mapped; dies if the BAR is not memory. */
uint64_t pci_bar_map(const struct pci_function *fn, uint32_t bar, uint64_t offset, uint64_t bytes);

/* False if the function has no MSI-X. Switches it on, all entries masked. */
bool pci_msix_init(const struct pci_function *fn, struct pci_msix *msix);
/* Entry n raises this vector on the boot CPU from now on. */
void pci_msix_set(const struct pci_msix *msix, uint32_t n, uint32_t vector);

#endif
