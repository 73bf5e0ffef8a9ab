/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables as they lie in guest memory, little-endian and packed (ACPI 6.3, chapter 5). Only
 * what this board has: the numbers in comments are the specification's tables.
 */
#ifndef MACHINE_ACPI_ABI_H
#define MACHINE_ACPI_ABI_H

#include <stdint.h>
#include <handoff/stats.h>

#define ACPI_PACKED __attribute__((packed))

/* 5-27, root system description pointer */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum; /* of all */
	uint8_t reserved[3];
} ACPI_PACKED;

/* 5-28, in front of every table but RSDP and FACS */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} ACPI_PACKED;

/* 5-1, generic address structure */
struct acpi_address {
	uint8_t space; /* 1 = I/O ports */
	uint8_t bit_width, bit_offset, access_size;
	uint64_t address;
} ACPI_PACKED;

#define ACPI_SPACE_IO 1

/* 5-33, with the flags of 5-34 and 5-35 */
struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs, dsdt;
	uint8_t reserved0, pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk;
	uint32_t pm2_cnt_blk, pm_tmr_blk, gpe0_blk, gpe1_blk;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len;
	uint8_t gpe0_blk_len, gpe1_blk_len, gpe1_base, cst_cnt;
	uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alrm, mon_alrm, century;
	uint16_t iapc_boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_address reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_facs, x_dsdt;
	struct acpi_address x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt;
	struct acpi_address x_pm2_cnt, x_pm_tmr, x_gpe0, x_gpe1;
	struct acpi_address sleep_control, sleep_status;
	uint64_t hypervisor;
} ACPI_PACKED;

#define FADT_WBINVD	   (1u << 0)
#define FADT_PROC_C1	   (1u << 2)
#define FADT_SLP_BUTTON	   (1u << 5) /* no sleep button in the fixed registers */
#define FADT_FIX_RTC	   (1u << 6) /* no RTC alarm in the fixed registers */
#define FADT_TMR_VAL_EXT   (1u << 8) /* PM timer of 32 bits */
#define FADT_RESET_REG_SUP (1u << 10)

#define BOOT_ARCH_LEGACY_DEVICES (1u << 0)
#define BOOT_ARCH_NO_VGA	 (1u << 2)
#define BOOT_ARCH_NO_CMOS_RTC	 (1u << 5)

/* 5-36 */
struct acpi_facs {
	char signature[4];
	uint32_t length, hardware_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved0[3];
	uint32_t ospm_flags;
	uint8_t reserved1[24];
} ACPI_PACKED;

/* 5-43 and what it is made of: 5-46 (type 0), 5-47 (1), 5-49 (2), 5-52 (4) */
struct acpi_madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} ACPI_PACKED;

struct acpi_madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
} ACPI_PACKED;

struct acpi_madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
} ACPI_PACKED;

struct acpi_madt_nmi {
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
} ACPI_PACKED;

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_gpa, flags;
	struct acpi_madt_ioapic ioapic;
	struct acpi_madt_override timer, sci;
	struct acpi_madt_nmi nmi;
	struct acpi_madt_lapic lapic[STATS_MAX_VCPUS]; /* last: as many as there are vCPUs */
} ACPI_PACKED;

enum madt_type { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };

#define MADT_PCAT_COMPAT       (1u << 0)
#define MADT_LAPIC_ENABLED     (1u << 0)
#define MADT_ACTIVE_HIGH_LEVEL 0xd
#define MADT_ALL_PROCESSORS    0xff

/* PCI Firmware 3.2, 4.1.2 */
struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved;
	uint64_t ecam_gpa;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved1;
} ACPI_PACKED;

_Static_assert(sizeof(struct acpi_rsdp) == 36 && sizeof(struct acpi_header) == 36, "headers");
_Static_assert(sizeof(struct acpi_address) == 12, "generic address");
_Static_assert(sizeof(struct acpi_fadt) == 276 && sizeof(struct acpi_facs) == 64, "FADT, FACS");
_Static_assert(sizeof(struct acpi_madt) == 44 + 12 + 2 * 10 + 6 + 8 * STATS_MAX_VCPUS, "MADT");
_Static_assert(sizeof(struct acpi_mcfg) == 60, "MCFG");

#endif
