// SPDX-License-Identifier: BSD-2-Clause
/* Config space: what a guest finds on the bus, by ECAM and by ports, and what it may change. */
#include <lib/tap.h>

#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <handoff/bql.h>
#include "fixture.h"

/* Slot 0 is a host bridge, which tells a guest that there is a bus. */
static void test_config__host_bridge(void **state)
{
	struct board b;

	board_init(&b, true);
	assert_int_equal(ecam_read(&b, 0, PCI_VENDOR_ID, 4), 0x29c08086);
	assert_int_equal(ecam_read(&b, 0, PCI_CLASS_DEVICE, 2), 0x0600);
	assert_int_equal(ecam_read(&b, 0, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
	board_release(&b);
}

/* Where no device is, other functions and buses included, reads are all ones. */
static void test_config__absent_reads_all_ones(void **state)
{
	uint32_t address = 1u << 31 | 1 << 16, value = 0;
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 3, 0);
	assert_int_equal(ecam_read(&b, 4, PCI_VENDOR_ID, 4), 0xffffffff);
	assert_int_equal(ecam_read(&b, 4, PCI_VENDOR_ID, 2), 0xffff);
	assert_int_equal(ecam_read(&b, 3, 0x1000 + PCI_VENDOR_ID, 4), 0xffffffff);
	ecam_write(&b, 4, PCI_COMMAND, 0xffff, 2);
	ecam_write(&b, 3, 0x1000 + PCI_COMMAND, 0xffff, 2);
	address_space_write(&b.io, 0xcf8, &address, 4);
	address_space_read(&b.io, 0xcfc, &value, 4);
	assert_int_equal(value, 0xffffffff);
	assert_int_equal(c.commands, 0);
	card_release(&c);
	assert_int_equal(ecam_read(&b, 3, PCI_VENDOR_ID, 4), 0xffffffff);
	board_release(&b);
}

/* Header fields are where the specification puts them. */
static void test_config__header(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 3, 0);
	assert_int_equal(ecam_read(&b, 3, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(ecam_read(&b, 3, PCI_DEVICE_ID, 2), 0x1042);
	assert_int_equal(ecam_read(&b, 3, PCI_CLASS_REVISION, 4), 0x01000001);
	assert_int_equal(ecam_read(&b, 3, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	assert_int_equal(ecam_read(&b, 3, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(ecam_read(&b, 3, PCI_INTERRUPT_PIN, 1), 0);
	card_release(&c);
	board_release(&b);
}

/* Ports and ECAM show the same bytes, at each offset and size, and write the same. */
static void test_config__ports_equal_ecam(void **state)
{
	unsigned int where, size;
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 31, 5);
	for (size = 1; size <= 4; size *= 2)
		for (where = 0; where < PCI_CONFIG_SIZE; where += size)
			assert_int_equal(port_read(&b, 31, where, size),
					 ecam_read(&b, 31, where, size));
	port_write(&b, 31, PCI_INTERRUPT_LINE, 0x42, 1);
	assert_int_equal(ecam_read(&b, 31, PCI_INTERRUPT_LINE, 1), 0x42);
	ecam_write(&b, 31, PCI_INTERRUPT_LINE, 0x24, 1);
	assert_int_equal(port_read(&b, 31, PCI_INTERRUPT_LINE, 1), 0x24);
	card_release(&c);
	board_release(&b);
}

/* The address port is a dword register; without its enable bit the data port is dead. */
static void test_config__address_port(void **state)
{
	uint32_t address = 0x80000004, value = 0;
	struct board b;

	board_init(&b, true);
	address_space_write(&b.io, 0xcf8, &address, 4);
	address_space_read(&b.io, 0xcf8, &value, 4);
	assert_int_equal(value, address);
	address_space_write(&b.io, 0xcf9, "\x06", 1);
	value = 0;
	address_space_read(&b.io, 0xcf8, &value, 2);
	assert_int_equal(value, 0xffff);
	address_space_read(&b.io, 0xcf8, &value, 4);
	assert_int_equal(value, address);
	address = 0;
	address_space_write(&b.io, 0xcf8, &address, 4);
	address_space_read(&b.io, 0xcfc, &value, 4);
	assert_int_equal(value, 0xffffffff);
	board_release(&b);
}

struct reset_port {
	unsigned int reads, writes;
	uint8_t value;
};

static uint8_t reset_port_read(void *opaque)
{
	((struct reset_port *)opaque)->reads++;
	return 0x5a;
}

static void reset_port_write(void *opaque, uint8_t value)
{
	((struct reset_port *)opaque)->writes++;
	((struct reset_port *)opaque)->value = value;
}

/* Port 0xcf9 has a device of its own: bytes at just this address are its, and nothing else is. */
static void test_config__reset_port(void **state)
{
	static const struct pci_host_port_ops ops = { reset_port_read, reset_port_write };
	struct reset_port port = { 0 };
	unsigned int i, size, value;
	struct board b;

	board_init(&b, true);
	pci_host_set_reset_control(b.host, &ops, &port);
	address_space_write(&b.io, 0xcf8, "\x04\x06\x00\x80", 4);
	for (i = 0; i < 4; i++)
		for (size = 1; size <= 4; size *= 2)
			if (i != 1 && !(i % size))
				address_space_read(&b.io, 0xcf8 + i, &value, size);
	address_space_write(&b.io, 0xcf8, "\x06", 1);
	address_space_write(&b.io, 0xcf8, "\x06\x06", 2);
	address_space_write(&b.io, 0xcfa, "\x06\x06", 2);
	assert_int_equal(port.reads + port.writes, 0);
	address_space_write(&b.io, 0xcf9, "\x0e", 1);
	assert_int_equal(port.writes, 1);
	assert_int_equal(port.value, 0x0e);
	value = 0;
	address_space_read(&b.io, 0xcf9, &value, 1);
	assert_int_equal(value, 0x5a);
	address_space_read(&b.io, 0xcf8, &value, 4);
	assert_int_equal(value, 0x80000604);
	pci_host_set_reset_control(b.host, NULL, NULL);
	address_space_write(&b.io, 0xcf9, "\x06", 1);
	assert_int_equal(port.writes, 1);
	board_release(&b);
}

/* A board without ECAM has the ports. */
static void test_config__works_without_ecam(void **state)
{
	struct board b;

	board_init(&b, false);
	assert_int_equal(mmio_read(&b, ECAM_GPA), 0xffffffff);
	assert_int_equal(port_read(&b, 0, PCI_VENDOR_ID, 4), 0x29c08086);
	board_release(&b);
}

/* Beyond the 256 conventional bytes a present device reads as zero: no extended capabilities. */
static void test_config__extended_space_is_zero(void **state)
{
	unsigned int where;
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	ecam_write(&b, 1, 0x100, 0x12345678, 4);
	for (where = PCI_CONFIG_SIZE; where < PCIE_CONFIG_SIZE; where += 4)
		assert_int_equal(ecam_read(&b, 1, where, 4), 0);
	card_release(&c);
	board_release(&b);
}

/* An access across natural borders, or of an odd size, finds and changes nothing. */
static void test_config__odd_accesses(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	assert_int_equal(pci_config_read(&c.pci, 1, 2), 0xffffffff);
	assert_int_equal(pci_config_read(&c.pci, 2, 4), 0xffffffff);
	assert_int_equal(pci_config_read(&c.pci, 0, 8), 0xffffffff);
	pci_config_write(&c.pci, PCI_COMMAND - 1, ~0u, 4);
	pci_config_write(&c.pci, PCI_COMMAND, ~0u, 3);
	assert_int_equal(pci_config_read(&c.pci, PCI_COMMAND, 2), 0);
	card_release(&c);
	board_release(&b);
}

/* Only what wmask opens changes, bit by bit. */
static void test_config__only_writable_bits_change(void **state)
{
	uint8_t before[PCI_CONFIG_SIZE];
	unsigned int i;
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 4);
	memcpy(before, c.pci.config, sizeof(before));
	for (i = 0; i < PCI_CONFIG_SIZE; i += 4)
		ecam_write(&b, 1, i, 0xffffffff, 4);
	for (i = 0; i < PCI_CONFIG_SIZE; i++)
		assert_int_equal(ecam_read(&b, 1, i, 1), before[i] | c.pci.wmask[i]);
	card_release(&c);
	board_release(&b);
}

/* The command register: no I/O decoding, the device is told of changes and of nothing else. */
static void test_config__command_is_told(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	assert_false(pci_bus_master(&c.pci));
	ecam_write(&b, 1, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_IO, 2);
	assert_true(pci_bus_master(&c.pci));
	assert_int_equal(c.commands, 1);
	assert_int_equal(c.last_command, PCI_COMMAND_MASTER);
	ecam_write(&b, 1, PCI_COMMAND, PCI_COMMAND_MASTER, 4);
	assert_int_equal(c.commands, 1);
	ecam_write(&b, 1, PCI_COMMAND, 0, 1);
	assert_int_equal(c.commands, 2);
	assert_false(pci_bus_master(&c.pci));
	card_release(&c);
	board_release(&b);
}

/* The list leads from one capability to the next in the order of adding, and ends. */
static void test_config__capability_list(void **state)
{
	struct board b;
	struct card c;
	unsigned int at;
	int more;

	board_init(&b, true);
	card_init(&c, &b, 1, 4);
	more = pci_add_capability(&c.pci, PCI_CAP_ID_VNDR, NULL, 5);
	assert_true(more > 0 && !(more & 3));
	at = ecam_read(&b, 1, PCI_CAPABILITY_LIST, 1);
	assert_int_equal(at, c.cap);
	assert_int_equal(ecam_read(&b, 1, at, 1), PCI_CAP_ID_VNDR);
	assert_int_equal(ecam_read(&b, 1, at + 2, 4 - 2), 0x0110);
	at = ecam_read(&b, 1, at + PCI_CAP_LIST_NEXT, 1);
	assert_int_equal(ecam_read(&b, 1, at, 1), PCI_CAP_ID_MSIX);
	at = ecam_read(&b, 1, at + PCI_CAP_LIST_NEXT, 1);
	assert_int_equal(at, more);
	assert_int_equal(ecam_read(&b, 1, at + PCI_CAP_LIST_NEXT, 1), 0);
	card_release(&c);
	board_release(&b);
}

/* When the room for capabilities is used up, that is an error and changes nothing. */
static void test_config__capabilities_run_out(void **state)
{
	uint8_t before[PCI_CONFIG_SIZE];
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	while (pci_add_capability(&c.pci, PCI_CAP_ID_VNDR, NULL, 40) > 0)
		;
	memcpy(before, c.pci.config, sizeof(before));
	assert_int_equal(pci_add_capability(&c.pci, PCI_CAP_ID_VNDR, NULL, 40), -ENOSPC);
	assert_int_equal(pci_add_capability(&c.pci, PCI_CAP_ID_VNDR, NULL, 1), -ENOSPC);
	assert_memory_equal(before, c.pci.config, sizeof(before));
	card_release(&c);
	board_release(&b);
}

/* Accesses that touch a capability's body go to the device, after the writable bits were stored. */
static void test_config__capability_hooks(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 4);
	ecam_read(&b, 1, c.cap, 2);
	ecam_read(&b, 1, PCI_VENDOR_ID, 4);
	ecam_read(&b, 1, c.cap + 12, 4); /* MSI-X: not the device's */
	assert_int_equal(c.cap_reads, 0);
	assert_int_equal(ecam_read(&b, 1, c.cap, 4) >> 16, 0x0110);
	assert_int_equal(c.cap_reads, 1);
	ecam_write(&b, 1, c.cap + 8, 0xabcd, 2);
	assert_int_equal(c.cap_writes, 1);
	assert_int_equal(c.last_cap_write, 0xabcd);
	assert_int_equal(ecam_read(&b, 1, c.cap + 8, 2), 0x07cd);
	card_release(&c);
	board_release(&b);
}

/* Reset: the device is told, all that the guest could write is zero again. */
static void test_config__reset(void **state)
{
	struct board b;
	struct card c;
	unsigned int i;

	board_init(&b, true);
	card_init(&c, &b, 1, 4);
	for (i = 0; i < PCI_CONFIG_SIZE; i += 4)
		ecam_write(&b, 1, i, 0xffffffff, 4);
	pci_host_reset(b.host);
	assert_int_equal(c.resets, 1);
	assert_int_equal(c.last_command, 0);
	assert_false(msix_enabled(&c.pci));
	for (i = 0; i < PCI_CONFIG_SIZE; i++)
		assert_int_equal(c.pci.config[i] & c.pci.wmask[i], 0);
	assert_int_equal(c.pci.bar[0].gpa, UINT64_MAX);
	card_release(&c);
	board_release(&b);
}

/* Slots: by number or the first free one; what is taken or beyond the bus is refused in words. */
static void test_config__slots(void **state)
{
	static const struct pci_device_ids ids;
	struct pci_device more[PCI_SLOTS], odd;
	struct error err = { "" };
	struct board b;
	int i;

	board_init(&b, true);
	assert_int_equal(pci_device_init(&odd, b.host, 0, &ids, NULL, "odd", &err), -EBUSY);
	assert_non_null(strstr(err.msg, "host bridge"));
	assert_int_equal(pci_device_init(&odd, b.host, 32, &ids, NULL, "odd", &err), -EINVAL);
	for (i = 1; i < PCI_SLOTS; i++) {
		assert_int_equal(pci_device_init(&more[i], b.host, -1, &ids, NULL, "more", &err),
				 0);
		assert_int_equal(more[i].slot, i);
	}
	assert_int_equal(pci_device_init(&odd, b.host, -1, &ids, NULL, "odd", &err), -ENOSPC);
	ecam_write(&b, 7, PCI_COMMAND, 0xffff, 2);
	assert_int_equal(ecam_read(&b, 7, 0x40, 4), 0);
	pci_host_reset(b.host);
	for (i = 1; i < PCI_SLOTS; i++)
		pci_device_release(&more[i]);
	board_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config__host_bridge),
		cmocka_unit_test(test_config__absent_reads_all_ones),
		cmocka_unit_test(test_config__header),
		cmocka_unit_test(test_config__ports_equal_ecam),
		cmocka_unit_test(test_config__address_port),
		cmocka_unit_test(test_config__reset_port),
		cmocka_unit_test(test_config__works_without_ecam),
		cmocka_unit_test(test_config__extended_space_is_zero),
		cmocka_unit_test(test_config__odd_accesses),
		cmocka_unit_test(test_config__only_writable_bits_change),
		cmocka_unit_test(test_config__command_is_told),
		cmocka_unit_test(test_config__capability_list),
		cmocka_unit_test(test_config__capabilities_run_out),
		cmocka_unit_test(test_config__capability_hooks),
		cmocka_unit_test(test_config__reset),
		cmocka_unit_test(test_config__slots),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
