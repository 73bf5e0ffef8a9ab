// SPDX-License-Identifier: BSD-2-Clause
/*
 * A device's 256 bytes of config space: what the guest reads, and which bits it may change (PCI
 * 3.0, chapter 6). Under the BQL.
 */
#include "host.h"

#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>

#define CAPABILITIES_START 0x40u

static bool access_natural(unsigned int where, unsigned int size)
{
	return (size == 1 || size == 2 || size == 4) && !(where & (size - 1));
}

static uint32_t mask_of(unsigned int size)
{
	return ~0u >> (32 - 8 * size);
}

uint32_t pci_config_stored(const struct pci_device *dev, unsigned int where, unsigned int size)
{
	uint32_t value = 0;

	if (where >= PCI_CONFIG_SIZE || size > PCI_CONFIG_SIZE - where)
		return 0;
	while (size--)
		value = value << 8 | dev->config[where + size];
	return value;
}

void pci_config_set(struct pci_device *dev, unsigned int where, uint32_t value, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		dev->config[where + i] = (uint8_t)(value >> (8 * i));
}

/* Natural alignment keeps an access within one of the bitmap's words. */
static bool hooked(const struct pci_device *dev, unsigned int where, unsigned int size)
{
	return dev->hooked[where / 64] >> (where % 64) & ((1u << size) - 1);
}

uint32_t pci_config_read(struct pci_device *dev, unsigned int where, unsigned int size)
{
	if (!access_natural(where, size))
		return ~0u;
	if (where >= PCI_CONFIG_SIZE)
		return 0;
	if (dev->ops->cap_read && hooked(dev, where, size))
		return dev->ops->cap_read(dev, where, size) & mask_of(size);
	return pci_config_stored(dev, where, size);
}

static void store_writable(struct pci_device *dev, unsigned int where, uint32_t value,
			   unsigned int size)
{
	unsigned int i;

	for (i = where; i < where + size; i++, value >>= 8)
		dev->config[i] =
			(uint8_t)((dev->config[i] & ~dev->wmask[i]) | (value & dev->wmask[i]));
}

void pci_config_write(struct pci_device *dev, unsigned int where, uint32_t value, unsigned int size)
{
	uint32_t old_command = pci_config_stored(dev, PCI_COMMAND, 2);
	uint32_t command;

	if (!access_natural(where, size) || where >= PCI_CONFIG_SIZE)
		return;
	store_writable(dev, where, value, size);
	if (pci_bars_affected(where, size))
		pci_bars_update(dev);
	command = pci_config_stored(dev, PCI_COMMAND, 2);
	if (command != old_command && dev->ops->command_changed)
		dev->ops->command_changed(dev, (uint16_t)command);
	msix_config_written(dev, where, size);
	if (dev->ops->cap_write && hooked(dev, where, size))
		dev->ops->cap_write(dev, where, value & mask_of(size), size);
}

bool pci_bus_master(const struct pci_device *dev)
{
	return pci_config_stored(dev, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

/* Where the list ends: the byte that is to point to the next one. */
static unsigned int list_end(const struct pci_device *dev)
{
	unsigned int at = PCI_CAPABILITY_LIST;

	while (dev->config[at])
		at = dev->config[at] + PCI_CAP_LIST_NEXT;
	return at;
}

int pci_capability_new(struct pci_device *dev, uint8_t cap_id, const void *body, unsigned int len,
		       bool is_hooked)
{
	unsigned int where = dev->next_cap ? dev->next_cap : CAPABILITIES_START;
	unsigned int i;

	if (len < PCI_CAP_SIZEOF || len > PCI_CONFIG_SIZE - where)
		return -ENOSPC;
	dev->config[list_end(dev)] = (uint8_t)where;
	dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	dev->config[where + PCI_CAP_LIST_ID] = cap_id;
	dev->config[where + PCI_CAP_LIST_NEXT] = 0;
	for (i = 2; i < len; i++) {
		dev->config[where + i] = body ? ((const uint8_t *)body)[i - 2] : 0;
		if (is_hooked)
			dev->hooked[(where + i) / 64] |= 1ull << ((where + i) % 64);
	}
	dev->next_cap = ROUND_UP(where + len, 4);
	return (int)where;
}

int pci_add_capability(struct pci_device *dev, uint8_t cap_id, const void *body, unsigned int len)
{
	return pci_capability_new(dev, cap_id, body, len, true);
}
