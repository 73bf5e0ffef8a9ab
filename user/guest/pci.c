// SPDX-License-Identifier: BSD-2-Clause
/*
 * Configuration space of bus 0 by ECAM, or by the ports where there is none, and BARs. Set-up only: nothing here runs
 * while requests do. MSI-X is in msix.c, the user of it all in virtio_pci.c.
 */
#include "pci.h"

#include "guest.h"

#define PCI_ID		 0x00
#define PCI_COMMAND	 0x04
#define PCI_STATUS	 0x06
#define PCI_HEADER_TYPE	 0x0e
#define PCI_BAR0	 0x10
#define PCI_CAPS	 0x34
#define COMMAND_MEMORY	 0x2
#define COMMAND_MASTER	 0x4
#define COMMAND_INTX_OFF 0x400
#define STATUS_CAPS	 0x10
#define HEADER_MULTI	 0x80
#define BAR_IO		 0x1
#define BAR_TYPE	 0x6
#define BAR_64		 0x4
#define BAR_FLAGS	 0xf
#define NO_FUNCTION	 0xffff
#define ADDRESS_PORT	 0xcf8
#define DATA_PORT	 0xcfc
#define ADDRESS_ENABLE	 0x80000000
#define ECAM_BUS_BYTES	 0x100000
#define FUNCTION_BYTES	 0x1000
/* A config space has room for 48 capabilities of 4 bytes; a longer list is a loop. */
#define MAX_CAPS	 48

/* The hole that PC boards keep below the I/O APIC. */
#define WINDOW_START 0xfe000000ull
#define WINDOW_END   0xfec00000ull

void pci_host_init(struct pci_host *host, uint64_t ecam, bool move_bars)
{
	host->next_bar = WINDOW_START;
	host->move_bars = move_bars;
	host->ecam = 0;
	if (!ecam || memory_is_ram(ecam, ECAM_BUS_BYTES))
		return;
	mmu_map(ecam, ECAM_BUS_BYTES);
	/* Where no ECAM is, reads float high. */
	if ((mmio_read32(ecam) & 0xffff) != NO_FUNCTION)
		host->ecam = ecam;
}

static uint64_t ecam_address(const struct pci_function *fn, uint32_t offset)
{
	return fn->host->ecam + fn->devfn * FUNCTION_BYTES + offset;
}

static void port_select(const struct pci_function *fn, uint32_t offset)
{
	svc(SVC_OUT32, ADDRESS_PORT, ADDRESS_ENABLE | fn->devfn << 8 | (offset & 0xfc), 0);
}

uint32_t pci_read32(const struct pci_function *fn, uint32_t offset)
{
	if (fn->host->ecam)
		return mmio_read32(ecam_address(fn, offset));
	port_select(fn, offset);
	return (uint32_t)svc(SVC_IN32, DATA_PORT, 0, 0);
}

uint16_t pci_read16(const struct pci_function *fn, uint32_t offset)
{
	return (uint16_t)(pci_read32(fn, offset & ~3u) >> (offset & 2) * 8);
}

uint8_t pci_read8(const struct pci_function *fn, uint32_t offset)
{
	return (uint8_t)(pci_read32(fn, offset & ~3u) >> (offset & 3) * 8);
}

void pci_write32(const struct pci_function *fn, uint32_t offset, uint32_t value)
{
	if (fn->host->ecam) {
		mmio_write32(ecam_address(fn, offset), value);
		return;
	}
	port_select(fn, offset);
	svc(SVC_OUT32, DATA_PORT, value, 0);
}

void pci_write16(const struct pci_function *fn, uint32_t offset, uint16_t value)
{
	if (fn->host->ecam) {
		mmio_write16(ecam_address(fn, offset), value);
		return;
	}
	port_select(fn, offset);
	svc(SVC_OUT16, DATA_PORT + (offset & 2), value, 0);
}

bool pci_function_get(struct pci_host *host, uint32_t devfn, struct pci_function *fn)
{
	*fn = (struct pci_function){ .host = host, .devfn = devfn };
	fn->id = pci_read32(fn, PCI_ID);
	return (fn->id & 0xffff) != NO_FUNCTION && fn->id;
}

bool pci_function_is_multi(const struct pci_function *fn)
{
	return pci_read8(fn, PCI_HEADER_TYPE) & HEADER_MULTI;
}

uint8_t pci_cap_next(const struct pci_function *fn, uint8_t id, uint8_t after)
{
	uint8_t cap;

	if (!(pci_read16(fn, PCI_STATUS) & STATUS_CAPS))
		return 0;
	cap = pci_read8(fn, after ? after + 1u : PCI_CAPS) & 0xfc;
	for (uint32_t i = 0; cap && i < MAX_CAPS; i++) {
		if (pci_read8(fn, cap) == id)
			return cap;
		cap = pci_read8(fn, cap + 1u) & 0xfc;
	}
	return 0;
}

/* Memory decoding is off while this runs: a sizing write of ones must not claim addresses. */
static uint64_t bar_place(const struct pci_function *fn, uint32_t reg, uint32_t flags)
{
	struct pci_host *host = fn->host;
	uint64_t bytes, gpa;
	uint32_t mask;

	pci_write32(fn, reg, 0xffffffff);
	mask = pci_read32(fn, reg) & ~BAR_FLAGS;
	if (!mask) {
		pci_write32(fn, reg, flags);
		return 0;
	}
	bytes = (uint64_t)~mask + 1;
	gpa = ROUND_UP(host->next_bar, bytes);
	if (gpa + bytes > WINDOW_END)
		die(GUEST_EXIT_DEVICE, "no room for a BAR of %lu bytes", bytes);
	host->next_bar = gpa + bytes;
	pci_write32(fn, reg, (uint32_t)gpa);
	if ((flags & BAR_TYPE) == BAR_64)
		pci_write32(fn, reg + 4, 0);
	return gpa;
}

void pci_function_enable(struct pci_function *fn)
{
	uint16_t command = pci_read16(fn, PCI_COMMAND);

	pci_write16(fn, PCI_COMMAND, command & ~(COMMAND_MEMORY | COMMAND_MASTER));
	for (uint32_t i = 0; i < PCI_BARS; i++) {
		uint32_t reg = PCI_BAR0 + 4 * i, low = pci_read32(fn, reg), n = i;
		uint64_t gpa = low & ~BAR_FLAGS;

		if (low & BAR_IO)
			continue;
		if ((low & BAR_TYPE) == BAR_64 && i + 1 < PCI_BARS)
			gpa |= (uint64_t)pci_read32(fn, PCI_BAR0 + 4 * ++i) << 32;
		if (!gpa || fn->host->move_bars)
			gpa = bar_place(fn, reg, low & BAR_FLAGS);
		fn->bar[n] = gpa;
	}
	pci_write16(fn, PCI_COMMAND, command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_OFF);
}

uint64_t pci_bar_map(const struct pci_function *fn, uint32_t bar, uint64_t offset, uint64_t bytes)
{
	if (bar >= PCI_BARS || !fn->bar[bar])
		die(GUEST_EXIT_DEVICE, "function %u.%u has no memory BAR %u", fn->devfn >> 3,
		    fn->devfn & 7, bar);
	mmu_map(fn->bar[bar] + offset, bytes);
	return fn->bar[bar] + offset;
}
