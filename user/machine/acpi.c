// SPDX-License-Identifier: BSD-2-Clause
/*
 * The tables put together: see acpi.h. Main thread. Neighbours: acpi_fadt.c, acpi_dsdt.c; the board
 * part that calls is in power_board.c.
 */
#include "acpi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <handoff/pci.h>
#include "acpi_abi.h"
#include "acpi_map.h"
#include "board.h"
#include "power.h"
#include "pvpanic.h"

/* FACS wants 64 bytes; the others are content with less. */
#define TABLE_ALIGN 64u

#define OEM_ID	     "HNDOFF"
#define OEM_TABLE_ID "HANDOFF "
#define CREATOR_ID   "HNDF"

/* KVM's interrupt controllers, as it places them. */
#define IOAPIC_GPA 0xfec00000u
#define LAPIC_GPA  0xfee00000u

/* Where GSI 0, the 8254, arrives: user/kvm/irqfd.c routes it as a PC's wiring does. */
#define TIMER_PIN 2

_Static_assert(ACPI_ECAM_GPA == BOARD_ECAM_GPA, "ECAM");
_Static_assert(ACPI_ECAM_BYTES == (ACPI_LAST_BUS + 1) * PCI_ECAM_BUS_SIZE, "buses");
_Static_assert(ACPI_WINDOW_GPA == BOARD_PCI_WINDOW_GPA, "window");
_Static_assert(ACPI_WINDOW_LAST + 1ull == BOARD_PCI_WINDOW_END, "window");
_Static_assert(ACPI_WINDOW_BYTES == BOARD_PCI_WINDOW_END - BOARD_PCI_WINDOW_GPA, "window");
_Static_assert(ACPI_SERIAL_PORT == BOARD_SERIAL_PORT, "COM1");
_Static_assert(ACPI_SERIAL_GSI == BOARD_SERIAL_GSI, "COM1");
_Static_assert(ACPI_PANIC_PORT == PVPANIC_PORT, "pvpanic");
_Static_assert(ACPI_POWER_PORT == POWER_PORT && ACPI_POWER_PORTS == POWER_PORTS, "PM registers");
_Static_assert(ACPI_SLEEP_S5 == POWER_SLEEP_S5, "S5");
_Static_assert(STATS_MAX_VCPUS <= MADT_ALL_PROCESSORS, "more CPUs would need x2APIC entries");

/* Tables behind each other; `used` runs on when there is no room, so that the end knows. */
struct image {
	uint64_t gpa, size_bytes, used;
	uint8_t *bytes;
};

static uint8_t checksum_of(const void *bytes, uint32_t len)
{
	const uint8_t *b = bytes;
	uint8_t sum = 0;

	while (len--)
		sum += *b++;
	return (uint8_t)-sum;
}

static uint32_t image_add(struct image *img, const void *bytes, uint32_t len)
{
	uint64_t at = ROUND_UP(img->used, TABLE_ALIGN);

	img->used = at + len;
	if (img->used <= img->size_bytes)
		memcpy(img->bytes + at, bytes, len);
	return (uint32_t)(img->gpa + at);
}

/* Fills in the header, and adds. Returns where the table is: below 4 GiB like all of them. */
static uint32_t table_add(struct image *img, struct acpi_header *h, const char *signature,
			  uint8_t revision, uint32_t len)
{
	memcpy(h->signature, signature, sizeof(h->signature));
	memcpy(h->oem_id, OEM_ID, sizeof(h->oem_id));
	memcpy(h->oem_table_id, OEM_TABLE_ID, sizeof(h->oem_table_id));
	memcpy(h->creator_id, CREATOR_ID, sizeof(h->creator_id));
	h->length = len;
	h->revision = revision;
	h->oem_revision = 1;
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum_of(h, len);
	return image_add(img, h, len);
}

static uint32_t add_fadt(struct image *img)
{
	struct acpi_facs facs = { .signature = "FACS", .length = sizeof(facs), .version = 2 };
	struct acpi_fadt fadt = { .minor_version = 3 };
	uint32_t dsdt_bytes;
	const void *dsdt = acpi_dsdt(&dsdt_bytes);

	acpi_fadt_fill(&fadt);
	fadt.facs = image_add(img, &facs, sizeof(facs));
	fadt.dsdt = image_add(img, dsdt, dsdt_bytes);
	/* 5-33: below 4 GiB FACS is in the short field only, DSDT in both. */
	fadt.x_dsdt = fadt.dsdt;
	return table_add(img, &fadt.header, "FACP", 6, sizeof(fadt));
}

static uint32_t add_madt(struct image *img, unsigned int cpus)
{
	struct acpi_madt madt = {
		.lapic_gpa = LAPIC_GPA,
		.flags = MADT_PCAT_COMPAT, /* KVM's 8259s are there */
		.ioapic = { MADT_IOAPIC, sizeof(madt.ioapic), .address = IOAPIC_GPA },
		.timer = { MADT_OVERRIDE, sizeof(madt.timer), .source = 0, .gsi = TIMER_PIN },
		.sci = { MADT_OVERRIDE, sizeof(madt.sci), .source = POWER_SCI_GSI,
			 .gsi = POWER_SCI_GSI, .flags = MADT_ACTIVE_HIGH_LEVEL },
		.nmi = { MADT_LAPIC_NMI, sizeof(madt.nmi), .uid = MADT_ALL_PROCESSORS, .lint = 1 },
	};
	unsigned int i;

	for (i = 0; i < cpus; i++)
		madt.lapic[i] =
			(struct acpi_madt_lapic){ MADT_LAPIC, sizeof(madt.lapic[i]), (uint8_t)i,
						  (uint8_t)i, MADT_LAPIC_ENABLED };
	return table_add(img, &madt.header, "APIC", 5,
			 (uint32_t)offsetof(struct acpi_madt, lapic[cpus]));
}

static uint32_t add_mcfg(struct image *img)
{
	struct acpi_mcfg mcfg = { .ecam_gpa = ACPI_ECAM_GPA, .last_bus = ACPI_LAST_BUS };

	return table_add(img, &mcfg.header, "MCFG", 1, sizeof(mcfg));
}

static void build(struct image *img, unsigned int cpus)
{
	struct {
		struct acpi_header header;
		uint64_t table[3];
	} ACPI_PACKED xsdt = { 0 };
	struct acpi_rsdp rsdp = {
		.signature = "RSD PTR ", .oem_id = OEM_ID, .revision = 2, .length = sizeof(rsdp)
	};

	image_add(img, &rsdp, sizeof(rsdp)); /* keeps its place */
	xsdt.table[0] = add_fadt(img);
	xsdt.table[1] = add_madt(img, cpus);
	xsdt.table[2] = add_mcfg(img);
	rsdp.xsdt = table_add(img, &xsdt.header, "XSDT", 1, sizeof(xsdt));
	rsdp.checksum = checksum_of(&rsdp, offsetof(struct acpi_rsdp, length));
	rsdp.extended_checksum = checksum_of(&rsdp, sizeof(rsdp));
	if (img->used <= img->size_bytes)
		memcpy(img->bytes, &rsdp, sizeof(rsdp));
}

int acpi_write(const struct guest_ram *ram, uint64_t gpa, uint64_t end, unsigned int cpus,
	       struct error *err)
{
	struct image img = { .gpa = gpa, .size_bytes = end - gpa };
	int ret = 0;

	img.bytes = calloc(1, img.size_bytes);
	if (!img.bytes)
		return error_set(err, -ENOMEM, "out of memory");
	build(&img, cpus);
	if (img.used > img.size_bytes)
		ret = error_set(err, -ENOSPC, "ACPI tables of %llu bytes for %u CPUs: %llu fit",
				(unsigned long long)img.used, cpus,
				(unsigned long long)img.size_bytes);
	else if (!guest_ram_write(ram, gpa, img.bytes, img.used))
		ret = error_set(err, -E2BIG, "the guest has less than 1 MiB of memory");
	free(img.bytes);
	return ret;
}
