// SPDX-License-Identifier: BSD-2-Clause
/* BARs: sized, placed, moved, and put where they could do harm. */
#include <lib/tap.h>

#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <handoff/bql.h>
#include "fixture.h"

#define BAR(i) (PCI_BASE_ADDRESS_0 + 4 * (i))

static void put(struct board *b, unsigned int bar, uint64_t gpa)
{
	ecam_write(b, 1, BAR(bar), (uint32_t)gpa, 4);
	if (bar == 2)
		ecam_write(b, 1, BAR(3), (uint32_t)(gpa >> 32), 4);
}

static void decode(struct board *b, bool on)
{
	ecam_write(b, 1, PCI_COMMAND, on ? PCI_COMMAND_MEMORY : 0, 2);
}

/* Writing all ones shows the size and the kind, and BARs that are not there are zero. */
static void test_bar__sizing(void **state)
{
	struct board b;
	struct card c;
	unsigned int i;

	board_init(&b, true);
	card_init(&c, &b, 1, 4);
	for (i = 0; i < PCI_BARS; i++)
		ecam_write(&b, 1, BAR(i), 0xffffffff, 4);
	assert_int_equal(ecam_read(&b, 1, BAR(0), 4), ~(BAR0_BYTES - 1));
	assert_int_equal(ecam_read(&b, 1, BAR(1), 4), 0);
	assert_int_equal(ecam_read(&b, 1, BAR(2), 4),
			 ~(BAR2_BYTES - 1) | PCI_BASE_ADDRESS_MEM_TYPE_64);
	assert_int_equal(ecam_read(&b, 1, BAR(3), 4), 0xffffffff);
	assert_int_equal(ecam_read(&b, 1, BAR(MSIX_BAR), 4), ~0xfffu);
	assert_int_equal(ecam_read(&b, 1, BAR(5), 4), 0);
	assert_int_equal(ecam_read(&b, 1, PCI_ROM_ADDRESS, 4), 0);
	card_release(&c);
	board_release(&b);
}

/* Sizing with decoding left on, as some drivers do, maps nothing in between and ends as it was. */
static void test_bar__sizing_while_decoding(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	card_enable(&c, &b);
	ecam_write(&b, 1, BAR(0), 0xffffffff, 4);
	assert_int_equal(c.pci.bar[0].gpa, UINT64_MAX);
	assert_int_equal(mmio_read(&b, WINDOW_GPA), 0xffffffff);
	ecam_write(&b, 1, BAR(0), WINDOW_GPA, 4);
	assert_int_equal(mmio_read(&b, WINDOW_GPA), BAR0_TAG);
	ecam_write(&b, 1, BAR(2), 0xffffffff, 4);
	ecam_write(&b, 1, BAR(3), 0xffffffff, 4);
	assert_int_equal(c.pci.bar[2].gpa, UINT64_MAX);
	card_release(&c);
	board_release(&b);
}

/* A BAR answers only while decoding is on, and over its whole size. */
static void test_bar__follows_decoding(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	put(&b, 0, 0xd0000000);
	assert_int_equal(mmio_read(&b, 0xd0000000), 0xffffffff);
	decode(&b, true);
	assert_int_equal(mmio_read(&b, 0xd0000000), BAR0_TAG);
	assert_int_equal(mmio_read(&b, 0xd0000000 + BAR0_BYTES - 4), BAR0_TAG);
	assert_int_equal(mmio_read(&b, 0xd0000000 + BAR0_BYTES), 0xffffffff);
	decode(&b, false);
	assert_int_equal(mmio_read(&b, 0xd0000000), 0xffffffff);
	card_release(&c);
	board_release(&b);
}

/* Moved while decoding, a BAR is at its new place and not at the old one. */
static void test_bar__moves(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	decode(&b, true);
	put(&b, 0, 0xd0000000);
	put(&b, 0, 0xe0000000);
	assert_int_equal(mmio_read(&b, 0xd0000000), 0xffffffff);
	assert_int_equal(mmio_read(&b, 0xe0000000), BAR0_TAG);
	card_release(&c);
	board_release(&b);
}

/* A 64-bit BAR goes above 4 GiB, half by half. */
static void test_bar__above_4g(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	decode(&b, true);
	put(&b, 2, 0x1234500000000);
	assert_int_equal(mmio_read(&b, 0x1234500000000), BAR2_TAG);
	assert_int_equal(c.pci.bar[2].gpa, 0x1234500000000);
	card_release(&c);
	board_release(&b);
}

/* Guest RAM, ECAM and its like win against a BAR on top of them, which shows only where they end.
 */
static void test_bar__cannot_cover_ram_or_ecam(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	decode(&b, true);
	memcpy(b.ram_bytes + RAM_BYTES - BAR0_BYTES, "\x01\x02\x03\x04", 4);
	put(&b, 0, RAM_BYTES - BAR0_BYTES);
	assert_int_equal(mmio_read(&b, RAM_BYTES - BAR0_BYTES), 0x04030201);
	put(&b, 2, ECAM_GPA);
	assert_int_equal(mmio_read(&b, ECAM_GPA), 0x29c08086);
	memory_region_set_enabled(&b.ram, false);
	assert_int_equal(mmio_read(&b, RAM_BYTES - BAR0_BYTES), BAR0_TAG);
	card_release(&c);
	board_release(&b);
}

/* Two BARs at one place: one of them answers, and both are there again when they part. */
static void test_bar__overlap_each_other(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	decode(&b, true);
	put(&b, 0, 0xd0000000);
	put(&b, 2, 0xd0000000);
	assert_int_equal(mmio_read(&b, 0xd0000000), BAR2_TAG);
	put(&b, 2, 0xd8000000);
	assert_int_equal(mmio_read(&b, 0xd0000000), BAR0_TAG);
	assert_int_equal(mmio_read(&b, 0xd8000000), BAR2_TAG);
	card_release(&c);
	board_release(&b);
}

/* Addresses at the very ends: 0 is "no place", the top would wrap. */
static void test_bar__extreme_addresses(void **state)
{
	static const uint64_t nowhere[] = { 0, UINT64_MAX, UINT64_MAX - BAR2_BYTES + 1 };
	struct board b;
	struct card c;
	unsigned int i;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	decode(&b, true);
	memory_region_set_enabled(&b.ram, false);
	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		put(&b, 2, nowhere[i]);
		assert_int_equal(c.pci.bar[2].gpa, UINT64_MAX);
	}
	put(&b, 2, UINT64_MAX - 2 * BAR2_BYTES + 1);
	assert_int_equal(mmio_read(&b, UINT64_MAX - 2 * BAR2_BYTES + 1), BAR2_TAG);
	put(&b, 0, UINT32_MAX - BAR0_BYTES + 1);
	assert_int_equal(c.pci.bar[0].gpa, UINT64_MAX);
	card_release(&c);
	board_release(&b);
}

/* Assignment: in the window, naturally aligned, apart from each other, nobody moved. */
static void test_bar__assignment(void **state)
{
	struct card c[4];
	struct board b;
	unsigned int i, k, n = 0;
	struct {
		uint64_t gpa, size;
	} seen[12];

	board_init(&b, true);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		card_init(&c[i], &b, -1, 300);
	ecam_write(&b, 2, BAR(0), WINDOW_GPA + 0x4000, 4);
	assert_int_equal(pci_host_assign_bars(b.host, NULL), 0);
	assert_int_equal(mmio_read(&b, WINDOW_GPA), 0xffffffff);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		ecam_write(&b, 1 + i, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(c[1].pci.bar[0].gpa, WINDOW_GPA + 0x4000);
	for (i = 0; i < ARRAY_SIZE(c); i++)
		for (k = 0; k < PCI_BARS; k++)
			if (c[i].pci.bar[k].mr) {
				seen[n].gpa = c[i].pci.bar[k].gpa;
				seen[n++].size = c[i].pci.bar[k].size_bytes;
			}
	assert_int_equal(n, ARRAY_SIZE(seen));
	for (i = 0; i < n; i++) {
		assert_int_equal(seen[i].gpa % seen[i].size, 0);
		assert_true(seen[i].gpa >= WINDOW_GPA &&
			    seen[i].gpa + seen[i].size <= WINDOW_GPA + WINDOW_SIZE);
		for (k = 0; k < i; k++)
			assert_true(seen[i].gpa + seen[i].size <= seen[k].gpa ||
				    seen[k].gpa + seen[k].size <= seen[i].gpa);
	}
	for (i = 0; i < ARRAY_SIZE(c); i++)
		card_release(&c[i]);
	board_release(&b);
}

/* A window that is too small is reported with the device's name. */
static void test_bar__window_is_full(void **state)
{
	static const struct MemoryRegionOps ops;
	static const struct pci_device_ids ids;
	struct MemoryRegion huge[2];
	struct pci_device dev[2];
	struct error err = { "" };
	struct board b;
	int i;

	board_init(&b, true);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pci_device_init(&dev[i], b.host, -1, &ids, NULL,
						 i ? "second" : "first", &err),
				 0);
		memory_region_init_io(&huge[i], &ops, NULL, "huge", WINDOW_SIZE);
		pci_register_bar(&dev[i], 0, &huge[i], i);
	}
	assert_int_equal(pci_host_assign_bars(b.host, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "second"));
	pci_device_release(&dev[0]);
	pci_device_release(&dev[1]);
	board_release(&b);
}

/* A released device leaves nothing behind where its BARs were. */
static void test_bar__release_unmaps(void **state)
{
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 4);
	card_enable(&c, &b);
	assert_int_equal(mmio_read(&b, WINDOW_GPA), BAR0_TAG);
	card_release(&c);
	assert_int_equal(mmio_read(&b, WINDOW_GPA), 0xffffffff);
	board_release(&b);
}

struct counter {
	struct MemoryListener listener;
	unsigned int commits, adds, dels;
	uint64_t gpa;
};

static void count_commit(struct MemoryListener *l)
{
	container_of(l, struct counter, listener)->commits++;
}

static int count_add(struct MemoryListener *l, uint64_t gpa, const struct MemoryRegionIoeventfd *fd)
{
	container_of(l, struct counter, listener)->adds++;
	container_of(l, struct counter, listener)->gpa = gpa;
	return 0;
}

static void count_del(struct MemoryListener *l, uint64_t gpa,
		      const struct MemoryRegionIoeventfd *fd)
{
	container_of(l, struct counter, listener)->dels++;
}

/* An ioeventfd in a BAR moves with it, in one commit per register written, and goes with decoding.
 */
static void test_bar__ioeventfd_moves_along(void **state)
{
	struct counter n = { .listener = { .commit = count_commit,
					   .eventfd_add = count_add,
					   .eventfd_del = count_del } };
	struct EventNotifier e;
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	assert_int_equal(event_notifier_init(&e, false), 0);
	memory_region_add_eventfd(&c.bar0, 0x10, 0, false, 0, &e);
	memory_listener_register(&n.listener, &b.mmio);
	assert_int_equal(memory_region_eventfd_error(&e), -ENXIO);
	card_enable(&c, &b);
	assert_int_equal(n.adds, 1);
	assert_int_equal(n.gpa, WINDOW_GPA + 0x10);
	n.commits = 0;
	put(&b, 0, 0xe0000000);
	assert_int_equal(n.commits, 1);
	assert_int_equal(n.adds, 2);
	assert_int_equal(n.dels, 1);
	assert_int_equal(n.gpa, 0xe0000010);
	decode(&b, false);
	assert_int_equal(n.dels, 2);
	memory_listener_unregister(&n.listener, &b.mmio);
	card_release(&c);
	event_notifier_release(&e);
	board_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bar__sizing),
		cmocka_unit_test(test_bar__sizing_while_decoding),
		cmocka_unit_test(test_bar__follows_decoding),
		cmocka_unit_test(test_bar__moves),
		cmocka_unit_test(test_bar__above_4g),
		cmocka_unit_test(test_bar__cannot_cover_ram_or_ecam),
		cmocka_unit_test(test_bar__overlap_each_other),
		cmocka_unit_test(test_bar__extreme_addresses),
		cmocka_unit_test(test_bar__assignment),
		cmocka_unit_test(test_bar__window_is_full),
		cmocka_unit_test(test_bar__release_unmaps),
		cmocka_unit_test(test_bar__ioeventfd_moves_along),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
