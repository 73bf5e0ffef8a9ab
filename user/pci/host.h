/* SPDX-License-Identifier: BSD-2-Clause */
/* The host bridge's inside, and what its files offer each other. All under the BQL. */
#ifndef HANDOFF_PCI_HOST_H
#define HANDOFF_PCI_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <handoff/pci.h>

struct pci_host {
	struct pci_host_config config;
	struct pci_device *slot[PCI_SLOTS];
	struct pci_device bridge;
	struct MemoryRegion bars; /* all BARs lie in it */
	struct MemoryRegion ecam, address_port, data_port;
	uint32_t config_address;		       /* port 0xcf8 */
	const struct pci_host_port_ops *reset_control; /* port 0xcf9, or NULL */
	void *reset_control_opaque;
};

/*
 * The guest's side of config space by bus number, slot and function: all ones if nobody is there.
 */
uint32_t pci_host_config_read(struct pci_host *host, uint32_t bdf, unsigned int where,
			      unsigned int size);
void pci_host_config_write(struct pci_host *host, uint32_t bdf, unsigned int where, uint32_t value,
			   unsigned int size);

/* Bus, device, function as in a requester ID. */
static inline uint32_t pci_bdf(unsigned int bus, unsigned int slot, unsigned int function)
{
	return bus << 8 | slot << 3 | function;
}

/* Stores without looking at wmask. */
void pci_config_set(struct pci_device *dev, unsigned int where, uint32_t value, unsigned int size);
/* As pci_add_capability; hooked: accesses to the body go to cap_read and cap_write. */
int pci_capability_new(struct pci_device *dev, uint8_t cap_id, const void *body, unsigned int len,
		       bool hooked);

/* Maps and unmaps BARs as command register and BAR registers say now. */
void pci_bars_update(struct pci_device *dev);
/* Unmaps all, whatever the registers say. */
void pci_bars_unmap(struct pci_device *dev);
/* Undoes pci_register_bar. */
void pci_unregister_bar(struct pci_device *dev, const struct MemoryRegion *mr);
/* Is any byte of the access in a BAR register or in the command register? */
bool pci_bars_affected(unsigned int where, unsigned int size);

/* After a config write of [where, where + size). */
void msix_config_written(struct pci_device *dev, unsigned int where, unsigned int size);

#endif
