// SPDX-License-Identifier: BSD-2-Clause
/* dsdt.asl as iasl made bytes of it; the Makefile has iasl write dsdt.hex. Neighbour: acpi.c. */
#include "acpi.h"

#include <dsdt.hex>

const void *acpi_dsdt(uint32_t *size_bytes)
{
	*size_bytes = sizeof(dsdt_aml_code);
	return dsdt_aml_code;
}
