// SPDX-License-Identifier: BSD-2-Clause
/* MSI-X: capability, table and PBA as a guest sees them, and how a device uses vectors. */
#include <lib/tap.h>

#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include <handoff/bql.h>
#include "msix_scene.h"

/* The capability says how many there are; enable and function mask are all one can write. */
static void test_msix__capability(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	assert_int_equal(msix_vectors(&s.c.pci), VECTORS);
	assert_int_equal(ecam_read(&s.b, 1, s.cap + PCI_MSIX_FLAGS, 2), VECTORS - 1);
	assert_false(msix_enabled(&s.c.pci));
	set_control(&s, 0xffff);
	assert_int_equal(ecam_read(&s.b, 1, s.cap + PCI_MSIX_FLAGS, 2), 0xc000 | (VECTORS - 1));
	assert_true(msix_enabled(&s.c.pci));
	scene_release(&s);
}

/* Table and PBA hold for the smallest and the largest number of vectors, and do not overlap. */
static void test_msix__table_sizes(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 64, 65, 128, 129, 2047, 2048 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned int last = sizes[i] - 1;
		struct scene s;

		scene_init(&s, sizes[i]);
		assert_true(s.table + sizes[i] * 16 <= s.pba);
		use(&s, last);
		set_mask(&s, last, true);
		msix_notify_any(&s.c.pci, last);
		assert_true(pending(&s, last));
		assert_int_equal(mmio_read(&s.b, s.table + last * 16 + 8), 0x4000 + last);
		if (s.table + sizes[i] * 16 < s.pba)
			assert_int_equal(mmio_read(&s.b, s.table + sizes[i] * 16), 0xffffffff);
		msix_vector_unuse(&s.c.pci, last);
		scene_release(&s);
	}
}

/* Entries start masked; all but reserved bits can be read back, by dwords and by qwords. */
static void test_msix__table_accesses(void **state)
{
	uint64_t qword = 0x0000000aabcd1234;
	struct scene s;
	uint8_t byte;

	scene_init(&s, VECTORS);
	assert_int_equal(mmio_read(&s.b, s.table + 12), PCI_MSIX_ENTRY_CTRL_MASKBIT);
	address_space_write(&s.b.mmio, s.table + 16, &qword, 8);
	assert_int_equal(mmio_read(&s.b, s.table + 16), 0xabcd1234);
	assert_int_equal(mmio_read(&s.b, s.table + 20), 0xa);
	qword = 0;
	address_space_read(&s.b.mmio, s.table + 16, &qword, 8);
	assert_int_equal(qword, 0x0000000aabcd1234);
	mmio_write(&s.b, s.table + 28, 0xfffffffe);
	assert_int_equal(mmio_read(&s.b, s.table + 28), 0);
	assert_int_equal(address_space_write(&s.b.mmio, s.table, "x", 1), MEMTX_DECODE_ERROR);
	assert_int_equal(address_space_read(&s.b.mmio, s.table, &byte, 1), MEMTX_DECODE_ERROR);
	scene_release(&s);
}

/* Uses are counted: the same notifier each time, and the route goes with the last. */
static void test_msix__uses_are_counted(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	use(&s, 1);
	assert_ptr_equal(msix_vector_use(&s.c.pci, 1, NULL), s.e);
	msix_vector_unuse(&s.c.pci, 1);
	assert_int_equal(s.b.sink.n_routes, 1);
	msix_notify_any(&s.c.pci, 1);
	sink_poll(&s.b.sink);
	assert_int_equal(s.b.sink.fired, 1);
	msix_vector_unuse(&s.c.pci, 1);
	assert_int_equal(s.b.sink.n_routes, 0);
	scene_release(&s);
}

/* No route: the device is told why, and nothing is left half done. */
static void test_msix__out_of_routes(void **state)
{
	struct error err = { "" };
	struct scene s;

	scene_init(&s, VECTORS);
	s.b.sink.fail_new = -ENOSPC;
	assert_null(msix_vector_use(&s.c.pci, 3, &err));
	assert_string_equal(err.msg, "card: MSI-X vector 3: out of routes");
	msix_notify_any(&s.c.pci, 3);
	s.b.sink.fail_new = 0;
	assert_non_null(msix_vector_use(&s.c.pci, 3, NULL));
	msix_vector_unuse(&s.c.pci, 3);
	scene_release(&s);
}

/* Vectors that do not exist, or that nobody uses: use fails, notify is ignored. */
static void test_msix__bad_vectors(void **state)
{
	struct error err = { "" };
	struct msi_message msg;
	struct scene s;

	scene_init(&s, 4);
	assert_null(msix_vector_use(&s.c.pci, 4, &err));
	assert_non_null(strstr(err.msg, "vector 4"));
	assert_null(msix_vector_use(&s.c.pci, 0xffff, &err));
	msix_notify_any(&s.c.pci, 0xffff);
	msix_notify_any(&s.c.pci, 4);
	msix_notify_any(&s.c.pci, 0);
	assert_int_equal(mmio_read(&s.b, s.pba), 0);
	assert_false(msix_message(&s.c.pci, 4, &msg));
	set_message(&s, 3, 0xfee00000, 0x31);
	assert_true(msix_message(&s.c.pci, 3, &msg));
	assert_int_equal(msg.data, 0x31);
	scene_release(&s);
}

/* Reset forgets: entries masked and empty, nothing pending, nothing fires afterwards. */
static void test_msix__reset(void **state)
{
	struct scene s;

	scene_init(&s, VECTORS);
	use(&s, 1);
	set_mask(&s, 1, true);
	msix_notify_any(&s.c.pci, 1);
	msix_reset(&s.c.pci);
	assert_false(msix_enabled(&s.c.pci));
	assert_false(pending(&s, 1));
	assert_int_equal(mmio_read(&s.b, s.table + 16 + 8), 0);
	assert_int_equal(mmio_read(&s.b, s.table + 16 + 12), PCI_MSIX_ENTRY_CTRL_MASKBIT);
	set_mask(&s, 1, false);
	set_control(&s, PCI_MSIX_FLAGS_ENABLE);
	sink_poll(&s.b.sink);
	assert_int_equal(s.b.sink.fired, 0);
	msix_vector_unuse(&s.c.pci, 1);
	scene_release(&s);
}

/* The device hears of each change of message, mask and enable bit, once, and of no more. */
static void test_msix__changes_are_told(void **state)
{
	struct scene s;

	scene_init(&s, 4);
	s.c.changes = 0;
	mmio_write(&s.b, s.table + 2 * 16 + 8, 1);
	assert_int_equal(s.c.changes, 1);
	assert_int_equal(s.c.last_changed, 2);
	set_mask(&s, 3, false);
	assert_int_equal(s.c.changes, 2);
	assert_int_equal(s.c.last_changed, 3);
	set_mask(&s, 3, false);
	assert_int_equal(s.c.changes, 2);
	set_control(&s, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(s.c.changes, 2 + 4);
	set_control(&s, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(s.c.changes, 2 + 4);
	scene_release(&s);
}

/* Numbers of vectors and BARs that cannot be are refused in words. */
static void test_msix__bad_init(void **state)
{
	struct error err;
	struct board b;
	struct card c;

	board_init(&b, true);
	card_init(&c, &b, 1, 0);
	assert_int_equal(msix_init(&c.pci, 0, 4, &err), -EINVAL);
	assert_int_equal(msix_init(&c.pci, 2049, 4, &err), -EINVAL);
	assert_int_equal(msix_init(&c.pci, 1, 0, &err), -EINVAL);
	assert_int_equal(msix_init(&c.pci, 1, 6, &err), -EINVAL);
	assert_int_equal(msix_vectors(&c.pci), 0);
	assert_false(msix_enabled(&c.pci));
	while (pci_add_capability(&c.pci, PCI_CAP_ID_VNDR, NULL, 8) > 0)
		;
	assert_int_equal(msix_init(&c.pci, 1, 4, &err), -ENOSPC);
	card_release(&c);
	board_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msix__capability),
		cmocka_unit_test(test_msix__table_sizes),
		cmocka_unit_test(test_msix__table_accesses),
		cmocka_unit_test(test_msix__uses_are_counted),
		cmocka_unit_test(test_msix__out_of_routes),
		cmocka_unit_test(test_msix__bad_vectors),
		cmocka_unit_test(test_msix__reset),
		cmocka_unit_test(test_msix__changes_are_told),
		cmocka_unit_test(test_msix__bad_init),
	};
	int ret;

	bql_lock();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bql_unlock();
	return ret;
}
