/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board to an operating system: PCI with its windows, the serial port, pvpanic, how to turn the
 * power off. All of it is the same for every VM; what varies is in the MADT. No device has a pin
 * interrupt, so there is no _PRT: PCI devices interrupt by MSI-X. Numbers: acpi_map.h.
 */
#include "acpi_map.h"

DefinitionBlock ("", "DSDT", 2, "HNDOFF", "HANDOFF", 1)
{
	Name (\_S5, Package () { ACPI_SLEEP_S5, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_SEG, 0)
			Name (_BBN, 0)
			/* I/O ports: none but config space, since BARs are memory. */
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, ACPI_LAST_BUS, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, ACPI_WINDOW_GPA, ACPI_WINDOW_LAST, 0, ACPI_WINDOW_BYTES)
			})

			/*
			 * PCI Firmware 3.2, 4.5.1: the system has all of what it asks for (native
			 * hot plug, PME, AER, ...), since no firmware of ours uses any of it.
			 */
			Method (_OSC, 4, Serialized)
			{
				CreateDWordField (Arg3, 0, CDW1)
				If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
				{
					CDW1 |= 4 /* unknown UUID */
				}
				ElseIf (Arg1 != 1)
				{
					CDW1 |= 8 /* unknown revision */
				}
				Return (Arg3)
			}
		}

		/* Linux uses ECAM only where E820 or this reserves it. */
		Device (RESV)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, ACPI_ECAM_GPA, ACPI_ECAM_BYTES)
				IO (Decode16, ACPI_POWER_PORT, ACPI_POWER_PORT, 1, ACPI_POWER_PORTS)
			})
		}

		Device (COM1)
		{
			Name (_HID, EisaId ("PNP0501"))
			Name (_UID, 1)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, ACPI_SERIAL_PORT, ACPI_SERIAL_PORT, 1, 8)
				IRQNoFlags () { ACPI_SERIAL_GSI }
			})
		}

		Device (PEVT)
		{
			Name (_HID, "QEMU0001")
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, ACPI_PANIC_PORT, ACPI_PANIC_PORT, 1, 1)
			})
		}
	}
}
