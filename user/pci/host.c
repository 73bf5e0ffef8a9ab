// SPDX-License-Identifier: BSD-2-Clause
/*
 * The host bridge: bus 0 with 32 slots, config space by ECAM (PCIe 4.0, 7.2.2) and by ports
 * 0xcf8/0xcfc (PCI 3.0, 3.2.2.3.2). Under the BQL.
 *
 *   mmio:  RAM, ECAM, board (priority 0)      seen first
 *          "pci-bars" (priority -1): BARs     seen in what is left
 */
#include "host.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define ADDRESS_PORT	   0xcf8
#define DATA_PORT	   0xcfc
#define PORT_BYTES	   4
#define RESET_CONTROL_PORT 0xcf9
#define ADDRESS_ENABLE	   (1u << 31)
#define BARS_PRIORITY	   (-1)

uint32_t pci_host_config_read(struct pci_host *host, uint32_t bdf, unsigned int where,
			      unsigned int size)
{
	/* Other buses, and functions above 0, do not exist: bus 0 with function 0 is bdf < 256. */
	if (bdf >> 3 >= PCI_SLOTS || bdf & 7 || !host->slot[bdf >> 3])
		return ~0u;
	return pci_config_read(host->slot[bdf >> 3], where, size);
}

void pci_host_config_write(struct pci_host *host, uint32_t bdf, unsigned int where, uint32_t value,
			   unsigned int size)
{
	if (bdf >> 3 >= PCI_SLOTS || bdf & 7 || !host->slot[bdf >> 3])
		return;
	pci_config_write(host->slot[bdf >> 3], where, value, size);
}

/*
 * --- ECAM: bits 27:20 bus, 19:15 slot, 14:12 function, 11:0 register
 * ------------------------------
 */

static uint64_t ecam_read(void *opaque, uint64_t addr, unsigned int size)
{
	return pci_host_config_read(opaque, (uint32_t)(addr >> 12), addr % PCIE_CONFIG_SIZE, size);
}

static void ecam_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	pci_host_config_write(opaque, (uint32_t)(addr >> 12), addr % PCIE_CONFIG_SIZE,
			      (uint32_t)value, size);
}

static const struct MemoryRegionOps ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
};

/*
 * --- ports: 0xcf8 holds enable, bus, slot, function, register; 0xcfc is the window to it
 * ------------
 */

/*
 * Only whole dwords are the register; smaller accesses belong to other devices in these ports. At
 * an odd address an access is of one byte.
 */
static bool is_reset_control(const struct pci_host *host, uint64_t addr)
{
	return addr == RESET_CONTROL_PORT - ADDRESS_PORT && host->reset_control;
}

static uint64_t address_port_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct pci_host *host = opaque;

	if (is_reset_control(host, addr))
		return host->reset_control->read(host->reset_control_opaque);
	return size == PORT_BYTES ? host->config_address : ~0u;
}

static void address_port_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct pci_host *host = opaque;

	if (is_reset_control(host, addr))
		host->reset_control->write(host->reset_control_opaque, (uint8_t)value);
	else if (size == PORT_BYTES)
		host->config_address = (uint32_t)value;
}

void pci_host_set_reset_control(struct pci_host *host, const struct pci_host_port_ops *ops,
				void *opaque)
{
	host->reset_control = ops;
	host->reset_control_opaque = opaque;
}

static const struct MemoryRegionOps address_port_ops = {
	.read = address_port_read,
	.write = address_port_write,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
};

static uint64_t data_port_read(void *opaque, uint64_t addr, unsigned int size)
{
	struct pci_host *host = opaque;
	uint32_t address = host->config_address;

	if (!(address & ADDRESS_ENABLE))
		return ~0u;
	return pci_host_config_read(host, address >> 8 & 0xffff, (address & 0xfc) + addr, size);
}

static void data_port_write(void *opaque, uint64_t addr, uint64_t value, unsigned int size)
{
	struct pci_host *host = opaque;
	uint32_t address = host->config_address;

	if (address & ADDRESS_ENABLE)
		pci_host_config_write(host, address >> 8 & 0xffff, (address & 0xfc) + addr,
				      (uint32_t)value, size);
}

static const struct MemoryRegionOps data_port_ops = {
	.read = data_port_read,
	.write = data_port_write,
	.valid = { .min_access_size = 1, .max_access_size = 4 },
};

/*
 * --- life --------------------------------------------------------------------------------------
 */

static void add_regions(struct pci_host *host)
{
	const struct pci_host_config *config = &host->config;

	memory_region_init(&host->bars, "pci-bars", UINT64_MAX);
	memory_region_init_io(&host->ecam, &ecam_ops, host, "pci-ecam", PCI_ECAM_BUS_SIZE);
	memory_region_init_io(&host->address_port, &address_port_ops, host, "pci-address",
			      PORT_BYTES);
	memory_region_init_io(&host->data_port, &data_port_ops, host, "pci-data", PORT_BYTES);

	memory_region_transaction_begin();
	memory_region_add_subregion_overlap(config->mmio, 0, &host->bars, BARS_PRIORITY);
	if (config->ecam_gpa)
		memory_region_add_subregion(config->mmio, config->ecam_gpa, &host->ecam);
	memory_region_add_subregion(config->io, ADDRESS_PORT, &host->address_port);
	memory_region_add_subregion(config->io, DATA_PORT, &host->data_port);
	memory_region_transaction_commit();
}

struct pci_host *pci_host_new(const struct pci_host_config *config, struct error *err)
{
	/* Intel's Q35 host bridge, which guests know as harmless. */
	static const struct pci_device_ids bridge = {
		.vendor = 0x8086,
		.device = 0x29c0,
		.class_code = 0x060000,
	};
	struct pci_host *host = calloc(1, sizeof(*host));

	if (!host) {
		error_set(err, -ENOMEM, "PCI host bridge: out of memory");
		return NULL;
	}
	host->config = *config;
	if (pci_device_init(&host->bridge, host, 0, &bridge, NULL, "host bridge", err)) {
		free(host);
		return NULL;
	}
	add_regions(host);
	return host;
}

void pci_host_free(struct pci_host *host)
{
	const struct pci_host_config *config;
	unsigned int slot;

	if (!host)
		return;
	pci_device_release(&host->bridge);
	for (slot = 0; slot < PCI_SLOTS; slot++)
		assert(!host->slot[slot]);
	config = &host->config;
	memory_region_transaction_begin();
	memory_region_del_subregion(config->mmio, &host->bars);
	if (config->ecam_gpa)
		memory_region_del_subregion(config->mmio, &host->ecam);
	memory_region_del_subregion(config->io, &host->address_port);
	memory_region_del_subregion(config->io, &host->data_port);
	memory_region_transaction_commit();
	memory_region_release(&host->bars);
	memory_region_release(&host->ecam);
	memory_region_release(&host->address_port);
	memory_region_release(&host->data_port);
	free(host);
}

void pci_host_reset(struct pci_host *host)
{
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS; slot++)
		if (host->slot[slot])
			pci_device_reset(host->slot[slot]);
	host->config_address = 0;
}
