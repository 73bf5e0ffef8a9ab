// SPDX-License-Identifier: BSD-2-Clause
/*
 * The ACPI tables as an operating system finds them: from the RSDP on, by the offsets of the
 * specification (ACPI 6.3, chapter 5) and not by our own structures.
 */
#include <lib/tap.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <handoff/pci.h>
#include "acpi.h"
#include "board.h"
#include "power.h"
#include "pvpanic.h"
#include "reset.h"

#define RAM_BYTES (2u << 20)
#define GPA	  BOARD_ACPI_GPA
#define END	  BOARD_ACPI_END

enum { RSDP, XSDT, FACP, FACS, DSDT, APIC, MCFG, N_TABLES };

static const char *const names[N_TABLES] = {
	"RSDP", "XSDT", "FACP", "FACS", "DSDT", "APIC", "MCFG"
};

struct tables {
	struct guest_ram *ram;
	struct {
		uint64_t gpa;
		uint32_t len;
		const uint8_t *bytes;
	} t[N_TABLES];
};

static uint64_t at(const uint8_t *bytes, unsigned int offset, unsigned int size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[offset + size];
	return value;
}

static uint64_t field(const struct tables *t, int table, unsigned int offset, unsigned int size)
{
	assert_true(offset + size <= t->t[table].len);
	return at(t->t[table].bytes, offset, size);
}

static uint8_t sum(const uint8_t *bytes, uint32_t len)
{
	uint8_t s = 0;

	while (len--)
		s += *bytes++;
	return s;
}

static void found(struct tables *t, int table, uint64_t gpa, uint32_t len)
{
	assert_int_equal(t->t[table].gpa, 0);
	t->t[table].gpa = gpa;
	t->t[table].len = len;
	t->t[table].bytes = guest_ram_hva(t->ram, gpa, len);
	assert_non_null(t->t[table].bytes);
	assert_in_range(gpa, GPA, END - len);
}

/* A table with the common header, at gpa: which it is, by its signature. */
static int find_table(struct tables *t, uint64_t gpa)
{
	const uint8_t *header = guest_ram_hva(t->ram, gpa, 36);
	int table = XSDT;

	assert_non_null(header);
	while (table < N_TABLES && memcmp(header, names[table], 4))
		table++;
	assert_int_not_equal(table, N_TABLES);
	found(t, table, gpa, (uint32_t)at(header, 4, 4));
	if (table != FACS)
		assert_int_equal(sum(t->t[table].bytes, t->t[table].len), 0);
	return table;
}

static void walk(struct tables *t)
{
	uint32_t i;

	found(t, RSDP, GPA, 36);
	assert_memory_equal(t->t[RSDP].bytes, "RSD PTR ", 8);
	assert_int_equal(sum(t->t[RSDP].bytes, 20), 0);
	assert_int_equal(sum(t->t[RSDP].bytes, 36), 0);
	assert_int_equal(field(t, RSDP, 15, 1), 2);
	assert_int_equal(field(t, RSDP, 16, 4), 0); /* no RSDT */
	assert_int_equal(field(t, RSDP, 20, 4), 36);
	assert_int_equal(find_table(t, field(t, RSDP, 24, 8)), XSDT);
	for (i = 36; i < t->t[XSDT].len; i += 8)
		find_table(t, field(t, XSDT, i, 8));
	assert_int_equal(find_table(t, field(t, FACP, 140, 8)), DSDT);
	assert_int_equal(find_table(t, field(t, FACP, 36, 4)), FACS);
}

static void tables_new(struct tables *t, unsigned int cpus)
{
	struct error err;

	memset(t, 0, sizeof(*t));
	t->ram = guest_ram_new(RAM_BYTES, RAM_BYTES, &err);
	assert_non_null(t->ram);
	assert_int_equal(acpi_write(t->ram, GPA, END, cpus, &err), 0);
	walk(t);
}

static void tables_free(struct tables *t)
{
	guest_ram_free(t->ram);
}

/* From the RSDP every table is found once, with a right checksum, apart from the others. */
static void test_acpi__all_tables_are_found(void **state)
{
	static const unsigned int cpus[] = { 1, 2, STATS_MAX_VCPUS };
	struct tables t;
	unsigned int i;
	int a, b;

	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		tables_new(&t, cpus[i]);
		assert_int_equal(t.t[XSDT].len, 36 + 3 * 8);
		for (a = 0; a < N_TABLES; a++) {
			assert_int_not_equal(t.t[a].gpa, 0);
			assert_int_equal(t.t[a].gpa % 16, 0);
			for (b = 0; b < a; b++)
				assert_true(t.t[a].gpa + t.t[a].len <= t.t[b].gpa ||
					    t.t[b].gpa + t.t[b].len <= t.t[a].gpa);
		}
		tables_free(&t);
	}
}

/* What the checksums are good for: one wrong byte anywhere shows. */
static void test_acpi__checksums_cover_all_bytes(void **state)
{
	struct tables t;
	uint32_t i;
	int table;

	tables_new(&t, 2);
	for (table = 0; table < N_TABLES; table++) {
		uint8_t *bytes = guest_ram_hva(t.ram, t.t[table].gpa, t.t[table].len);

		for (i = 0; table != FACS && i < t.t[table].len; i++) {
			bytes[i] ^= 0x10;
			assert_int_not_equal(sum(bytes, t.t[table].len), 0);
			bytes[i] ^= 0x10;
		}
	}
	tables_free(&t);
}

/* The MADT names each vCPU once, enabled, its APIC id its number; nothing else varies. */
static void check_madt(const struct tables *t, unsigned int cpus)
{
	unsigned int n[5] = { 0 }, offset, type, len;

	assert_int_equal(field(t, APIC, 36, 4), 0xfee00000);
	assert_int_equal(field(t, APIC, 40, 4), 1); /* PCAT_COMPAT */
	for (offset = 44; offset < t->t[APIC].len; offset += len) {
		type = (unsigned int)field(t, APIC, offset, 1);
		len = (unsigned int)field(t, APIC, offset + 1, 1);
		assert_in_range(type, 0, 4);
		if (type == 0) {
			assert_int_equal(len, 8);
			assert_int_equal(field(t, APIC, offset + 2, 1), n[0]);
			assert_int_equal(field(t, APIC, offset + 3, 1), n[0]);
			assert_int_equal(field(t, APIC, offset + 4, 4), 1);
		}
		n[type]++;
	}
	assert_int_equal(offset, t->t[APIC].len);
	assert_int_equal(n[0], cpus);
	assert_int_equal(n[1], 1);
	assert_int_equal(n[2], 2);
	assert_int_equal(n[3], 0);
	assert_int_equal(n[4], 1);
}

static void test_acpi__madt_names_vcpus(void **state)
{
	static const unsigned int cpus[] = { 1, 2, 17, STATS_MAX_VCPUS };
	struct tables t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		tables_new(&t, cpus[i]);
		check_madt(&t, cpus[i]);
		tables_free(&t);
	}
}

/* Is there exactly this entry in the MADT? */
static bool madt_has(const struct tables *t, const void *entry, unsigned int len)
{
	unsigned int offset, hits = 0;

	for (offset = 44; offset < t->t[APIC].len; offset += field(t, APIC, offset + 1, 1))
		if (offset + len <= t->t[APIC].len &&
		    !memcmp(t->t[APIC].bytes + offset, entry, len))
			hits++;
	return hits == 1;
}

/* IOAPIC with GSIs from 0; IRQ 0 at pin 2; SCI level, active high; NMI at LINT1 of all. */
static void test_acpi__madt_interrupts(void **state)
{
	struct tables t;

	tables_new(&t, 3);
	assert_true(madt_has(&t, "\1\14\0\0\0\0\xc0\xfe\0\0\0\0", 12));
	assert_true(madt_has(&t, "\2\12\0\0\2\0\0\0\0\0", 10));
	assert_true(madt_has(&t, "\2\12\0\11\11\0\0\0\15\0", 10));
	assert_true(madt_has(&t, "\4\6\xff\0\0\1", 6));
	assert_int_equal(POWER_SCI_GSI, 9);
	tables_free(&t);
}

/* The MCFG names the board's ECAM and the buses it has room for. */
static void test_acpi__mcfg(void **state)
{
	struct tables t;

	tables_new(&t, 1);
	assert_int_equal(t.t[MCFG].len, 60);
	assert_int_equal(field(&t, MCFG, 44, 8), BOARD_ECAM_GPA);
	assert_int_equal(field(&t, MCFG, 52, 2), 0);
	assert_int_equal(field(&t, MCFG, 54, 1), 0);
	assert_int_equal(field(&t, MCFG, 55, 1), PCI_ECAM_BUS_SIZE / (256 * 4096) - 1);
	tables_free(&t);
}

/* A register in the FADT, in its old and in its new form. */
static void check_register(const struct tables *t, unsigned int old, unsigned int old_len,
			   unsigned int new, uint64_t port, unsigned int len)
{
	assert_int_equal(field(t, FACP, old, 4), port);
	assert_int_equal(field(t, FACP, old_len, 1), len);
	assert_int_equal(field(t, FACP, new, 1), len ? 1 : 0);
	assert_int_equal(field(t, FACP, new + 1, 1), 8 * len);
	assert_int_equal(field(t, FACP, new + 4, 8), port);
}

/* The FADT names the registers that power.c has, and no others. */
static void test_acpi__fadt_registers(void **state)
{
	struct tables t;

	tables_new(&t, 1);
	assert_int_equal(t.t[FACP].len, 276);
	assert_int_equal(field(&t, FACP, 8, 1), 6);
	check_register(&t, 56, 88, 148, POWER_PORT, 4);
	check_register(&t, 64, 89, 172, POWER_PORT + 4, 2);
	check_register(&t, 72, 90, 196, 0, 0);
	check_register(&t, 76, 91, 208, POWER_PORT + 8, 4);
	check_register(&t, 80, 92, 220, 0, 0);
	check_register(&t, 84, 93, 232, 0, 0);
	assert_int_equal(field(&t, FACP, 46, 2), POWER_SCI_GSI);
	assert_int_equal(field(&t, FACP, 48, 4), 0); /* no SMM: ACPI is on */
	assert_int_equal(field(&t, FACP, 116, 1), 1);
	assert_int_equal(field(&t, FACP, 117, 1), 8);
	assert_int_equal(field(&t, FACP, 120, 8), RESET_CONTROL_PORT);
	assert_int_equal(field(&t, FACP, 128, 1), RESET_CONTROL_VALUE);
	tables_free(&t);
}

/* What there is not: 8042, VGA, CMOS RTC, sleep button, C2, C3. MSI are not denied. */
static void test_acpi__fadt_absences(void **state)
{
	struct tables t;

	tables_new(&t, 1);
	assert_int_equal(field(&t, FACP, 109, 2), 0x25);
	assert_int_equal(field(&t, FACP, 112, 4), 0x565);
	assert_true(field(&t, FACP, 96, 2) > 100);
	assert_true(field(&t, FACP, 98, 2) > 1000);
	tables_free(&t);
}

/* FACS: 64 bytes at a multiple of 64, in the short field only; DSDT in both alike. */
static void test_acpi__fadt_pointers(void **state)
{
	struct tables t;

	tables_new(&t, 1);
	assert_int_equal(t.t[FACS].gpa % 64, 0);
	assert_int_equal(t.t[FACS].len, 64);
	assert_int_equal(field(&t, FACP, 132, 8), 0);
	assert_int_equal(field(&t, FACP, 40, 4), t.t[DSDT].gpa);
	tables_free(&t);
}

/* How often the DSDT has these bytes. */
static unsigned int dsdt_has(const struct tables *t, const void *bytes, size_t len)
{
	const uint8_t *from = t->t[DSDT].bytes, *end = from + t->t[DSDT].len;
	unsigned int hits = 0;

	while ((from = memmem(from, (size_t)(end - from), bytes, len))) {
		hits++;
		from++;
	}
	return hits;
}

static void put(uint8_t *bytes, unsigned int offset, uint64_t value, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		bytes[offset + i] = (uint8_t)(value >> (8 * i));
}

/* The DSDT's memory window is the board's: DWORD address space descriptor, 6.4.3.5.2. */
static void test_acpi__dsdt_window(void **state)
{
	uint8_t d[26] = { 0x87, 23, 0, 0, 0x0c, 0x01 };
	struct tables t;

	put(d, 10, BOARD_PCI_WINDOW_GPA, 4);
	put(d, 14, BOARD_PCI_WINDOW_END - 1, 4);
	put(d, 22, BOARD_PCI_WINDOW_END - BOARD_PCI_WINDOW_GPA, 4);
	tables_new(&t, 1);
	assert_int_equal(dsdt_has(&t, d, sizeof(d)), 1);
	assert_int_equal(dsdt_has(&t, "\x87\x17\0", 3), 1);
	tables_free(&t);
}

/* Its buses are those of the ECAM: WORD address space descriptor of type 2, 6.4.3.5.3. */
static void test_acpi__dsdt_buses(void **state)
{
	uint8_t d[16] = { 0x88, 13, 0, 2, 0x0c };
	unsigned int buses = PCI_ECAM_BUS_SIZE / (256 * 4096);
	struct tables t;

	put(d, 10, buses - 1, 2);
	put(d, 14, buses, 2);
	tables_new(&t, 1);
	assert_int_equal(dsdt_has(&t, d, sizeof(d)), 1);
	tables_free(&t);
}

/* The ECAM is reserved by 32-bit fixed memory, 6.4.3.4, or Linux does not use it. */
static void test_acpi__dsdt_reserves_ecam(void **state)
{
	uint8_t d[12] = { 0x86, 9, 0, 1 };
	struct tables t;

	put(d, 4, BOARD_ECAM_GPA, 4);
	put(d, 8, PCI_ECAM_BUS_SIZE, 4);
	tables_new(&t, 1);
	assert_int_equal(dsdt_has(&t, d, sizeof(d)), 1);
	tables_free(&t);
}

/* An I/O port descriptor, 6.4.2.5. */
static unsigned int dsdt_ports(const struct tables *t, uint16_t port, uint8_t len)
{
	uint8_t d[8] = { 0x47, 1, 0, 0, 0, 0, 1, len };

	put(d, 2, port, 2);
	put(d, 4, port, 2);
	return dsdt_has(t, d, sizeof(d));
}

/* Ports where the devices are; COM1 with its line. Each once: no two drivers claim them. */
static void test_acpi__dsdt_ports(void **state)
{
	uint8_t irq[] = { 0x22, 0, 0, 0x79 };
	struct tables t;

	tables_new(&t, 1);
	assert_int_equal(dsdt_ports(&t, 0xcf8, 8), 1);
	assert_int_equal(dsdt_ports(&t, BOARD_SERIAL_PORT, SERIAL_PORTS), 1);
	assert_int_equal(dsdt_ports(&t, PVPANIC_PORT, 1), 1);
	assert_int_equal(dsdt_ports(&t, POWER_PORT, POWER_PORTS), 1);
	put(irq, 1, 1u << BOARD_SERIAL_GSI, 2);
	assert_int_equal(dsdt_has(&t, irq, sizeof(irq)), 1);
	tables_free(&t);
}

/* \_S5 is a package of SLP_TYP first; there is no other sleep state. */
static void test_acpi__dsdt_s5(void **state)
{
	static const uint8_t s5[] = { 0x08,	      '_', 'S', '5', '_', 0x12, 7, 4, 0x0a,
				      POWER_SLEEP_S5, 0,   0,	0 };
	struct tables t;

	tables_new(&t, 1);
	assert_int_equal(dsdt_has(&t, s5, sizeof(s5)), 1);
	assert_int_equal(dsdt_has(&t, "\x08_S", 3), 2); /* and _SEG */
	tables_free(&t);
}

/* Too little room is said, and nothing is written; so is memory that is not there. */
static void test_acpi__no_room(void **state)
{
	struct error err;
	struct guest_ram *ram = guest_ram_new(RAM_BYTES, RAM_BYTES, &err);
	unsigned int room, refused = 0;
	int ret;

	assert_non_null(ram);
	for (room = 16; room < 4096; room += 16) {
		uint8_t *after = guest_ram_hva(ram, GPA + room, 16);

		memset(after, 0xaa, 16);
		ret = acpi_write(ram, GPA, GPA + room, 64, &err);
		if (ret) {
			assert_int_equal(ret, -ENOSPC);
			assert_int_equal(*(uint8_t *)guest_ram_hva(ram, GPA, 1), 0);
			refused++;
		}
		assert_memory_equal(after, "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa", 8);
		memset(after, 0, 16);
		memset(guest_ram_hva(ram, GPA, 4096), 0, 4096);
	}
	assert_in_range(refused, 80, 200);
	assert_int_equal(acpi_write(ram, RAM_BYTES - 64, RAM_BYTES + 8192, 1, &err), -E2BIG);
	guest_ram_free(ram);
}

/* What iasl prints about a table of ours that it takes apart, and about its source then. */
static void ask_iasl(const struct tables *t, int table)
{
	char dir[] = "/tmp/handoff-acpi-XXXXXX", path[64], command[256], line[512];
	bool ok = false;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.aml", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(t->t[table].bytes, 1, t->t[table].len, f), t->t[table].len);
	fclose(f);
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d t.aml 2>&1 && iasl -va t.dsl 2>&1; rm -r %s", dir, dir);
	f = popen(command, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strstr(line, "0 Errors, 0 Warnings"))
			ok = true;
		else if (strstr(line, "arning") || strstr(line, "rror") || strstr(line, "nvalid"))
			fail_msg("%s: %s", names[table], line);
	}
	pclose(f);
	if (!ok)
		fail_msg("iasl does not take %s", names[table]);
}

/* The tools of ACPI's makers find nothing to complain about in any table. */
static void test_acpi__iasl_agrees(void **state)
{
	struct tables t;
	int table;

	if (system("iasl -v >/dev/null 2>&1"))
		skip_because("no iasl here");
	tables_new(&t, 2);
	for (table = XSDT; table < N_TABLES; table++)
		ask_iasl(&t, table);
	tables_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acpi__all_tables_are_found),
		cmocka_unit_test(test_acpi__checksums_cover_all_bytes),
		cmocka_unit_test(test_acpi__madt_names_vcpus),
		cmocka_unit_test(test_acpi__madt_interrupts),
		cmocka_unit_test(test_acpi__mcfg),
		cmocka_unit_test(test_acpi__fadt_registers),
		cmocka_unit_test(test_acpi__fadt_absences),
		cmocka_unit_test(test_acpi__fadt_pointers),
		cmocka_unit_test(test_acpi__dsdt_window),
		cmocka_unit_test(test_acpi__dsdt_buses),
		cmocka_unit_test(test_acpi__dsdt_reserves_ecam),
		cmocka_unit_test(test_acpi__dsdt_ports),
		cmocka_unit_test(test_acpi__dsdt_s5),
		cmocka_unit_test(test_acpi__no_room),
		cmocka_unit_test(test_acpi__iasl_agrees),
	};

	return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
