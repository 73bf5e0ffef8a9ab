/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables of the board, ready in guest memory before it starts: RSDP, XSDT, FADT (with FACS and
 * DSDT), MADT, MCFG. They are the guest's own then: nothing is read back. Main thread. Rules: ACPI
 * 6.3.
 */
#ifndef MACHINE_ACPI_H
#define MACHINE_ACPI_H

#include <stdint.h>
#include <handoff/error.h>
#include <handoff/guest_ram.h>

struct acpi_fadt;

/*
 * Writes all tables into [gpa, end), the RSDP at gpa itself, which is 64-byte aligned. cpus: 1 to
 * STATS_MAX_VCPUS, their APIC ids are their numbers. -ENOSPC or -E2BIG (not RAM) with err.
 */
int acpi_write(const struct guest_ram *ram, uint64_t gpa, uint64_t end, unsigned int cpus,
	       struct error *err) MUST_CHECK;

/* acpi_fadt.c: all but its header, and but where FACS and DSDT are. */
void acpi_fadt_fill(struct acpi_fadt *fadt);

/* acpi_dsdt.c: the compiled dsdt.asl. */
const void *acpi_dsdt(uint32_t *size_bytes);

#endif
