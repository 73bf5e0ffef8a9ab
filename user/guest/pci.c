// SPDX-License-Identifier: BSD-2-Clause
/*
 * Configuration space of bus 0 by ECAM, or by the ports where there is none, and BARs. Set-up only:
 * nothing here runs while requests do. MSI-X is in msix.c, the user of it all in virtio_pci.c.
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

/* Above any RAM of a test guest, below 2^40, which every x86-64 can address. */
#define HIGH_START 0x8000000000ull

void pci_host_init(struct pci_host *host, uint64_t ecam, uint64_t bars, enum pci_move move)
{
	uint16_t vendor;

	host->next_bar = bars;
	host->bar_end = bars + PCI_WINDOW_BYTES;
	host->next_high_bar = HIGH_START;
	host->move = move;
	host->ecam = 0;
	if (!ecam || memory_is_ram(ecam, ECAM_BUS_BYTES))
		return;
	mmu_map(ecam, ECAM_BUS_BYTES);
	/* Function 0 is the host bridge. Where no ECAM is, reads give ones, or zeroes on QEMU. */
	vendor = mmio_read16(ecam);
	if (vendor && vendor != NO_FUNCTION)
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
	bool wide = (flags & BAR_TYPE) == BAR_64, high = wide && host->move == PCI_MOVE_HIGH;
	uint64_t *next = high ? &host->next_high_bar : &host->next_bar;
	uint64_t bytes, gpa;
	uint32_t mask;

	pci_write32(fn, reg, 0xffffffff);
	mask = pci_read32(fn, reg) & ~BAR_FLAGS;
	if (!mask) {
		pci_write32(fn, reg, flags);
		return 0;
	}
	bytes = (uint64_t)~mask + 1;
	gpa = ROUND_UP(*next, bytes);
	if (!high && gpa + bytes > host->bar_end)
		die(GUEST_EXIT_DEVICE, "no room for a BAR of %lu bytes", bytes);
	*next = gpa + bytes;
	pci_write32(fn, reg, (uint32_t)gpa);
	if (wide)
		pci_write32(fn, reg + 4, (uint32_t)(gpa >> 32));
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
		if (!gpa || fn->host->move != PCI_MOVE_NO)
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
