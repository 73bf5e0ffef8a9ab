/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ACPI tells of the board, as plain numbers: iasl's preprocessor reads this file for dsdt.asl,
 * and it knows neither suffixes nor expressions in resource descriptors. acpi.c asserts that each
 * number is the one of board.h and of the devices.
 */
#ifndef MACHINE_ACPI_MAP_H
#define MACHINE_ACPI_MAP_H

#define ACPI_ECAM_GPA	  0xb0000000
#define ACPI_ECAM_BYTES	  0x00100000
#define ACPI_LAST_BUS	  0
#define ACPI_WINDOW_GPA	  0xc0000000
#define ACPI_WINDOW_LAST  0xfebfffff
#define ACPI_WINDOW_BYTES 0x3ec00000

#define ACPI_SERIAL_PORT 0x3f8
#define ACPI_SERIAL_GSI	 4

#define ACPI_PANIC_PORT 0x505

#define ACPI_POWER_PORT	 0x600
#define ACPI_POWER_PORTS 0x0c
#define ACPI_SLEEP_S5	 5 /* SLP_TYP that turns the power off */

#endif
