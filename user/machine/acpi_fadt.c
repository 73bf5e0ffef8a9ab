// SPDX-License-Identifier: BSD-2-Clause
/*
 * FADT: which fixed hardware there is, and what there is not. Main thread. Neighbours: acpi.c adds
 * the addresses of the other tables; power.c and reset.c are the hardware.
 *
 * Why the fixed PM1 registers and not "hardware-reduced" ACPI with its sleep registers: turning the
 * power off is one port write in both, but reduced hardware makes Linux drop the 8259 and the 8254
 * as well (arch/x86/kernel/acpi/boot.c, acpi_generic_reduced_hw_init), both of which KVM has anyway
 * and a kernel without kvmclock calibrates by; and it would have no PM timer, the one reference
 * clock besides. Fixed hardware is also what every kernel has met on real PCs and on QEMU.
 *
 * Boot is fast by what is denied here: without 8042, VGA and CMOS RTC Linux does not probe for
 * them, each of which costs it time-outs.
 */
#include "acpi.h"

#include "acpi_abi.h"
#include "power.h"
#include "reset.h"

/* Above 100 and 1000 us: no C2, no C3 (5-33). */
#define NO_C2_LATENCY 0xfff
#define NO_C3_LATENCY 0xfff

static struct acpi_address port(uint16_t address, unsigned int bytes)
{
	return (struct acpi_address){ .space = ACPI_SPACE_IO,
				      .bit_width = (uint8_t)(8 * bytes),
				      .address = address };
}

static void fill_registers(struct acpi_fadt *fadt)
{
	fadt->sci_int = POWER_SCI_GSI;
	fadt->pm1a_evt_blk = POWER_PORT + POWER_EVENT;
	fadt->pm1_evt_len = POWER_EVENT_BYTES;
	fadt->x_pm1a_evt = port(POWER_PORT + POWER_EVENT, POWER_EVENT_BYTES);
	fadt->pm1a_cnt_blk = POWER_PORT + POWER_CONTROL;
	fadt->pm1_cnt_len = POWER_CONTROL_BYTES;
	fadt->x_pm1a_cnt = port(POWER_PORT + POWER_CONTROL, POWER_CONTROL_BYTES);
	fadt->pm_tmr_blk = POWER_PORT + POWER_TIMER;
	fadt->pm_tmr_len = POWER_TIMER_BYTES;
	fadt->x_pm_tmr = port(POWER_PORT + POWER_TIMER, POWER_TIMER_BYTES);
	fadt->reset_reg = port(RESET_CONTROL_PORT, 1);
	fadt->reset_value = RESET_CONTROL_VALUE;
}

/* SMI_CMD stays 0: there is no SMM, the registers are the system's from the start (4.8.2.5). */
void acpi_fadt_fill(struct acpi_fadt *fadt)
{
	fill_registers(fadt);
	fadt->p_lvl2_lat = NO_C2_LATENCY;
	fadt->p_lvl3_lat = NO_C3_LATENCY;
	fadt->iapc_boot_arch = BOOT_ARCH_LEGACY_DEVICES | BOOT_ARCH_NO_VGA | BOOT_ARCH_NO_CMOS_RTC;
	fadt->flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC |
		      FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP;
}
