// SPDX-License-Identifier: BSD-2-Clause
/*
 * Base address registers (PCI 3.0, 6.2.5.1). Sizing needs no code: the address bits below the size
 * are not writable. Where the guest puts a BAR is its own affair: BARs lie below everything else,
 * see host.c. Under the BQL.
 */
#include "host.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>

#define BAR_UNMAPPED	UINT64_MAX
#define BAR_MIN_BYTES	4096u
#define BAR_BYTES	(PCI_BARS * 4u)
#define BAR_REGISTER(i) (PCI_BASE_ADDRESS_0 + 4 * (i))

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

bool pci_bars_affected(unsigned int where, unsigned int size)
{
	return overlap(where, size, PCI_BASE_ADDRESS_0, BAR_BYTES) ||
	       overlap(where, size, PCI_COMMAND, 2);
}

/* What the register holds, decoding or not; 0 = no place yet. */
static uint64_t register_address(const struct pci_device *dev, unsigned int i)
{
	uint64_t address =
		pci_config_stored(dev, BAR_REGISTER(i), 4) & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK;

	if (dev->bar[i].is_64)
		address |= (uint64_t)pci_config_stored(dev, BAR_REGISTER(i + 1), 4) << 32;
	return address;
}

static uint64_t effective_address(const struct pci_device *dev, unsigned int i)
{
	uint64_t limit = dev->bar[i].is_64 ? UINT64_MAX : UINT32_MAX;
	uint64_t address = register_address(dev, i);

	if (!(pci_config_stored(dev, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) || !address)
		return BAR_UNMAPPED;
	/*
	 * Up against the limit is what a driver sizing the BAR with decoding on leaves for a
	 * moment.
	 */
	if (dev->bar[i].size_bytes - 1 >= limit - address)
		return BAR_UNMAPPED;
	return address;
}

static void move_bar(struct pci_device *dev, unsigned int i, uint64_t gpa)
{
	struct MemoryRegion *space = &dev->host->bars;

	if (dev->bar[i].gpa == gpa)
		return;
	if (dev->bar[i].mapped)
		memory_region_del_subregion(space, dev->bar[i].mr);
	dev->bar[i].gpa = gpa;
	dev->bar[i].mapped = gpa != BAR_UNMAPPED;
	if (dev->bar[i].mapped)
		memory_region_add_subregion(space, gpa, dev->bar[i].mr);
}

void pci_bars_update(struct pci_device *dev)
{
	unsigned int i;

	memory_region_transaction_begin();
	for (i = 0; i < PCI_BARS; i++)
		if (dev->bar[i].mr)
			move_bar(dev, i, effective_address(dev, i));
	memory_region_transaction_commit();
}

void pci_bars_unmap(struct pci_device *dev)
{
	unsigned int i;

	memory_region_transaction_begin();
	for (i = 0; i < PCI_BARS; i++)
		if (dev->bar[i].mr)
			move_bar(dev, i, BAR_UNMAPPED);
	memory_region_transaction_commit();
}

static void open_address_bits(struct pci_device *dev, unsigned int where, uint32_t bits)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		dev->wmask[where + i] = (uint8_t)(bits >> (8 * i));
}

void pci_register_bar(struct pci_device *dev, unsigned int index, struct MemoryRegion *mr,
		      bool is_64)
{
	uint64_t bits = ~(mr->size - 1);

	assert(index + is_64 < PCI_BARS && !dev->bar[index].mr);
	assert(mr->size >= BAR_MIN_BYTES && !(mr->size & (mr->size - 1)));
	assert(is_64 || mr->size <= UINT32_MAX);
	dev->bar[index].mr = mr;
	dev->bar[index].size_bytes = mr->size;
	dev->bar[index].gpa = BAR_UNMAPPED;
	dev->bar[index].is_64 = is_64;
	open_address_bits(dev, BAR_REGISTER(index), (uint32_t)bits);
	if (is_64) {
		dev->config[BAR_REGISTER(index)] = PCI_BASE_ADDRESS_MEM_TYPE_64;
		open_address_bits(dev, BAR_REGISTER(index + 1), (uint32_t)(bits >> 32));
	}
}

void pci_unregister_bar(struct pci_device *dev, const struct MemoryRegion *mr)
{
	unsigned int i = 0, registers;

	while (dev->bar[i].mr != mr)
		i++;
	move_bar(dev, i, BAR_UNMAPPED);
	registers = dev->bar[i].is_64 ? 2 : 1;
	memset(&dev->config[BAR_REGISTER(i)], 0, 4 * registers);
	memset(&dev->wmask[BAR_REGISTER(i)], 0, 4 * registers);
	memset(&dev->bar[i], 0, sizeof(dev->bar[i]));
}

/*
 * --- placing -----------------------------------------------------------------------------------
 */

/* The end of some placed BAR that overlaps, or 0. */
static uint64_t end_of_obstacle(const struct pci_host *host, uint64_t gpa, uint64_t size_bytes)
{
	unsigned int slot, i;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		const struct pci_device *dev = host->slot[slot];

		for (i = 0; dev && i < PCI_BARS; i++) {
			uint64_t other = dev->bar[i].mr ? register_address(dev, i) : 0;

			if (other && overlap(gpa, size_bytes, other, dev->bar[i].size_bytes))
				return other + dev->bar[i].size_bytes;
		}
	}
	return 0;
}

static int place_bar(struct pci_device *dev, unsigned int i, struct error *err)
{
	const struct pci_host_config *config = &dev->host->config;
	uint64_t size_bytes = dev->bar[i].size_bytes;
	uint64_t end = config->window_gpa + config->window_size_bytes;
	uint64_t gpa = ROUND_UP(config->window_gpa, size_bytes);
	uint64_t obstacle_end;

	while ((obstacle_end = end_of_obstacle(dev->host, gpa, size_bytes)))
		gpa = ROUND_UP(obstacle_end, size_bytes);
	if (gpa < config->window_gpa || gpa > end || size_bytes > end - gpa)
		return error_set(err, -ENOSPC,
				 "%s: no room for BAR %u of %llu bytes in the PCI window",
				 dev->name, i, (unsigned long long)size_bytes);
	pci_config_set(dev, BAR_REGISTER(i),
		       (uint32_t)gpa | (dev->config[BAR_REGISTER(i)] &
					(uint32_t)~PCI_BASE_ADDRESS_MEM_MASK),
		       4);
	if (dev->bar[i].is_64)
		pci_config_set(dev, BAR_REGISTER(i + 1), (uint32_t)(gpa >> 32), 4);
	return 0;
}

int pci_host_assign_bars(struct pci_host *host, struct error *err)
{
	unsigned int slot, i;
	int ret;

	for (slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_device *dev = host->slot[slot];

		for (i = 0; dev && i < PCI_BARS; i++) {
			if (!dev->bar[i].mr || register_address(dev, i))
				continue;
			ret = place_bar(dev, i, err);
			if (ret)
				return ret;
		}
		if (dev)
			pci_bars_update(dev);
	}
	return 0;
}
