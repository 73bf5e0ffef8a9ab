// SPDX-License-Identifier: BSD-2-Clause
/* A type 0 device: plugged into a slot, reset, unplugged. Under the BQL. */
#include "host.h"

#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>

/* No I/O BARs, so no I/O decoding; parity and SERR only because drivers like to set them. */
#define COMMAND_WRITABLE                                                                           \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |         \
	 PCI_COMMAND_INTX_DISABLE)

static const struct pci_device_ops no_ops;

static int find_slot(struct pci_host *host, int slot, const char *name, struct error *err)
{
	if (slot >= PCI_SLOTS || slot < -1)
		return error_set(err, -EINVAL, "%s: PCI slot %d: must be 0 to %d", name, slot,
				 PCI_SLOTS - 1);
	if (slot >= 0 && host->slot[slot])
		return error_set(err, -EBUSY, "%s: PCI slot %d is taken by %s", name, slot,
				 host->slot[slot]->name);
	if (slot >= 0)
		return slot;
	for (slot = 0; slot < PCI_SLOTS; slot++)
		if (!host->slot[slot])
			return slot;
	return error_set(err, -ENOSPC, "%s: all %d PCI slots are taken", name, PCI_SLOTS);
}

int pci_device_init(struct pci_device *dev, struct pci_host *host, int slot,
		    const struct pci_device_ids *ids, const struct pci_device_ops *ops,
		    const char *name, struct error *err)
{
	slot = find_slot(host, slot, name, err);
	if (slot < 0)
		return slot;
	memset(dev, 0, sizeof(*dev));
	dev->host = host;
	dev->ops = ops ? ops : &no_ops;
	dev->name = name;
	dev->slot = (unsigned int)slot;
	pci_config_set(dev, PCI_VENDOR_ID, ids->vendor, 2);
	pci_config_set(dev, PCI_DEVICE_ID, ids->device, 2);
	pci_config_set(dev, PCI_CLASS_REVISION, ids->class_code << 8 | ids->revision, 4);
	pci_config_set(dev, PCI_SUBSYSTEM_VENDOR_ID, ids->subsystem_vendor, 2);
	pci_config_set(dev, PCI_SUBSYSTEM_ID, ids->subsystem, 2);
	dev->wmask[PCI_COMMAND] = COMMAND_WRITABLE & 0xff;
	dev->wmask[PCI_COMMAND + 1] = COMMAND_WRITABLE >> 8;
	dev->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->wmask[PCI_INTERRUPT_LINE] = 0xff;
	host->slot[slot] = dev;
	return 0;
}

void pci_device_release(struct pci_device *dev)
{
	pci_bars_unmap(dev);
	msix_release(dev);
	dev->host->slot[dev->slot] = NULL;
	dev->host = NULL;
}

void pci_device_reset(struct pci_device *dev)
{
	uint32_t old_command = pci_config_stored(dev, PCI_COMMAND, 2);
	unsigned int i;

	/*
	 * The device stops first: it takes its ioeventfds and vectors back while all is still
	 * there.
	 */
	if (dev->ops->reset)
		dev->ops->reset(dev);
	msix_reset(dev);
	for (i = 0; i < PCI_CONFIG_SIZE; i++)
		dev->config[i] &= (uint8_t)~dev->wmask[i];
	pci_bars_update(dev);
	if (old_command && dev->ops->command_changed)
		dev->ops->command_changed(dev, 0);
}
